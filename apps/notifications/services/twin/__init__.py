"""The digital twin: what a window of alerts would have told, by one configuration or another."""
