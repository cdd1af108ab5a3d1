"""The write side of SDCRS: rooms from the ground up, each importing only those below it."""
