"""Pages of people and programs."""
