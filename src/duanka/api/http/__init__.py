"""What holds for every HTTP request: who asks, limits, headers, the OpenAPI description."""
