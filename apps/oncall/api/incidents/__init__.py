"""Incidents as resources."""
