"""Views of contact points, receivers, routing and deliveries."""
