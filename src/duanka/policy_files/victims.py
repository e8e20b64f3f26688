"""Model of a policy file's table `[victims]`."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, PlainValidator, TypeAdapter, model_validator

from duanka.domain.age_band import AgeBand
from duanka.domain.fraud_kind import FraudKind
from duanka.domain.victim_policy import DangerStep, VictimPolicy
from duanka.domain.victims import DangerSign
from duanka.policy_files.store import KeptDays
from duanka.policy_files.tables import Distinct, ListOf, TomlTable, fault, must_be, one_of

_SHIPPED = VictimPolicy()

Count = Annotated[int, Field(ge=1, le=1000), must_be("a whole number from 1 to 1000")]
Points = Annotated[int, Field(ge=0, le=100), must_be("a whole number from 0 to 100")]
WholeHours = Annotated[int, Field(ge=1, le=720), must_be("a whole number from 1 to 720")]
WholeMinutes = Annotated[int, Field(ge=1, le=1440), must_be("a whole number from 1 to 1440")]
LookBack = Annotated[int, Field(ge=1, le=180), must_be("a whole number from 1 to 180")]
Percent = Annotated[int, Field(ge=1, le=100), must_be("a whole number from 1 to 100")]
Seconds = Annotated[int, Field(ge=1, le=3600), must_be("a whole number from 1 to 3600")]
_POINTS = TypeAdapter(dict[str, Points])


class _MinutesTable(TomlTable):
    SHAPE = "{ minutes = 3, points = 1 }"

    minutes: WholeMinutes = Field(default=None, validate_default=True)
    points: Points = Field(default=None, validate_default=True)


class _HoursTable(TomlTable):
    SHAPE = "{ hours = 6, points = 2 }"

    hours: WholeHours = Field(default=None, validate_default=True)
    points: Points = Field(default=None, validate_default=True)


def _minutes(given: object) -> DangerStep:
    found = _MinutesTable.model_validate(given)
    return DangerStep(found.minutes, found.points)


def _hours(given: object) -> DangerStep:
    found = _HoursTable.model_validate(given)
    return DangerStep(found.hours, found.points)


def _points(given: object) -> dict[DangerSign, int]:
    found = _POINTS.validate_python(given)
    for name in found:
        if name not in _SHIPPED.points:
            raise fault(f"does not know the sign {name!r:.40}; it knows {', '.join(_SHIPPED.points)}")
    return dict(_SHIPPED.points) | {DangerSign(name): points for name, points in found.items()}


class VictimsTable(TomlTable):
    """`[victims]`: the fields of VictimPolicy."""

    hours: WholeHours = _SHIPPED.hours
    watch_hours: WholeHours = _SHIPPED.watch_hours
    after_minutes: WholeMinutes = _SHIPPED.after_minutes
    look_back_days: LookBack = _SHIPPED.look_back_days
    family_days: LookBack = _SHIPPED.family_days
    ring_percent: Percent = _SHIPPED.ring_percent
    least_seconds: Seconds = _SHIPPED.least_seconds
    call_minutes: ListOf[Annotated[DangerStep, PlainValidator(_minutes)]] = _SHIPPED.call_minutes
    recent_hours: ListOf[Annotated[DangerStep, PlainValidator(_hours)]] = _SHIPPED.recent_hours
    talk_minutes: WholeMinutes = _SHIPPED.talk_minutes
    repeated: Count = _SHIPPED.repeated
    repeated_seconds: Seconds = _SHIPPED.repeated_seconds
    several_cards: Count = _SHIPPED.several_cards
    points: Annotated[dict[DangerSign, int], PlainValidator(_points)] = Field(
        default_factory=lambda: dict(_SHIPPED.points)
    )
    warn_points: Points = _SHIPPED.warn_points
    call_points: Points = _SHIPPED.call_points
    ages: Distinct[Annotated[AgeBand, one_of(*AgeBand)]] = _SHIPPED.ages
    large_frauds: Distinct[Annotated[FraudKind, one_of(*FraudKind)]] = _SHIPPED.large_frauds
    escalate_after: Count = _SHIPPED.escalate_after
    claim_minutes: WholeMinutes = _SHIPPED.claim_minutes
    keep_days: KeptDays = _SHIPPED.keep_days
    batch: Count = _SHIPPED.batch
    window: Count = _SHIPPED.window

    @model_validator(mode="after")
    def _called_are_warned(self) -> Self:
        if not 0 < self.warn_points <= self.call_points:
            raise ValueError("[victims] needs 0 < warn_points <= call_points: who is called was warned")
        return self
