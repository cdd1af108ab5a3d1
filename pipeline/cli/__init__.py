"""The commands of `python -m pipeline`. Thin: each opens what it needs and calls a room."""
