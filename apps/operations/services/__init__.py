"""What running the platform takes."""
