"""OpenAPI description: additions that hold for all endpoints."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from threading import Lock
from typing import Any

from fastapi import FastAPI

from duanka.api.http.middleware import CORRELATOR
from duanka.api.schemas.errors import CODES, MEANINGS, ErrorInfo
from duanka.api.schemas.holder_requests import Frames, Recording
from duanka.domain.order_policy import OrderPolicy

_COMMON_STATUSES = (400, 429, 500, 503)
_CORRELATOR = {
    "name": "x-correlator",
    "in": "header",
    "required": False,
    "description": "Names the request in both systems' logs; comes back as it was sent, or is made.",
    "schema": {"type": "string", "pattern": CORRELATOR, "example": "b4333c46-49c0-4f62-80d7-f0ef930f1c46"},
}
_HEADERS: Mapping[str, Mapping[str, Any]] = {
    "x-correlator": {
        "description": "As it was sent, or made.",
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
_STATUS_HEADERS = {401: ("WWW-Authenticate",), 429: ("Retry-After",), 503: ("Retry-After",)}


def errors(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the error responses of an endpoint: the common ones and `statuses`."""
    return {
        status: {
            "model": ErrorInfo,
            "description": MEANINGS[status],
            "content": {
                "application/json": {
                    "example": {"status": status, "code": CODES[status], "message": MEANINGS[status]}
                }
            },
        }
        for status in sorted({*_COMMON_STATUSES, *statuses})
    }


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
    for operation in _operations(described):
        _complete(operation)
    schemas = described["components"]["schemas"]
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    schemas |= _read_by_hand()
    schemas["Extension"]["properties"]["hardship"]["enum"] = list(hardships)
    return described


def _read_by_hand() -> dict[str, Any]:
    """Describe bodies that endpoints read themselves, unknown to the framework."""
    found: dict[str, Any] = {}
    for model in (Frames, Recording):
        schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
        found |= {**schema.pop("$defs"), model.__name__: schema}
    return found


def _operations(described: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for path in described["paths"].values():
        yield from path.values()


def _complete(operation: dict[str, Any]) -> None:
    operation.setdefault("parameters", []).append(_CORRELATOR)
    answers = operation["responses"]
    if "HTTPValidationError" in str(answers.get("422")):
        del answers["422"]  # the framework's status; ours is 400
    for status, told in answers.items():
        names = ("x-correlator", *_STATUS_HEADERS.get(int(status), ()))
        told["headers"] = {name: dict(_HEADERS[name]) for name in names}
