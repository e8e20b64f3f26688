"""What detection asks for a card, as orders take it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from duanka.domain.hit_summary import HitSummary
from duanka.domain.person import STAFF as STAFF  # noqa: PLC0414  # who acts is a part of what orders are about
from duanka.domain.person import SYSTEM as SYSTEM  # noqa: PLC0414
from duanka.domain.person import Person as Person  # noqa: PLC0414
from duanka.domain.person import Role as Role  # noqa: PLC0414
from duanka.domain.text import BilingualText, WordedEnum


class RequestedAction(WordedEnum):
    """What a decision asks for."""

    # the card is only watched, or no longer that: what was asked needlessly is taken back
    NOTHING = "nothing", "不处置"
    VERIFY = "verify", "线上核验"
    VERIFY_AT_COUNTER = "verify_at_counter", "到厅核验", "verify at counter"
    STOP = "stop", "停机"  # the police confirmed the card


@dataclass(frozen=True)
class OrderDecision:
    """A decision about a card, as orders take it. `cases`: of the police, for a stop; `reason`: heaviest first.

    `operator`, `city`: of the card.
    `decision`: id of the sealed decision that it comes from, "" for anything else: a stop that might follow is then
    proposed, and no matter of course. `seen_until`: its latest hit, local and naive. `signed_by`: whose signatures
    the cases bear; without one nothing is stopped. `points`: how heavy it is among those of its tier.
    `covers`: what the records cover that it was made of (domain/take.py); `line`: as the file has it.
    """

    card: str
    asked: RequestedAction
    tier: str
    reason: BilingualText
    rules: tuple[str, ...] = ()
    cases: tuple[str, ...] = ()
    operator: str = ""
    city: str = ""

    @property
    def place(self) -> dict[str, str]:
        """Operator and city of the card, where the decision names them, as fields of an order."""
        return {"operator": self.operator, "city": self.city} if self.operator or self.city else {}

    decision: str = ""
    signed_by: tuple[str, ...] = ()
    seen_until: datetime | None = None
    hit_summaries: tuple[HitSummary, ...] = ()
    points: float = 0.0
    covers: Mapping[str, object] | None = None
    line: str = field(default="", repr=False, compare=False)

    @property
    def run(self) -> str:
        """The run whose seal it bears; "" where it bears none."""
        return self.decision.partition(":")[0]

    @property
    def police_stop(self) -> bool:
        """Whether it stops the card by itself: we decided it, on cases that the police signed."""
        return self.asked is RequestedAction.STOP and bool(self.decision and self.signed_by)
