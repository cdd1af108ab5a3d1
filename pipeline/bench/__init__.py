"""The bench measures this machine: it builds a house of its own, fills it, drives it over HTTP, and prints what it took.

It never touches the configured database. What it drives are the real processes; what it prepares, it prepares through the
same services that people use, except for the mass of existing reports, which are copies of such reports made by SQL.
"""
