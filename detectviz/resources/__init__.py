"""One registration per resource kind; REST, YAML, OpenAPI, RBAC and audit follow from it."""
