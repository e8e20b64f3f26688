"""Bodies of requests and responses, and errors as the API writes them."""
