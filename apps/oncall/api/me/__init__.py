"""What is the caller's own."""
