"""Watchdogs: the kind, and the door its receivers call back."""
