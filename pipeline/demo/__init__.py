"""Demo data: a believable state of any size, made by driving the real rooms. Labelled as demo wherever it is shown."""
