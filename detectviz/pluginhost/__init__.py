"""Finds, checks and loads plugins; knows what their configuration may hold. No Django."""
