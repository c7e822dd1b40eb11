"""Django's SQLite backend, whose writers take turns and whose times are read at once."""
