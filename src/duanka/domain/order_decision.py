"""The decision about a card, as orders take it from detection."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from duanka.domain.hit_summary import HitSummary
from duanka.domain.text import BilingualText, WordedEnum


class RequestedAction(WordedEnum):
    """The action that a decision requests."""

    # watch, or less: a verification that is no longer needed is withdrawn
    NOTHING = "nothing", "不处置"
    VERIFY = "verify", "线上核验"
    VERIFY_AT_COUNTER = "verify_at_counter", "到厅核验", "verify at counter"
    STOP = "stop", "停机"  # confirmed by the police


@dataclass(frozen=True)
class OrderDecision:
    """A decision about a card, as orders take it. `reason`: heaviest first.

    `cases`: police cases, for a stop. `operator`, `city`: of the card. `id`: of the sealed decision;
    "" without one: a later stop then takes a second person. `seen_until`: latest hit, local and naive.
    `signed_by`: signers of the cases; without one nothing is stopped. `points`: weight within its tier.
    `covers`: coverage of its records (domain/take.py). `line`: the line of the file.
    """

    card: str
    asked: RequestedAction
    tier: str
    reason: BilingualText
    rules: tuple[str, ...] = ()
    cases: tuple[str, ...] = ()
    operator: str = ""
    city: str = ""
    id: str = ""
    signed_by: tuple[str, ...] = ()
    seen_until: datetime | None = None
    hit_summaries: tuple[HitSummary, ...] = ()
    points: float = 0.0
    covers: Mapping[str, object] | None = None
    line: str = field(default="", repr=False, compare=False)

    @property
    def place(self) -> dict[str, str]:
        """Return operator and city of the card, where known, as fields of an order."""
        return {"operator": self.operator, "city": self.city} if self.operator or self.city else {}

    @property
    def run(self) -> str:
        """The run that sealed it; "" if it has no seal."""
        return self.id.partition(":")[0]

    @property
    def police_stop(self) -> bool:
        """Whether it stops the card directly: a sealed decision on signed police cases."""
        return self.asked is RequestedAction.STOP and bool(self.id and self.signed_by)
