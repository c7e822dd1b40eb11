"""Envelope encryption of secrets at rest."""
