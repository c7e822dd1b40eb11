"""Time series: the embedded store and remote backends behind one interface. No Django."""
