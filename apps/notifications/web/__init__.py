"""Pages of contact points, routing and deliveries."""
