"""Which org a query belongs to."""
