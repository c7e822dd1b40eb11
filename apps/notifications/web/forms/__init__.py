"""Forms of contact points and routes."""
