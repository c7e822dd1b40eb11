<<<<<<< HEAD
"""Pages of contact points, routing and deliveries."""
=======
"""Pages of notifications."""
>>>>>>> 5e765e8 (Show who is told: contact points, the routing tree, the delivery log)
