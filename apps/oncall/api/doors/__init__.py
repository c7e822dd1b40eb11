"""Doors without sign-in: their secret or signature is the credential."""
