"""Grafana's alerting files: the rules in them, to our rule groups and back."""
