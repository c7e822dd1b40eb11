"""Processes: what runs where, in which order it starts, and how it stops."""
