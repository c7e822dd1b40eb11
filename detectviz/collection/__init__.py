"""The collection engine: runs checks continuously in one event loop. No Django."""
