"""Collectors: plugins that check one target."""
