"""What targets expose, read into columns."""
