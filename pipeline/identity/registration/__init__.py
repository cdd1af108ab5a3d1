"""Step 1: what a registration client announces, uploads and asks about. Processing begins where this room ends."""
