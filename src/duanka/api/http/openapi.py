"""OpenAPI description: parts common to all endpoints, and look-up of a request."""

from __future__ import annotations

import re
from collections.abc import Mapping
from threading import Lock
from typing import Any

from fastapi import FastAPI, Request
from pydantic import BaseModel

from duanka.api.http.dependencies import BASE, OIDC_CALLBACK
from duanka.api.http.middleware import CORRELATOR
from duanka.api.schemas.errors import CODES, MEANINGS, ErrorInfo, Problem
from duanka.api.schemas.holder_requests import Frames, Recording
from duanka.domain.order_policy import OrderPolicy

KEY_SCHEME, COOKIE_SCHEME = (
    "apiKey",
    "sessionCookie",
)  # of staff; holders have a link or a session of their own
CSRF_HEADER, BACKGROUND_HEADER = "x-csrf-token", "x-background"
_COMMON_STATUSES = (400, 429, 500, 503)
_CORRELATOR = {
    "name": "x-correlator",
    "in": "header",
    "required": False,
    "description": "Identifies the request in both systems' logs; returned as sent, or else generated.",
    "schema": {"type": "string", "pattern": CORRELATOR, "example": "b4333c46-49c0-4f62-80d7-f0ef930f1c46"},
}
_CSRF = {
    "name": CSRF_HEADER,
    "in": "header",
    "required": False,
    "description": "With the session's cookie: the token that `getSession` gives. Not with a key.",
    "schema": {"type": "string"},
}
_BACKGROUND = {
    "name": BACKGROUND_HEADER,
    "in": "header",
    "required": False,
    "description": "`true`: a page asks by itself, and does not keep anybody signed in.",
    "schema": {"type": "string"},
}
_HEADERS: Mapping[str, Mapping[str, Any]] = {
    "x-correlator": {
        "description": "As sent, or else generated.",
        "required": True,
        "schema": {"type": "string", "pattern": CORRELATOR},
    },
    "Retry-After": {
        "description": "Seconds to wait.",
        "required": True,
        "schema": {"type": "integer", "minimum": 1},
    },
    "WWW-Authenticate": {
        "description": "How to show who you are.",
        "required": True,
        "schema": {"type": "string"},
    },
}
# The descriptions of two APIs in one process differ only in the policy's hardships (reasons for an extension). Building
# one takes half a second, so each is cached under its hardships: `serve` may recreate its API.
_CACHED: dict[tuple[str, ...], dict[str, Any]] = {}
_CACHE_LOCK = Lock()
_READ_BY_HAND = (Frames, Recording)
_STATUS_HEADERS = {401: ("WWW-Authenticate",), 429: ("Retry-After",), 503: ("Retry-After",)}


def errors(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return error responses of an endpoint; `describe` adds those that path, body and security imply."""
    return {status: {"model": ErrorInfo, **_error(status)} for status in statuses}


def _error(status: int) -> dict[str, Any]:
    example = {"status": status, "code": CODES[status], "message": MEANINGS[status]}
    content = {"schema": {"$ref": f"#/components/schemas/{ErrorInfo.__name__}"}, "example": example}
    return {"description": MEANINGS[status], "content": {"application/json": content}}


def json_body(model: type[BaseModel]) -> dict[str, Any]:
    """Describe a body that the endpoint reads itself, for `openapi_extra`; its model is one of `_READ_BY_HAND`."""
    return _body("application/json", {"$ref": f"#/components/schemas/{model.__name__}"})


def _body(media_type: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    return {"requestBody": {"required": True, "content": {media_type: {"schema": schema}}}}


BINARY = {"schema": {"type": "string", "format": "binary"}}  # content of an answer that is a file
BYTES_BODY = _body("application/octet-stream", BINARY["schema"])


def describe(api: FastAPI, policy: OrderPolicy) -> None:
    """Add what all endpoints have in common, and the values that the policy allows."""
    made = api.openapi

    def openapi() -> dict[str, Any]:
        if api.openapi_schema is None:
            with _CACHE_LOCK:
                found = _CACHED.get(policy.hardships)
                if found is None:
                    found = _CACHED[policy.hardships] = _whole(made(), policy.hardships)
            api.openapi_schema = found
        return api.openapi_schema

    api.openapi = openapi  # type: ignore[method-assign]


def _whole(described: dict[str, Any], hardships: tuple[str, ...]) -> dict[str, Any]:
    for path, operations in described["paths"].items():
        for method, operation in operations.items():
            _complete(operation, reads=method in ("get", "head"), about_one="{" in path)
    schemas = described["components"]["schemas"]
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    schemas |= _read_by_hand()
    schemas["Extension"]["properties"]["hardship"]["enum"] = list(hardships)
    return described


def _read_by_hand() -> dict[str, Any]:
    """Describe bodies that endpoints read themselves, unknown to the framework."""
    found: dict[str, Any] = {}
    for model in _READ_BY_HAND:
        schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
        found |= {**schema.pop("$defs"), model.__name__: schema}
    return found


def _complete(operation: dict[str, Any], *, reads: bool, about_one: bool) -> None:
    parameters = operation.setdefault("parameters", [])
    parameters.append(_CORRELATOR)
    answers = operation["responses"]
    if "HTTPValidationError" in str(answers.get("422")):
        del answers["422"]  # the framework's status; ours is 400
    schemes = {name for one in operation.get("security", ()) for name in one}
    if COOKIE_SCHEME in schemes:
        parameters.append(_BACKGROUND if reads else _CSRF)
    staff = bool(schemes & {KEY_SCHEME, COOKIE_SCHEME})
    follow = {401: bool(schemes), 403: staff, 404: about_one, 413: "requestBody" in operation}
    for status in (*_COMMON_STATUSES, *(status for status, follows in follow.items() if follows)):
        answers.setdefault(str(status), _error(status))
    for status, told in answers.items():
        names = ("x-correlator", *_STATUS_HEADERS.get(int(status), ()))
        told["headers"] = {name: dict(_HEADERS[name]) for name in names}


def methods(request: Request) -> set[str]:
    """Return the methods of this path; empty if there is no such path."""
    return {method.upper() for method in _described(request)}


def only_described(request: Request) -> None:
    """Refuse unknown query parameters: a misspelt `opne=true` must not list everything."""
    if not request.query_params or request.url.path == BASE + OIDC_CALLBACK:  # providers add their own
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
