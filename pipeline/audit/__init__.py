"""What people do besides changing a report's state: sign-in, reveal, export, settings. Append-only."""
