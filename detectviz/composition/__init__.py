"""One YAML file says what a deployment is made of."""
