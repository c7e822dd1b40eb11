"""Pages of on-call duty."""
