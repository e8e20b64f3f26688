"""Responses to a holder: their order, and the progress of online verification."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from duanka.api.schemas.holder_texts import HolderClock
from duanka.domain.identity import CheckReason, Gesture, QueuePlace, SessionStage, VerificationProgress
from duanka.domain.order import State
from duanka.domain.text import BilingualText
from duanka.orders.masking import IN_FULL, View
from duanka.orders.stop_texts import StopTextShown
from duanka.orders.verification.links import LinkState
from duanka.orders.views import GroundsShown, WordsShown


def policy_text(words: BilingualText) -> WordsShown:
    """Return a policy text unmasked: it may name the operator's own telephone numbers."""
    return WordsShown.of(words, IN_FULL)


class OnlineShown(View):
    """Online verification: whether it is available, who checks, what to agree to."""

    OURS = View.OURS | {"supplier", "words_digest"}

    open: bool = Field(description="Whether it can go on online.", examples=[True])
    why: WordsShown | None = Field(description="Why not; null: it is open.")
    stage: SessionStage | None = Field(
        description="Where it is; null: nobody judges online.", examples=["ready"]
    )
    left: int = Field(description="Failures that still may follow before the counter.", examples=[3])
    supplier: str | None = Field(description="Who judges the pictures.", examples=["Duanka embedded"])
    face_consent: WordsShown = Field(description="The consent to face data (人脸信息采集同意).")
    legal_notice: WordsShown = Field(description="The legal notice (法律责任告知).")
    words_digest: str = Field(
        description="Of these texts and who judges; give it back with the consent.",
        examples=["9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"],
    )


class DeadlineShown(View):
    """How long the holder has."""

    clock: HolderClock = Field(
        description="until (the moment `at`), from_notice (the hours begin with the delivery of the notice), stopped "
        "(no hours run), over (too late; being verified still counts).",
        examples=["until"],
    )
    at: datetime | None = Field(description="The moment; null: there is none.")

    @classmethod
    def found(cls, found: tuple[HolderClock, datetime | None]) -> DeadlineShown:
        """Convert the result of `deadline`."""
        return cls(clock=found[0], at=found[1])


class NotMineShown(View):
    """Saying: this number is not mine (这个号码不是我办的)."""

    OURS = View.OURS | {"words_digest"}

    said: State | None = Field(
        description="Of what was said: claimed (nothing is stopped for it yet); null: nothing.",
        examples=["claimed"],
    )
    order_id: str | None = Field(description="Its number, for the counter.", examples=["D0123456789AB"])
    statement: WordsShown = Field(description="What whoever says so declares (声明).")
    words_digest: str = Field(
        description="Of the consent to face data, the statement and who judges; give it back with `notMine`.",
        examples=["9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"],
    )
    days: int = Field(description="From the stop until the card is cancelled.", examples=[7])


class OwnOrder(View):
    """A holder's own order, as they see it."""

    OURS = View.OURS | {"hotline", "short_code"}

    order_id: str
    link: LinkState = Field(
        description="Whose the link is: open (nobody agreed by it), yours, elsewhere (another browser's; "
        "`requestLink` sends a new one to the number)."
    )
    phone_number_ending: str = Field(description="The last four digits.", examples=["0000"])
    state: State = Field(description="Of the verification (实人核验).")
    restriction: State | None = Field(description="How the card is restricted (停机状态); null: it is not.")
    restricted: WordsShown | None = Field(description="The same in words; null: it is not.")
    grounds: GroundsShown
    stop_text: StopTextShown | None = Field(
        description="The text of the stop, as desk, counter and court have it; null: nothing stops the card."
    )
    rules: list[str] = Field(description="The rules that led to it.")
    opened_at: datetime
    due_at: datetime | None = Field(description="Until when to answer.")
    deadline: DeadlineShown
    otherwise: WordsShown = Field(description="What happens if nothing is done (逾期后果).")
    answer_within_hours: float = Field(description="From delivery of the notice.")
    until: datetime | None = Field(description="Until when the card is restricted, if that is a day.")
    online: OnlineShown
    not_mine: NotMineShown
    objection: State | None = Field(description="Of your objection (异议), if there is one.")
    objection_id: str | None = Field(
        description="Its number; null: there is none.", examples=["O7K2M9QX4T1B"]
    )
    objection_open: bool = Field(description="Whether it is still to be answered; another one would join it.")
    objection_days: int = Field(
        description="Working days within which an objection is answered.", examples=[5]
    )
    operator: WordsShown
    counter: WordsShown
    hotline: str
    short_code: str
    never_asked: WordsShown = Field(description="What nobody of us ever asks for.")
    now: datetime = Field(description="The time here: a phone's own clock can be wrong.")


