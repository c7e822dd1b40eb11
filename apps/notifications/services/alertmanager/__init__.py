"""Alertmanager's configuration file: to our manifests and back, saying what is lost."""
