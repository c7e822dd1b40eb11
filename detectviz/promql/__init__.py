"""PromQL: parser and vectorised evaluation over any series store. No Django."""
