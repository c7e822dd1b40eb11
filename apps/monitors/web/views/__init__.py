"""Views of monitors: list, detail, create and edit."""
