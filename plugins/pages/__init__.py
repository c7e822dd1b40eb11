"""Pages: plugins that add pages, widgets and navigation."""
