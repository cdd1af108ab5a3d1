"""Messages to people, made from templates when a report changes state: stored, shown, and sent where a gateway is set."""
