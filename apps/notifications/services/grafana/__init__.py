"""Grafana's alerting files: contact points, policies, times and templates, and back."""
