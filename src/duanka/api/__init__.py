"""HTTP API: orders, cards and figures for people with a key; a holder's own order."""

from duanka.api.app import BASE, create_api
from duanka.api.http.dependencies import RequestLimits

__all__ = ["BASE", "RequestLimits", "create_api"]
