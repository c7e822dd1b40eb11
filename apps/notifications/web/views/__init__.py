"""Views of contact points, routing and the delivery log."""
