"""Pages of the whole: overview and system health."""
