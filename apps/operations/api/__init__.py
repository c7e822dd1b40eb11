"""Doors of the whole, and of pipelines."""
