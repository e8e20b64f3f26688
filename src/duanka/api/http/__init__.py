"""Common parts of all requests: authentication, limits, headers, OpenAPI."""
