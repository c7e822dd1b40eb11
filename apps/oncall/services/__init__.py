"""Who is on call, and what follows."""
