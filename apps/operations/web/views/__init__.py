"""Views of the whole: overview, system health, events, modules."""
