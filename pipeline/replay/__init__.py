"""Packet files through the real code: sent as they stand, answered by us, and compared in what binds."""
