"""The HTTP API: orders, cards and figures for people with a key, and a holder's own order by the link of a notice."""

from duanka.api.app import BASE, create_api
from duanka.api.http.dependencies import RequestLimits

__all__ = ["BASE", "RequestLimits", "create_api"]
