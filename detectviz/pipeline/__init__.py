"""Records from one place to others, through processors, without filling the memory."""
