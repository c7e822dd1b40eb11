"""Tools: plugins that operators run on demand."""
