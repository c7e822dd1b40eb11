"""The only way out: guarded, capped and timed network access. No Django."""
