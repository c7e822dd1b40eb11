"""Importers: plugins that read records from elsewhere."""
