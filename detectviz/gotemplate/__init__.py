"""A capped, sandboxed subset of Go's text/template. No Django."""
