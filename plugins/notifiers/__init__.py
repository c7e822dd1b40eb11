"""Notifiers: plugins that deliver one notification."""
