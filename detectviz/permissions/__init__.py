"""Who may do what: the permission table, grants, and the one question ``Access`` answers."""
