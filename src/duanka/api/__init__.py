"""HTTP API: orders, cards and figures for people with a key; a holder's own order."""

from duanka.api.app import create_api
from duanka.api.http.dependencies import BASE, RequestLimits

__all__ = ["BASE", "RequestLimits", "create_api"]
