"""From an alert to a delivered notification."""
