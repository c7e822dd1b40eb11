"""Doors of the whole."""
