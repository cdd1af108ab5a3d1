"""Reaching Postgres: the engine and its transactions, migrations, partitions, and the embedded server."""
