"""Pages about datasources."""
