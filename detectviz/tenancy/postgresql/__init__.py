"""Django's PostgreSQL backend, telling the server for which org a statement runs."""
