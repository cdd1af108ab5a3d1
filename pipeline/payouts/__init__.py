"""Payouts: what the state owes a teacher for a captured dog, and how it is paid, proved and reconciled.

One obligation per report, attempts below it, each with the exact request it sent. Nothing here may call the provider
with a database transaction open, or take silence for failure. `sandbox/` is the provider's stand-in and imports nothing
of ours: the two sides know each other by HTTP only.
"""
