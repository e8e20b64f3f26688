"""What the OpenAPI description says beyond the endpoints themselves: what holds for every one of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from threading import Lock
from typing import Any

from fastapi import FastAPI

from duanka.api.http.middleware import CORRELATOR
from duanka.api.schemas.errors import CODES, MEANINGS, ErrorInfo
from duanka.api.schemas.holder_requests import Frames, Recording
from duanka.domain.order_policy import OrderPolicy

_ALWAYS = (400, 429, 500, 503)
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
# The endpoints are the same in every API of a process, and what a policy leaves to choose are the hardships: half a
# second of work is done once for each, and not again where `serve` starts its API anew.
_MADE: dict[tuple[str, ...], dict[str, Any]] = {}
_MAKING = Lock()
_WITH = {401: ("WWW-Authenticate",), 429: ("Retry-After",), 503: ("Retry-After",)}


def errors(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The error answers of an endpoint: those that every one has, and `statuses`."""
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
        for status in sorted({*_ALWAYS, *statuses})
    }


def describe(api: FastAPI, policy: OrderPolicy) -> None:
    """Let the description of `api` say what holds for all endpoints, and what `policy` leaves to choose."""
    made = api.openapi

    def openapi() -> dict[str, Any]:
        if api.openapi_schema is None:
            with _MAKING:
                found = _MADE.get(policy.hardships)
                if found is None:
                    found = _MADE[policy.hardships] = _whole(made(), policy.hardships)
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
    """What an endpoint reads itself, and the framework therefore knows nothing of."""
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
        del answers["422"]  # what the framework would say; ours is 400
    for status, told in answers.items():
        names = ("x-correlator", *_WITH.get(int(status), ()))
        told["headers"] = {name: dict(_HEADERS[name]) for name in names}
