"""Doors of on-call duty."""
