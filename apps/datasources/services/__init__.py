"""What is decided about datasources."""
