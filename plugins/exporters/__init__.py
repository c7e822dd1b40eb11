"""Exporters: plugins that write records elsewhere."""
