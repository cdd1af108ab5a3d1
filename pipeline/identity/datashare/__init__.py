"""Data share: bytes for one subscriber, for a time and a number of uses."""
