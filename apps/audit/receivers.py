"""Listen to what happens."""
