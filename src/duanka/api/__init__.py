"""HTTP API: orders, cards and figures for people with a key; a holder's own order."""

from duanka.api.app import api_description, create_api
from duanka.api.http.dependencies import BASE, RequestLimits

__all__ = ["BASE", "RequestLimits", "api_description", "create_api"]
