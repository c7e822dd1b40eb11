"""The decisions of alerting, one module per noun."""
