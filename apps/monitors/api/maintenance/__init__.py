"""Maintenance windows over REST."""
