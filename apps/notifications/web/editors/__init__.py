"""How the kinds of notifications are edited: a form and a text each."""
