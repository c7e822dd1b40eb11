"""How the kinds of on-call are edited: the forms, and the texts they begin with."""
