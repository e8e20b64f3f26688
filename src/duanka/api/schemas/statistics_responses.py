"""Responses about the installation: figures, alarms, drifts, audit trail, health."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from duanka.api.schemas.responses import ShownModel, ShownNumber


class CountedShown(ShownModel):
    """Refused calls or messages, by reason."""

    carried: str
    reason: str
    count: int


class FiguresShown(ShownModel):
    """What was done in a period (统计)."""

    since: datetime
    until: datetime
    handled: int = Field(
        description="Distinct numbers with an order that ended (处置涉诈号码); each counts once."
    )
    handled_by: dict[str, int]
    opened: dict[str, int]
    refused: list[CountedShown]
    alarms: int
    drifts: int
    drifts_repaired: int


class HandledShown(ShownModel):
    """A handled number, and its order that ended first."""

    phone_number: ShownNumber
    order_id: str
    what: str
    at: datetime


class HandledNumbers(ShownModel):
    """A page of handled numbers."""

    items: list[HandledShown]
    next: str | None


class AlarmShown(ShownModel):
    """An alarm (告警)."""

    source: str
    since: datetime
    raised_at: datetime
    cleared_at: datetime | None
    detail: str


class Alarms(ShownModel):
    """Alarms, the latest first."""

    items: list[AlarmShown]


class DriftShown(ShownModel):
    """A difference between the network and the orders (状态不一致)."""

    element: str
    phone_number: ShownNumber
    wanted: str
    found: str
    found_at: datetime
    repaired_at: datetime | None


class Drifts(ShownModel):
    """Drifts, the latest first."""

    items: list[DriftShown]


class FaultShown(ShownModel):
    """Where the audit trail is broken."""

    seq: int
    what: str


class Verification(ShownModel):
    """Whether the audit trail is intact (审计链校验)."""

    holds: bool
    rows: int
    faults: list[FaultShown] = Field(description="The first hundred.")
    verified_at: datetime


class Health(ShownModel):
    """State of the installation."""

    status: str = Field(
        description="`up`; `degraded`: something is not set up, and waits; `failing`.", examples=["up"]
    )
    database: str = Field(
        description="`up`: it can be written, and its tables fit; else `down`.", examples=["up"]
    )
    reasons: list[str] = Field(
        description="What does not work or is not set up; no number and no secret is among it.", examples=[[]]
    )
