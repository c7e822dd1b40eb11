"""REST made from the registry."""
