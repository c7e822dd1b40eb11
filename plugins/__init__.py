"""Built-in plugins, one folder each below their kind; found by manifest, loaded when used."""
