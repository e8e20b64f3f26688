"""Look-up of a request's path in the OpenAPI description."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from fastapi import Request

from duanka.api.schemas.errors import Problem


def methods(request: Request) -> set[str]:
    """Return the methods of this path; empty if there is no such path."""
    return {method.upper() for method in _described(request)}


def only_described(request: Request) -> None:
    """Refuse unknown query parameters: `opne=true` must not list everything."""
    if not request.query_params:
        return
    operation = _described(request).get(request.method.lower(), {})
    known = {one["name"] for one in operation.get("parameters", ()) if one["in"] == "query"}
    if set(request.query_params) - known:
        allowed = ", ".join(sorted(known)) or "none"
        raise Problem(400, f"an unknown query parameter; this takes {allowed}")


def _described(request: Request) -> Mapping[str, Any]:
    """Return the path item; of two that match, the one without a parameter."""
    path, described = request.url.path, request.app.openapi()["paths"]
    fits = [one for one in described if re.fullmatch(re.sub(r"{[^}]+}", "[^/]+", one), path)]
    found: Mapping[str, Any] = described[min(fits, key=lambda one: one.count("{"))] if fits else {}
    return found
