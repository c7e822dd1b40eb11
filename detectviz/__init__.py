"""Detectviz: the framework. It knows contracts, never an app and never a plugin."""

__version__ = "0.1.0"
