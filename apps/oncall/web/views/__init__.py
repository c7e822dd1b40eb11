"""Views of on-call duty."""
