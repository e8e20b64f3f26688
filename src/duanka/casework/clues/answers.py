"""What the police answer to a clue: only they make a card 涉案, with their case number; or refute it.

By a person of the police, or by a file that a registered source of police cases signed.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Protocol, TypeVar

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from pydantic import BaseModel, ConfigDict, Strict
from pydantic.alias_generators import to_camel
from sqlalchemy import update

from duanka.casework.clues.rows import cards_of, change_clue, clue_of
from duanka.casework.clues.service import without_package
from duanka.domain.authority import Permission, authorize
from duanka.domain.bounds import bounded, given_reason
from duanka.domain.case_source import SIGNATURE_BYTES, CaseSource
from duanka.domain.clue import Clue, ClueError, ClueEvent, ClueState, next_clue_state
from duanka.domain.errors import DuankaError
from duanka.domain.fraud_kind import FraudKind, fraud_kind_of
from duanka.domain.order import OrderError, Person, Role
from duanka.domain.phone_number import identity
from duanka.ledger.db.casework.clues import clue_cards
from duanka.ledger.unit_of_work.confirmations import ConfirmationSource, confirm, withdraw_answer
from duanka.ledger.unit_of_work.lifeline import end_lifeline
from duanka.ledger.unit_of_work.unit_of_work import UnitOfWork

_Result = TypeVar("_Result")
_MOST_CASE = 64  # letters of a case number


class StopsForPolice(Protocol):
    """Stops a card for the police; `orders.police_stops.police_stop` implements it."""

    def __call__(
        self,
        unit: UnitOfWork,
        card: str,
        case: str,
        by: Person,
        why: str,
        *,
        source: ConfirmationSource,
        fraud_kind: str,
        origin: str,
    ) -> object:
        """Stop it, and keep the confirmation. OrderError: it cannot be stopped."""


class Transacting(Protocol):
    """Runs work in one transaction; `OrderService.transaction` implements it."""

    def __call__(self, work: Callable[[UnitOfWork], _Result], now: datetime) -> _Result:
        """Run it, and write what it did."""


@dataclass(frozen=True)
class Answer:
    """An answer. `confirmed`, `refuted`: cards of the clue. `stop`: also stop the confirmed, as a police stop."""

    confirmed: tuple[str, ...] = ()
    refuted: tuple[str, ...] = ()
    case_number: str = ""
    fraud_kind: str = ""
    stop: bool = False


@dataclass(frozen=True)
class Answered:
    """What came of an answer. `not_stopped`: cards that could not be stopped, and why."""

    clue: Clue
    confirmed: int
    refuted: int
    withdrawn: int
    stopped: int
    not_stopped: tuple[tuple[str, str], ...] = ()


class ClueAnswers:
    """Takes the answers of the police. `sources`: whose signatures count; `police_stop`: of the orders."""

    def __init__(
        self,
        transact: Transacting,
        sources: Callable[[], Sequence[CaseSource]],
        police_stop: StopsForPolice,
    ) -> None:
        self._transact, self._sources, self._police_stop = transact, sources, police_stop

    def answer(self, number: str, answer: Answer, by: Person, why: str, now: datetime) -> Answered:
        """Take the answer of a person of the police. UnknownClue; ClueError; NoSuchTransition."""
        authorize(by, Permission.ANSWER_CLUE)
        why = given_reason(why)
        return self._transact(lambda unit: self._answered(unit, number, _checked(answer), by, why), now)

    def signed(self, content: bytes, signature: bytes, by: Person, why: str, now: datetime) -> Answered:
        """Take a signed answer that `by` hands in. ClueError: no source in force signed it, or it is old."""
        authorize(by, Permission.HAND_IN_ANSWER)
        signer = _signer(content, signature, self._sources())
        number, answer, at = read_answer(content)
        police = Person(signer, Role.POLICE)
        why = f"{given_reason(why)} · {by.id}"

        def work(unit: UnitOfWork) -> Answered:
            clue = clue_of(unit.connection, number, by, lock=True)
            if clue.answered_at and at <= clue.answered_at:
                raise ClueError(f"{number} was answered later than this file was written: it changes nothing")
            if at < clue.built_at:
                raise ClueError(
                    f"{number} was built later than this answer was written: it answers another clue"
                )
            if at > now:
                raise ClueError("the answer was written in the future: check both clocks")
            return self._answered(unit, number, _checked(answer), police, why, at)

        return self._transact(work, now)

    def _answered(
        self, unit: UnitOfWork, number: str, answer: Answer, by: Person, why: str, at: datetime | None = None
    ) -> Answered:
        """Take an answer. `at`: when the police wrote it; None: now."""
        connection = unit.connection
        clue = clue_of(connection, number, by, lock=True)
        rows = {row.card: row for row in cards_of(connection, number)}
        named = (*answer.confirmed, *answer.refuted)
        if strange := [card for card in named if card not in rows]:
            raise ClueError(
                f"{len(strange)} cards are not of {number}: nothing was taken; name cards of the clue"
            )
        standing = {card for card, row in rows.items() if row.answer == "confirmed"}
        after = standing - set(answer.refuted) | set(answer.confirmed)
        event = ClueEvent.CONFIRM if after else ClueEvent.REFUTE
        to = next_clue_state(clue.state, event, number)
        unit.lock(named)
        stopped, not_stopped = 0, list[tuple[str, str]]()
        for card in answer.confirmed:
            unit.authorize(by, Permission.ANSWER_CLUE, card)
            source = ConfirmationSource.CLUE_FEEDBACK
            kind = answer.fraud_kind
            confirm(unit, card, answer.case_number, source, by, why, fraud_kind=kind, origin=number)
            if answer.stop:
                trouble = self._stopped(unit, card, number, answer, by, why)
                stopped += trouble is None
                not_stopped += [(card, trouble)] if trouble else []
            end_lifeline(unit, card, why)
        withdrawn = 0
        for card in answer.refuted:
            unit.authorize(by, Permission.ANSWER_CLUE, card)
            withdrawn += withdraw_answer(unit, card, number, by, f"{number}: {why}")
        self._keep(unit, clue, to, answer, by, at or unit.now)
        told = {"state": to.value, "confirmed": len(answer.confirmed), "refuted": len(answer.refuted)}
        told |= {"withdrawn": withdrawn, "stopped": stopped, "case_number": answer.case_number}
        unit.note(
            by, "clue.confirm" if after else "clue.refute", number, why, {"state": clue.state.value}, told
        )
        found = clue_of(connection, number, by)
        return Answered(
            found, len(answer.confirmed), len(answer.refuted), withdrawn, stopped, tuple(not_stopped)
        )

    def _stopped(
        self, unit: UnitOfWork, card: str, clue: str, answer: Answer, by: Person, why: str
    ) -> str | None:
        """Stop one card; None: it is stopped, else why it is not. The confirmation stays either way."""
        try:
            with unit.attempt(card):
                self._police_stop(
                    unit,
                    card,
                    answer.case_number,
                    by,
                    why,
                    source=ConfirmationSource.CLUE_FEEDBACK,
                    fraud_kind=answer.fraud_kind,
                    origin=clue,
                )
        except DuankaError as error:
            return str(error)
        return None

    def _keep(
        self, unit: UnitOfWork, clue: Clue, to: ClueState, answer: Answer, by: Person, at: datetime
    ) -> None:
        for cards, said, case_number in (
            (answer.confirmed, "confirmed", answer.case_number),
            (answer.refuted, "refuted", ""),
        ):
            for card in cards:
                mine = (clue_cards.c.clue_id == clue.id, clue_cards.c.card == card)
                facts = {"answer": said, "answered_at": at, "case_number": case_number}
                unit.connection.execute(update(clue_cards).where(*mine).values(**facts))
        facts = {
            "state": to.value,
            "answered_by": by.id,
            "answered_at": at,
            **without_package(clue, unit.now),
        }
        if answer.case_number:
            facts["case_number"] = answer.case_number
        if clue.acknowledged_at is None:  # who answers has it
            facts |= {"acknowledged_by": by.id, "acknowledged_at": unit.now}
        change_clue(unit.connection, clue.id, unit.now, **facts)


def _checked(answer: Answer) -> Answer:
    """The answer with cards as records have them. ClueError: it says nothing, or two things of one card."""
    confirmed, refuted = (
        tuple(dict.fromkeys(map(identity, of))) for of in (answer.confirmed, answer.refuted)
    )
    case = answer.case_number.strip()
    if not confirmed and not refuted:
        raise ClueError("an answer confirms or refutes cards of the clue: name them")
    if set(confirmed) & set(refuted):
        raise ClueError("a card cannot be confirmed and refuted at once")
    if confirmed and not (1 <= len(case) <= _MOST_CASE and case.isprintable()):
        raise ClueError(
            f"only a case number of the police makes a card 涉案: give it, in 1 to {_MOST_CASE} letters"
        )
    if answer.stop and not confirmed:
        raise ClueError("only confirmed cards are stopped: name them")
    kind = fraud_kind_of(answer.fraud_kind)
    if answer.fraud_kind.strip() and kind is None:
        raise ClueError(f"no such kind of fraud; give one of {', '.join(FraudKind)}, or none")
    return Answer(confirmed, refuted, case if confirmed else "", kind.value if kind else "", answer.stop)


def _signer(content: bytes, signature: bytes, sources: Sequence[CaseSource]) -> str:
    try:
        raw = (
            signature if len(signature) == SIGNATURE_BYTES else base64.b64decode(b"".join(signature.split()))
        )
    except binascii.Error:
        raw = b""
    for source in sources:
        try:
            Ed25519PublicKey.from_public_bytes(source.public_key).verify(raw, content)
        except (InvalidSignature, ValueError):
            continue
        return source.name
    raise ClueError("nobody signed this answer whose signature counts: `duanka keys sources` names them")


class _SignedAnswer(BaseModel):
    """A signed answer as it is written. Nothing is converted: null and lists are no case number."""

    model_config = ConfigDict(extra="forbid", strict=True, alias_generator=to_camel)

    clue: str
    at: Annotated[datetime, Strict(False)]  # written as text
    confirmed: list[str] = []
    refuted: list[str] = []
    case_number: str = ""
    fraud_kind: str = ""
    stop: bool = False


def read_answer(content: bytes) -> tuple[str, Answer, datetime]:
    """The clue, the answer and its time in a signed file. ClueError: it is none."""
    try:
        told = _SignedAnswer.model_validate_json(content)
        at = bounded(told.at)
    except (ValueError, OrderError) as error:  # pydantic's own error is a ValueError
        raise ClueError(
            'an answer is JSON: {"clue": "L…", "at": "2026-03-02T16:00:00+08:00", "caseNumber": "…",'
            f' "confirmed": ["86…"], "refuted": [], "stop": false}} ({type(error).__name__})'
        ) from None
    confirmed, refuted = tuple(told.confirmed), tuple(told.refuted)
    return told.clue, Answer(confirmed, refuted, told.case_number, told.fraud_kind, told.stop), at
