"""Samples on their way to a remote backend."""
