"""Errors in CAMARA's format {status, code, message}; mapping from DuankaError."""

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

from duanka.domain.bulk_action import MalformedCard
from duanka.domain.case_file import UnknownCase
from duanka.domain.clue import UnknownClue
from duanka.domain.device_id import MalformedDevice
from duanka.domain.errors import DuankaError
from duanka.domain.identity import CheckReason, CheckRefused, MalformedOrderNumber
from duanka.domain.identity_provider import IdentityRefused, ProviderUnavailable
from duanka.domain.linked_accounts import MalformedAnswer, UnknownAccountRequest
from duanka.domain.listing import ListingNeedsAnother, UnknownListing, UnknownRun
from duanka.domain.order import (
    AlreadyUsed,
    NeedsSecondPerson,
    PermissionDenied,
    ProtectedCard,
    TooManyTries,
    UnknownOrder,
)
from duanka.domain.phone_masking import masked_text
from duanka.domain.ring_lookups import NotLinked, TooManyRings
from duanka.domain.sign_in import SignInRefused, WrongPassword
from duanka.domain.victims import UnknownVictim
from duanka.orders.views import WordsShown

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
    401: "No key, link or session, or one that is unknown, used up or over.",
    403: "The role of the key may not do that, or not alone.",
    404: "There is no such thing.",
    405: "The resource has no such method.",
    409: "The state does not allow it; the message says what it allows.",
    413: "The body, or a picture in it, is larger than allowed.",
    422: "The number is protected (emergency, hotlines, police): no order may touch it.",
    429: "Too many requests; try again after `Retry-After` seconds.",
    500: "A defect of ours. Tell us the `x-correlator`.",
    503: "The order database or the face check does not answer, or too many wait; `Retry-After` says how long.",
}


class ErrorInfo(BaseModel):
    """What went wrong, and what to do about it."""

    status: int = Field(description="The HTTP status.", examples=[409])
    code: str = Field(description="The kind of error, as CAMARA names it.", examples=["CONFLICT"])
    message: str = Field(
        description="What it was in particular, and the next step.",
        examples=["a verification that is passed cannot withdraw; it is closed"],
    )
    reason: CheckReason | None = Field(
        default=None,
        description="Why pictures are not looked at, or no challenge is drawn.",
        examples=["expired"],
    )
    words: WordsShown | None = Field(default=None, description="What the holder is told of `reason`.")


class Problem(Exception):
    """Ends a request with an error response."""

    def __init__(self, status: int, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status, self.message, self.headers = status, message, dict(headers or {})


class TooLarge(HTTPException):
    """Ends the reading of a body over its limit; `reason`: told to a holder."""

    def __init__(self, limit: int, reason: CheckReason | None = None) -> None:
        super().__init__(413, f"a body may have {limit} bytes; send less at once")
        self.reason = reason

    def answer(self) -> JSONResponse:
        """Return the error response."""
        return answer(413, str(self.detail), reason=self.reason)


def unauthenticated(message: str) -> Problem:
    """Return a 401: missing or invalid credentials."""
    return Problem(401, message, {"WWW-Authenticate": "Bearer"})


def too_many(seconds: int) -> Problem:
    """Return a 429 with the seconds to wait."""
    return Problem(429, f"too many requests; try again after {seconds} s", {"Retry-After": str(seconds)})


def answer(
    status: int, message: str, headers: Mapping[str, str] | None = None, reason: CheckReason | None = None
) -> JSONResponse:
    """Return an error response, numbers masked; `reason` adds the holder's text."""
    told: dict[str, Any] = {
        "status": status,
        "code": CODES.get(status, "INVALID_ARGUMENT"),
        "message": masked_text(message),
    }
    if reason:
        told |= {"reason": reason.value, "words": {"zh": reason.words.zh, "en": reason.words.en}}
    return JSONResponse(told, status, dict(headers or {}))


def add_problems(api: FastAPI, methods: Callable[[Request], Collection[str]]) -> None:
    """Handle all errors of `api` alike; `methods`: returns the methods of a path."""

    @api.exception_handler(Problem)
    def told(_: Request, problem: Problem) -> JSONResponse:
        return answer(problem.status, problem.message, problem.headers)

    @api.exception_handler(CheckRefused)
    def refused(_: Request, error: CheckRefused) -> JSONResponse:
        status = _REFUSED.get(error.reason, 409)
        if error.reason is CheckReason.NOT_AVAILABLE and not error.wait:
            status = 409  # not now and not soon: verification is at the counter
        headers = {"Retry-After": str(max(error.wait, 1))} if status in (429, 503) else None
        return answer(status, str(error), headers, error.reason)

    @api.exception_handler(TooLarge)
    def too_large(_: Request, error: TooLarge) -> JSONResponse:
        return error.answer()

    @api.exception_handler(DuankaError)
    def ours(_: Request, error: DuankaError) -> JSONResponse:
        status = next((status for kind, status in _STATUS if isinstance(error, kind)), 409)
        return answer(status, str(error), _HEADERS.get(status))

    @api.exception_handler(RequestValidationError)
    def invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        return answer(400, "; ".join(_in_words(one) for one in error.errors()[:5]))

    @api.exception_handler(HTTPException)
    def framework(request: Request, error: HTTPException) -> JSONResponse:
        headers = dict(error.headers or {})
        if error.status_code == 405 and (all_ := methods(request)):
            headers["Allow"] = ", ".join(
                sorted(all_)
            )  # the router names the methods of one route, but a path can have several routes
        return answer(error.status_code, str(error.detail), headers)

    @api.exception_handler(OperationalError)
    @api.exception_handler(InterfaceError)
    @api.exception_handler(NoConnection)
    def database(_: Request, error: Exception) -> JSONResponse:
        _log.error("the order database does not answer: %s", type(error).__name__)
        return answer(503, "the order database does not answer; try again", {"Retry-After": "1"})


# other reasons give 409, as the state forbids it: challenge expired, no attempt left
_REFUSED = {
    CheckReason.BUSY: 503,
    CheckReason.NOT_AVAILABLE: 503,
    CheckReason.TOO_LARGE: 413,
    CheckReason.TOO_SOON: 429,
}
# the first match counts; any other DuankaError means that the state does not allow it
_STATUS: tuple[tuple[type[DuankaError], int], ...] = (
    (MalformedCard, 400),
    (MalformedDevice, 400),
    (MalformedOrderNumber, 400),
    (UnknownOrder, 404),
    (UnknownCase, 404),
    (UnknownClue, 404),
    (UnknownVictim, 404),
    (UnknownAccountRequest, 404),
    (UnknownRun, 404),
    (UnknownListing, 404),
    (MalformedAnswer, 400),
    (PermissionDenied, 403),
    (NeedsSecondPerson, 403),
    (ListingNeedsAnother, 403),
    (TooManyTries, 429),
    (ProtectedCard, 422),
    (AlreadyUsed, 401),
    (SignInRefused, 401),
    (IdentityRefused, 403),
    (ProviderUnavailable, 503),
    (WrongPassword, 403),
    (NotLinked, 404),
    (TooManyRings, 503),
)
_HEADERS: Mapping[int, Mapping[str, str]] = {
    401: {"WWW-Authenticate": "Bearer"},
    429: {"Retry-After": "3600"},  # tries count for a day
    503: {"Retry-After": "1"},
}


def _in_words(error: Mapping[str, Any]) -> str:
    """Say where and what is wrong, never the value, which may be a number or secret."""
    where = ".".join(str(part) for part in error["loc"][1:]) or str(error["loc"][0])
    return f"{where}: {error['msg']}"
