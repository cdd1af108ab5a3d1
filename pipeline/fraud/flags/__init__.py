"""Fraud flags: one for each fired rule that is worth a person's look, from being raised to being resolved."""
