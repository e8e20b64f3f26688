"""Signing in with a browser: requests and responses."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import Field

from duanka.api.schemas.requests import AskedModel, Because
from duanka.api.schemas.staff_responses import PersonShown
from duanka.domain.sign_in import MOST_LETTERS, StaffSession
from duanka.orders.masking import View

_Password = Annotated[
    str, Field(min_length=1, max_length=MOST_LETTERS, json_schema_extra={"format": "password"})
]


class SignInAsked(AskedModel):
    """Login name and password of a person."""

    login: str = Field(min_length=1, max_length=64, examples=["wang.wei"])
    password: _Password


class SignInWays(View):
    """How people sign in at this installation."""

    password: bool
    oidc: bool = Field(description="By an OpenID Connect provider: `GET /session/oidc`.")


class PasswordAsked(AskedModel):
    """Another password for whoever is signed in."""

    present: _Password
    new: _Password = Field(description="12 letters or more, of three kinds; not easily guessed.")


class SecondPersonAsked(Because):
    """Login name and password of a second person, for one act, and why they confirm it."""

    login: str = Field(min_length=1, max_length=64, examples=["li.na"])
    password: _Password


class SessionShown(View):
    """Who is signed in, and until when."""

    person: PersonShown
    begun_at: datetime
    idle_at: datetime = Field(description="When it ends if nothing is asked before.")
    ends_at: datetime = Field(description="When it ends at the latest.")
    must_change: bool = Field(description="The password was generated: change it before anything else.")
    csrf_token: str = Field(description="Send it as `x-csrf-token` with all that changes something.")

    @classmethod
    def told(cls, session: StaffSession, csrf_token: str) -> SessionShown:
        """Convert to a response."""
        return cls(
            person=PersonShown.told(session.person),
            begun_at=session.begun_at,
            idle_at=min(session.idle_at, session.ends_at),
            ends_at=session.ends_at,
            must_change=session.must_change,
            csrf_token=csrf_token,
        )
