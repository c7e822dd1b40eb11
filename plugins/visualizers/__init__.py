"""Visualizers: plugins that make drawings of frames."""
