"""Clues for the police, as the API takes and shows them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from pydantic import Field, StrictBool

from duanka.api.schemas.requests import ORDER_ID, AskedModel, PhoneNumber, Why, clue_path, recipient_path
from duanka.casework.clues.answers import Answer, Answered
from duanka.casework.clues.files.manifest import ManifestFault, ManifestFinding
from duanka.casework.clues.recipients import Recipient
from duanka.casework.clues.service import ClueCard, CluePage
from duanka.domain.clue import Clue, ClueState, Standing
from duanka.domain.fraud_kind import FraudKind
from duanka.domain.phone_masking import masked_card
from duanka.ledger.people.sealed_proposals import ProposalState
from duanka.orders.masking import IN_FULL, View

_ANY = r"^[^\x00-\x1f\x7f]+$"
_MOST_CARDS = 5_000
_MOST_CERTIFICATE = 20_000  # letters
TheClue = Annotated[str, clue_path("clueId", "The clue (线索).")]
TheRecipient = Annotated[str, recipient_path("recipientId", "The recipient (收件机关).")]


class ClueBuilt(AskedModel):
    """A clue to build of an open case (编制线索)."""

    case_id: Annotated[str, Field(pattern=f"^C{ORDER_ID}")] = Field(examples=["C0123456789AB"])
    recipient: Annotated[str, Field(max_length=60)] = Field(
        default="", description="Id or name of who gets it; needed if there are several."
    )
    why: Why


class ClueFileAsked(AskedModel):
    """One of our own files of a clue, masked."""

    file: Annotated[str, Field(pattern=r"^[a-z]+\.[a-z.]+$", max_length=40)] = Field(
        description="dossier.pdf, bundle.json, cards.csv, manifest.json or manifest.json.sig.",
        examples=["dossier.pdf"],
    )
    why: Why


class ClueAnswerAsked(AskedModel):
    """The answer of the police (反馈). A confirmation needs the number of their case."""

    confirmed: Annotated[list[PhoneNumber], Field(max_length=_MOST_CARDS)] = []
    refuted: Annotated[list[PhoneNumber], Field(max_length=_MOST_CARDS)] = []
    case_number: Annotated[str, Field(max_length=64)] = Field(default="", examples=["A2026-18"])
    fraud_kind: FraudKind | None = None
    stop: StrictBool = Field(default=False, description="Also stop the confirmed cards, as a police stop.")
    why: Why

    def answer(self) -> Answer:
        """Return it for the service."""
        return Answer(
            tuple(self.confirmed),
            tuple(self.refuted),
            self.case_number,
            self.fraud_kind.value if self.fraud_kind else "",
            self.stop,
        )


class SignedAnswerAsked(AskedModel):
    """An answer that a source of police cases signed, as it came."""

    content: Annotated[
        str, Field(min_length=2, max_length=200_000, description="The JSON, letter by letter.")
    ]
    signature: Annotated[str, Field(pattern=r"^[A-Za-z0-9+/=\s]+$", max_length=200)] = Field(
        description="Ed25519 of its UTF-8 bytes, Base64."
    )
    why: Why


class RecipientAsked(AskedModel):
    """Who is to get clues (收件机关)."""

    name: Annotated[str, Field(pattern=_ANY, max_length=60)] = Field(examples=["石门市公安局"])
    certificate: Annotated[str, Field(max_length=_MOST_CERTIFICATE)] = Field(description="X.509 (RSA), PEM.")
    address: Annotated[str, Field(pattern=_ANY, max_length=300)] = Field(
        examples=["sftp://duanka@police.example:22/inbox"]
    )


class ClueShown(View):
    """A clue (线索): counts, and no card."""

    id: str = Field(examples=["L0123456789AB"])
    case_id: str = Field(examples=["C0123456789AB"])
    title: str
    state: ClueState
    recipient: str = Field(examples=["E0123456789AB"])
    cards: int
    confirmed: int = Field(description="Confirmed by the police (涉案) when it was built.")
    digest: str = Field(description="SHA-256 of the police's files before they were encrypted.")
    has_full: bool = Field(description="Whether these are still here, encrypted to the police's certificate.")
    built_by: str
    built_at: datetime
    updated_at: datetime
    reviewed_by: str | None
    reviewed_at: datetime | None
    sent_by: str | None
    sent_at: datetime | None
    sent_to: str
    acknowledged_by: str | None
    acknowledged_at: datetime | None
    answered_by: str | None
    answered_at: datetime | None
    case_number: str = Field(description="Of the police, with a confirmation.")

    @classmethod
    def told(cls, clue: Clue) -> ClueShown:
        """Convert to a response."""
        return cls.of(vars(clue), IN_FULL)


class BuiltClueShown(View):
    """A clue that was built, and what could not be looked up for it."""

    clue: ClueShown
    gaps: list[str] = Field(
        description="Each a sentence with the next step; the dossier says what is missing."
    )


class CluesShown(View):
    """A page of clues."""

    items: list[ClueShown]
    total: int
    next: str | None = Field(description="Give it as `before` for what follows; null: nothing does.")

    @classmethod
    def told(cls, page: CluePage) -> CluesShown:
        """Convert to a response."""
        return cls(items=[ClueShown.told(one) for one in page.clues], total=page.total, next=page.following)


class ClueCardShown(View):
    """A card of a clue, masked."""

    card: str = Field(examples=["+86 138****0001"])
    standing: Standing
    answer: str = Field(description="confirmed, refuted, or empty: nothing yet.")
    case_number: str

    @classmethod
    def told(cls, card: ClueCard) -> ClueCardShown:
        """Convert to a response."""
        facts = {"card": masked_card(card.number), "standing": card.standing, "answer": card.answer}
        return cls.of({**facts, "case_number": card.case_number}, IN_FULL)


class ClueFileShown(View):
    """A clue with its cards, masked."""

    clue: ClueShown
    cards: list[ClueCardShown]


class NotStoppedShown(View):
    """A card that could not be stopped, masked, and why."""

    card: str
    why: str


class AnsweredShown(View):
    """What came of an answer."""

    clue: ClueShown
    confirmed: int
    refuted: int
    withdrawn: int = Field(description="Confirmations that came of this clue and were withdrawn.")
    stopped: int
    not_stopped: list[NotStoppedShown]

    @classmethod
    def told(cls, taken: Answered) -> AnsweredShown:
        """Convert to a response."""
        stuck = [NotStoppedShown(card=masked_card(card), why=why) for card, why in taken.not_stopped]
        return cls(
            clue=ClueShown.told(taken.clue),
            confirmed=taken.confirmed,
            refuted=taken.refuted,
            withdrawn=taken.withdrawn,
            stopped=taken.stopped,
            not_stopped=stuck,
        )


class ManifestFaultShown(View):
    """A file that is not as it was signed."""

    name: str
    fault: ManifestFault


class VerificationShown(View):
    """Whether our own files of a clue are as they were signed."""

    good: bool
    faults: list[ManifestFaultShown]

    @classmethod
    def told(cls, found: list[ManifestFinding]) -> VerificationShown:
        """Convert to a response."""
        return cls(
            good=not found, faults=[ManifestFaultShown(name=one.name, fault=one.fault) for one in found]
        )


class RecipientShown(View):
    """Who gets clues."""

    id: str
    name: str
    address: str
    fingerprint: str = Field(
        description="SHA-256 of the certificate, to compare with what the police read out."
    )
    valid_until: datetime
    state: ProposalState
    proposed_by: str
    proposed_at: datetime
    approved_by: str | None
    removed_at: datetime | None

    @classmethod
    def told(cls, one: Recipient) -> RecipientShown:
        """Convert to a response."""
        facts: dict[str, Any] = {**vars(one), "fingerprint": one.fingerprint}
        return cls.of({**facts, "valid_until": one.certificate.not_valid_after_utc}, IN_FULL)


class RecipientsShown(View):
    """All who were ever proposed."""

    items: list[RecipientShown]
