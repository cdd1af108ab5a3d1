"""The bodies that we parse, as models: shape, type, length and range. What a value means is for the room that takes it."""
