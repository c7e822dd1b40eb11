"""Processors: plugins that change records on their way."""
