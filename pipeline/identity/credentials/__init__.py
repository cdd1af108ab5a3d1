"""Credentials: the generator's requests, the service that issues, and what becomes of each issuance."""
