"""One worker loop that knows no domain: claim, run, retry, dead letter; followers; periodic work."""
