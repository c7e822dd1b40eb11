"""Pages of plugins, and what pages show of them."""