class LinkSent(View):
    """A message with a new link is on its way."""

    phone_number_ending: str = Field(
        description="The last four digits of the number that it goes to.", examples=["0000"]
    )


class SessionBegun(View):
    """A session from consent to verdict. Its token is returned only here."""

    OURS = View.OURS | {"session_token"}

    session_token: str = Field(examples=["q3vJ5oW8rXk0…"])
    expires_at: datetime
    stage: SessionStage = Field(examples=["ready"])


class ToCounter(View):
    """Response when consent is refused: go to a counter; no restriction follows."""

    OURS = View.OURS | {"hotline"}

    route: Literal["counter"] = "counter"
    words: WordsShown
    counter: WordsShown
    papers: WordsShown
    due_at: datetime | None
    deadline: DeadlineShown
    hotline: str


class StepShown(View):
    """A gesture, and when it is asked: seconds from the first picture."""

    gesture: Gesture = Field(examples=["turn_left"])
    begins: float = Field(examples=[1.5])
    ends: float = Field(examples=[3.5])
    words: WordsShown


class ChallengeShown(View):
    """The gestures to make, and how to record them."""

    OURS = View.OURS | {"challenge_id"}

    challenge_id: str = Field(examples=["C7Yx1b0PqS2"])
    expires_at: datetime = Field(
        description="Until when the pictures must be here, or the digests that `sendRecording` takes."
    )
    frames: int = Field(description="How many pictures to take.", examples=[31])
    every_milliseconds: int = Field(description="From one picture to the next.", examples=[250])
    seconds: float = Field(description="How long the recording takes.", examples=[7.5])
    rest_seconds: float = Field(description="Looking ahead before the first gesture.", examples=[1.5])
    steps: list[StepShown]


class WaitingShown(View):
    """Estimated waiting time."""

    place: int = Field(description="Checks that come first.", examples=[2])
    seconds: float = Field(description="About so long from now.", examples=[6.0])

    @classmethod
    def found(cls, waiting: QueuePlace | None) -> WaitingShown | None:
        """Convert; None: nothing waits."""
        return cls(place=max(waiting.place, 0), seconds=max(waiting.seconds, 0.0)) if waiting else None


class ReasonShown(View):
    """Why the check did not pass: code, and text with advice."""

    code: CheckReason = Field(examples=["too_dark"])
    words: WordsShown


class PicturesAccepted(View):
    """The pictures have arrived and wait to be checked."""

    stage: SessionStage = Field(examples=["waiting"])
    waiting: WaitingShown | None


class RecordingTaken(View):
    """The recording is known; its pictures wait to be checked, or some are missing."""

    OURS = View.OURS | {"receipt"}

    receipt: str = Field(
        description="Give it back with the same frames: they were recorded in time.",
        examples=["1772438400000000.9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"],
    )
    missing: list[int] = Field(description="Places of the pictures that are not here; none: they wait.")
    stage: SessionStage = Field(examples=["waiting"])
    waiting: WaitingShown | None


class CheckShown(View):
    """Progress of the verification."""

    stage: SessionStage
    reasons: list[ReasonShown]
    left: int = Field(description="Failures that still may follow before the counter.", examples=[2])
    waiting: WaitingShown | None
    restored: bool = Field(description="The card was restricted for this, and is given back (已复通).")
    restriction: State | None = Field(description="How the card is still restricted once it is passed.")
    order: State = Field(description="Of the verification (实人核验).")


def reasons(found: VerificationProgress) -> list[ReasonShown]:
    """Return the reasons of a verdict as a response."""
    return [ReasonShown(code=one, words=WordsShown.of(one.words)) for one in found.reasons]
