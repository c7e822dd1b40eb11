<<<<<<< HEAD
"""Views of contact points, receivers, routing and deliveries."""
=======
"""Views of contact points, routing and the delivery log."""
>>>>>>> 5e765e8 (Show who is told: contact points, the routing tree, the delivery log)
