"""Penalties of teachers: what counts, the step that is due, how it ends, and what people decide about it.

The ladder is master data; here it is applied, as a pure function of what counted. The account's standing follows from it
and from nothing else; intake and payouts read the standing and know nothing of this room.
"""
