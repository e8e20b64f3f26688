"""What people and platforms do about linked accounts: ask, approve, answer, release."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import RowMapping, insert

from duanka.casework.accounts.grounds import StandingGround, standing_grounds
from duanka.casework.accounts.requests import (
    PLATFORM,
    RequestTerms,
    change,
    locked,
    make_request,
    queue,
    release,
    take_answer,
)
from duanka.domain.account_policy import AccountPolicy
from duanka.domain.authority import Permission, authorize, within
from duanka.domain.bounds import given_reason
from duanka.domain.linked_accounts import (
    OVER,
    AccountError,
    AccountLookups,
    LinkedAccount,
    MalformedAnswer,
    PlatformDown,
    PlatformState,
    RequestKind,
    RequestState,
    SentKind,
    SignedAnswer,
    UnknownAccountRequest,
    plain_note,
    read_answer,
)
from duanka.domain.order import NeedsSecondPerson
from duanka.domain.person import SYSTEM, Person, same_person
from duanka.ledger.audit.trail import AuditEntry, Trail
from duanka.ledger.db.casework.accounts import account_looks
from duanka.ledger.db.database import Store
from duanka.ledger.lookups import LookupContext, authorize_lookup, check_basis, number_of
from duanka.ledger.people.account_platforms import AccountPlatforms
from duanka.ledger.people.places import NOWHERE, places_of
from duanka.ledger.people.platform_signatures import is_signed_by
from duanka.ledger.unit_of_work.account_looks import look_of
from duanka.ledger.unit_of_work.locks import lock_cards

_ENTERED = (PlatformState.HANDLED, PlatformState.REFUSED, PlatformState.RELEASED)


@dataclass(frozen=True)
class AskedFor:
    """What a person asks of platforms: `kind` for the accounts of `card`; `platform`: of one alone."""

    card: str
    kind: RequestKind
    platform: str | None = None


class LinkedAccounts:
    """Requests about linked accounts on an order database. Raises PermissionDenied, AccountError.

    `lookups`: opens the store; LookupRefused: there is none. `protects`: whether no order may change a card.
    """

    def __init__(
        self,
        store: Store,
        trail: Trail,
        lookups: Callable[[], AccountLookups],
        platforms: AccountPlatforms,
        policy: AccountPolicy,
        protects: Callable[[str], bool],
    ) -> None:
        self._store, self._trail, self._lookups = store, trail, lookups
        self._platforms, self._policy, self._protects = platforms, policy, protects

    def request(self, asks: AskedFor, reader: LookupContext, now: datetime) -> Sequence[str]:
        """Ask platforms about the accounts of a card; return the ids of what is new.

        Only for a ground that stands: AccountError. Closing waits for a second person. It is a lookup: the trail has
        who and why before the accounts are read.
        """
        by = reader.person
        authorize(by, Permission.REQUEST_ACCOUNTS)
        authorize_lookup(reader, Permission.READ_ACCOUNT)
        card, why = number_of(asks.card), given_reason(reader.why)
        with self._store.reading() as connection:
            check_basis(connection, reader, card)
            ground = self._ground(standing_grounds(connection, [card]).get(card, ()), asks.kind)
            place = places_of(connection, [card]).get(card, NOWHERE)
        within(by, "this card", *place)
        if self._protects(card):
            raise AccountError("this number is protected: no order changes it, and no platform is asked")
        source = self._lookups()
        told = {"basis": reader.basis.number, "kind": asks.kind.value}
        with self._store.writing() as connection:
            self._trail.append(connection, [AuditEntry(now, by, "lookup.accounts", card, why, after=told)])
        accounts = [one for one in source.accounts_of([card]) if asks.platform in (None, one.platform)]
        if not accounts:
            raise AccountError("the records know no such account of this card")
        return self._made(accounts, ground, asks.kind, place, by, why, now)

    def approve(self, number: str, by: Person, why: str, now: datetime) -> None:
        """Approve that an account is closed, as somebody else than who asked for it."""
        self._decide(number, by, why, now, RequestState.WAITING)

    def reject(self, number: str, by: Person, why: str, now: datetime) -> None:
        """Reject that an account is closed."""
        self._decide(number, by, why, now, RequestState.REJECTED)

    def answer(
        self, number: str, state: PlatformState, note: str, by: Person, why: str, now: datetime
    ) -> RequestState:
        """Enter what the platform answered by another way; return the state of the request."""
        authorize(by, Permission.ANSWER_ACCOUNT)
        why = given_reason(why)
        if state not in _ENTERED:
            raise AccountError("an answer is handled, refused or released")
        with self._store.writing() as connection:
            row = _known(locked(connection, [number]), number, by)
            if row["state"] in (RequestState.PROPOSED, RequestState.WAITING, *OVER):
                words = RequestState(row["state"]).words.en
                raise AccountError(f"{number} is {words}: there is nothing to answer")
            given = SignedAnswer(number, state, plain_note(note))
            if entry := take_answer(connection, row, given, by.id, by, why, now):
                self._trail.append(connection, [entry])
            return RequestState(locked(connection, [number])[number]["state"])

    def release(self, number: str, by: Person, why: str, now: datetime) -> RequestState:
        """Have one account released although the ground of its card stands; return the state of the request."""
        authorize(by, Permission.RELEASE_ACCOUNT)
        why = given_reason(why)
        with self._store.writing() as connection:
            row = _known(locked(connection, [number]), number, by)
            if entry := release(connection, self._trail, row, by, why, now):
                self._trail.append(connection, [entry])
            return RequestState(locked(connection, [number])[number]["state"])

    def platform_answers(self, number: str, body: bytes, signature: str, now: datetime) -> bool:
        """Take an answer that a platform sends by itself; whether its signature counts.

        AccountError: it is signed, but no answer about this request.
        """
        known = self._platforms.in_force()
        with self._store.writing() as connection:
            row = locked(connection, [number]).get(number)
            platform = known.get(row["platform"]) if row is not None else None
            if row is None or platform is None or not is_signed_by(platform.public_key, body, signature):
                return False
            try:
                answer = read_answer(body, signature)
            except PlatformDown as error:
                raise MalformedAnswer(str(error)) from None
            if answer.request_id != number:
                raise AccountError("the answer is about another request")
            if answer.state is PlatformState.RECEIVED:
                return True
            if entry := take_answer(connection, row, answer, PLATFORM, SYSTEM, platform.name, now):
                self._trail.append(connection, [entry])
            return True

    def look(self, card: str, by: Person, why: str, now: datetime) -> None:
        """Let the worker look at a card once more, for accounts that were bound since."""
        authorize(by, Permission.REQUEST_ACCOUNTS)
        card, why = number_of(card), given_reason(why)
        with self._store.writing() as connection:
            within(by, "this card", *places_of(connection, [card]).get(card, NOWHERE))
            connection.execute(insert(account_looks).values(look_of(card, now)))
            self._trail.append(connection, [AuditEntry(now, by, "account.look", card, why)])

    # --- internal ---

    def _ground(self, standing: Sequence[StandingGround], kind: RequestKind) -> StandingGround:
        """The ground to name. AccountError: none stands, or none that allows `kind`."""
        if not standing:
            raise AccountError(
                "no ground stands for this card: platforms are asked about cards that the police confirmed (涉案), or"
                " whose verification failed before machine and reviewer or before two people; a high risk (高风险) is"
                " none"
            )
        allowed = [
            one for one in standing if kind is not RequestKind.CLOSE or one.ground in self._policy.close
        ]
        if not allowed:
            grounds = ", ".join(one.words.en for one in self._policy.close) or "no ground"
            raise AccountError(f"under this policy closing takes: {grounds}; ask to restrict instead")
        return allowed[0]

    def _made(
        self,
        accounts: Sequence[LinkedAccount],
        ground: StandingGround,
        kind: RequestKind,
        place: tuple[str, str],
        by: Person,
        why: str,
        now: datetime,
    ) -> list[str]:
        state = RequestState.PROPOSED if kind is RequestKind.CLOSE else RequestState.WAITING
        terms = RequestTerms(ground, kind, place, now + self._policy.answer_within, state)
        card = accounts[0].card
        with self._store.writing() as connection:
            lock_cards(connection, [card])
            if ground not in standing_grounds(connection, [card]).get(card, ()):
                raise AccountError("the ground of this card stands no more; nothing was asked")
            entries = [make_request(connection, self._trail, one, terms, by, why, now) for one in accounts]
            made = [entry for entry in entries if entry]
            if made:
                self._trail.append(connection, made)
            return [entry.subject for entry in made]

    def _decide(self, number: str, by: Person, why: str, now: datetime, to: RequestState) -> None:
        authorize(by, Permission.APPROVE_ACCOUNT)
        why = given_reason(why)
        with self._store.writing() as connection:
            row = _known(locked(connection, [number]), number, by)
            if row["state"] != RequestState.PROPOSED:
                raise AccountError(f"{number} is {RequestState(row['state']).words.en}: it waits for nobody")
            if same_person(by.id, row["requested_by"]):
                raise NeedsSecondPerson(f"{by.id} asked for {number}: another supervisor decides on it")
            facts: dict[str, object] = {"state": to.value}
            if to is RequestState.WAITING:
                facts |= {"approved_by": by.id, "due_at": now + self._policy.answer_within}
                queue(connection, self._trail, {**row, **facts}, SentKind.REQUEST, now)
            else:
                facts |= {"over_at": now}
            change(connection, number, now, **facts)
            what = "account.approve" if to is RequestState.WAITING else "account.reject"
            entry = AuditEntry(now, by, what, number, why, {"state": row["state"]}, {"state": to.value})
            self._trail.append(connection, [entry])


def _known(rows: dict[str, RowMapping], number: str, by: Person) -> RowMapping:
    row = rows.get(number)
    if row is None:
        raise UnknownAccountRequest(f"no request {number!r}; `duanka accounts list` names them")
    within(by, number, row["operator"], row["city"])
    return row
