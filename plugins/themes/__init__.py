"""Themes: plugins that colour the pages."""
