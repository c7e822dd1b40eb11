"""What senders push, turned into columns for a series store. No Django."""
