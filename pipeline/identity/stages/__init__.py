"""Step 2: the stages through which a registration goes, one file each, and the runner that takes it from one to the next.

Which stages there are, in which order, how often each is tried and what pauses a registration is master data (IDENTITY/Stages).
"""
