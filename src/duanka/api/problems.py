"""Errors as CAMARA writes them: {status, code, message}; which error of ours is which of theirs."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as NoConnection
from starlette.exceptions import HTTPException

from duanka.domain.errors import DuankaError
from duanka.domain.order import (
    AlreadyUsed,
    NeedsSecondPerson,
    NotTheirs,
    ProtectedCard,
    UnknownOrder,
)

_log = logging.getLogger("duanka.api")

CODES: Mapping[int, str] = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    405: "METHOD_NOT_ALLOWED",
    409: "CONFLICT",
    413: "PAYLOAD_TOO_LARGE",
    422: "SERVICE_NOT_APPLICABLE",
    429: "TOO_MANY_REQUESTS",
    500: "INTERNAL",
    503: "UNAVAILABLE",
}
MEANINGS: Mapping[int, str] = {
    400: "The request is not as described.",
    401: "No key or link, or one that is unknown, used up or over.",
    403: "The role of the key may not do that, or not alone.",
    404: "There is no such thing.",
    405: "The resource has no such method.",
    409: "The state does not allow it; the message says what it allows.",
    413: "The body is larger than allowed.",
    422: "The number is protected (emergency, hotlines, police): no order may touch it.",
    429: "Too many requests; try again after `Retry-After` seconds.",
    500: "A defect of ours. Tell us the `x-correlator`.",
    503: "The order database does not answer; try again.",
}


class ErrorInfo(BaseModel):
    """What went wrong, and what to do about it."""

    status: int = Field(description="The HTTP status.", examples=[409])
    code: str = Field(description="The kind of error, as CAMARA names it.", examples=["CONFLICT"])
    message: str = Field(
        description="What it was in particular, and the next step.",
        examples=["a verification that is passed cannot withdraw; it is closed"],
    )


class Problem(Exception):
    """Ends a request with an error."""

    def __init__(self, status: int, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status, self.message, self.headers = status, message, dict(headers or {})


def unauthenticated(message: str) -> Problem:
    """Who asks did not show who they are."""
    return Problem(401, message, {"WWW-Authenticate": "Bearer"})


def too_many(seconds: int) -> Problem:
    """Who asks has to wait."""
    return Problem(429, f"too many requests; try again after {seconds} s", {"Retry-After": str(seconds)})


def answer(status: int, message: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """The answer that tells of an error."""
    return JSONResponse(
        {"status": status, "code": CODES.get(status, "INVALID_ARGUMENT"), "message": message},
        status,
        dict(headers or {}),
    )


def add_problems(api: FastAPI, methods: Callable[[Request], Collection[str]]) -> None:
    """Let every error of `api` be told in the one way; `methods`: what the path of a request has."""

    @api.exception_handler(Problem)
    def told(_: Request, problem: Problem) -> JSONResponse:
        return answer(problem.status, problem.message, problem.headers)

    @api.exception_handler(DuankaError)
    def ours(_: Request, error: DuankaError) -> JSONResponse:
        status = next((status for kind, status in _STATUS if isinstance(error, kind)), 409)
        headers = {"WWW-Authenticate": "Bearer"} if status == 401 else None
        return answer(status, str(error), headers)

    @api.exception_handler(RequestValidationError)
    def invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        return answer(400, "; ".join(_in_words(one) for one in error.errors()[:5]))

    @api.exception_handler(HTTPException)
    def framework(request: Request, error: HTTPException) -> JSONResponse:
        headers = dict(error.headers or {})
        if error.status_code == 405:  # the router names the methods of one route, and a path can have more
            headers["Allow"] = ", ".join(sorted(methods(request)))
        return answer(error.status_code, str(error.detail), headers)

    @api.exception_handler(OperationalError)
    @api.exception_handler(InterfaceError)
    @api.exception_handler(NoConnection)
    def database(_: Request, error: Exception) -> JSONResponse:
        _log.error("the order database does not answer: %s", type(error).__name__)
        return answer(503, "the order database does not answer; try again", {"Retry-After": "1"})


# the first that fits; any other error of ours is a state that does not allow it
_STATUS: tuple[tuple[type[DuankaError], int], ...] = (
    (UnknownOrder, 404),
    (NotTheirs, 403),
    (NeedsSecondPerson, 403),
    (ProtectedCard, 422),
    (AlreadyUsed, 401),
)


def _in_words(error: Mapping[str, Any]) -> str:
    """Where it is and what is wrong; never what was sent, which can be a number or a secret."""
    where = ".".join(str(part) for part in error["loc"][1:]) or str(error["loc"][0])
    return f"{where}: {error['msg']}"
