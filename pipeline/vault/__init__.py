"""Persons' names, phones, addresses and accounts: encrypted here, found by keyed hash, and kept nowhere else."""
