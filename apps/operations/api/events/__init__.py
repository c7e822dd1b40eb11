"""Dead letters over REST."""
