"""The packet manager: reads the components of a registration packet safely, verifies them, and gives single fields on demand.

It knows what a packet holds and nothing of stages or tables of theirs.
"""
