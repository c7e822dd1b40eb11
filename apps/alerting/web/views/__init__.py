"""Views of alerts and rule groups."""
