"""Looks at cards whose grounds changed: asks platforms about their accounts, or has them released.

Order transactions leave a row for each card that may be concerned (`ledger.unit_of_work.account_looks`). A look
compares what platforms were asked with the grounds that stand now, under the card's lock, so that no order changes in
between. It may be done any number of times: what is there already is not made again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, or_, select, update

from duanka.casework.accounts.grounds import StandingGround, standing_grounds
from duanka.casework.accounts.requests import RequestTerms, make_request, release
from duanka.domain.account_policy import AccountPolicy
from duanka.domain.linked_accounts import AccountGround, AccountLookups, LinkedAccount, RequestKind
from duanka.domain.person import SYSTEM
from duanka.domain.record_lookups import LookupRefused
from duanka.ledger.audit.row_digests import CONFIRMATIONS, ORDERS
from duanka.ledger.audit.trail import AuditEntry, Trail
from duanka.ledger.db.bulk import among
from duanka.ledger.db.casework.accounts import account_looks, account_requests
from duanka.ledger.db.database import Store
from duanka.ledger.monitoring.alarms import AlarmService
from duanka.ledger.people.places import NOWHERE, places_of
from duanka.ledger.unit_of_work.locks import lock_cards

_AT_ONCE = 200  # cards
_WAIT = timedelta(minutes=1)  # until the next try, while no store answers
_ALARM, _PAST_US = "linked accounts", "grounds of accounts"
_GONE = "the ground stands no more: the card is free again"


class AccountLooks:
    """Turns changed grounds into requests and releases.

    `lookups`: opens the store; LookupRefused: there is none. `protects`: whether no order may change a card.
    """

    def __init__(
        self,
        store: Store,
        trail: Trail,
        lookups: Callable[[], AccountLookups],
        policy: AccountPolicy,
        protects: Callable[[str], bool],
        alarms: AlarmService,
    ) -> None:
        self._store, self._trail, self._lookups = store, trail, lookups
        self._policy, self._protects, self._alarms = policy, protects, alarms

    def work(self, now: datetime) -> bool:
        """Look at cards that are due; return whether more may be."""
        due = self._due(now)
        if not due:
            return False
        cards = sorted(set(due.values()))
        with self._store.reading() as connection:
            grounds = standing_grounds(connection, cards)
        try:
            found = self._accounts(grounds, now)
            self._alarms.working(_ALARM, now)
        except LookupRefused as error:
            found = None
            detail = f"无法查询关联账号 / linked accounts cannot be looked up: {error}"
            self._alarms.raise_now(_ALARM, now, detail)
        past_us = self._store.transact(lambda connection: self._compare(connection, due, found, now))
        if past_us:
            detail = (
                f"{past_us} 个号码的依据被绕过系统改动 / grounds of {past_us} cards were changed past Duanka"
            )
            self._alarms.raise_now(_PAST_US, now, f"{detail}: duanka audit verify")
        return len(due) >= _AT_ONCE

    def again(self, now: datetime) -> int:
        """Look again at all cards with a ground that was asked about; how many. Accounts may have been bound since."""

        def work(connection: Connection) -> int:
            standing = (account_requests.c.over_at.is_(None), account_requests.c.card != "")
            cards = connection.execute(select(account_requests.c.card).where(*standing).distinct()).scalars()
            rows = [{"card": card, "created_at": now, "next_try_at": now} for card in cards]
            if rows:
                connection.execute(account_looks.insert(), rows)
            return len(rows)

        return self._store.transact(work)

    # --- internal ---

    def _due(self, now: datetime) -> dict[int, str]:
        at = account_looks.c.next_try_at
        # no look waits that long: the clock was set back, so these are due as well
        first = account_looks.select().where(or_(at <= now, at > now + 2 * _WAIT))
        query = first.order_by(account_looks.c.next_try_at, account_looks.c.id).limit(_AT_ONCE)
        with self._store.reading() as connection:
            return {row.id: row.card for row in connection.execute(query)}

    def _accounts(
        self, grounds: Mapping[str, Sequence[StandingGround]], now: datetime
    ) -> Mapping[str, Sequence[LinkedAccount]]:
        """Accounts of the cards with a ground; the trail has the look before it is taken. LookupRefused."""
        cards = [card for card in grounds if not self._protects(card)]
        if not cards:
            return {}
        source = self._lookups()
        entries = [
            AuditEntry(
                now,
                SYSTEM,
                "lookup.accounts",
                card,
                _reason(grounds[card]),
                after={"basis": grounds[card][0].number},
            )
            for card in cards
        ]
        self._store.transact(lambda connection: self._trail.append(connection, entries))
        found = defaultdict[str, list[LinkedAccount]](list)
        for account in source.accounts_of(cards):
            found[account.card].append(account)
        return found

    def _compare(
        self,
        connection: Connection,
        due: Mapping[int, str],
        accounts: Mapping[str, Sequence[LinkedAccount]] | None,
        now: datetime,
    ) -> int:
        """Release what has no ground any more, and ask what has one; how many cards were changed past us.

        `accounts` None: they cannot be told now.
        """
        cards = sorted(set(due.values()))
        lock_cards(connection, cards)
        standing = standing_grounds(connection, cards)
        # neither asked nor released: a person looks first
        past_us = {
            card
            for card, its in standing.items()
            if not all(self._is_told(connection, card, one) for one in its)
        }
        cards = [card for card in cards if card not in past_us]
        grounds = {card: its for card, its in standing.items() if card not in past_us}
        places = dict.fromkeys(cards, NOWHERE) | dict(places_of(connection, cards))
        entries = self._released(connection, cards, grounds, now)
        for card, its in grounds.items():
            for account in (accounts or {}).get(card, ()):
                entries += self._asked(connection, account, its, places[card], now)
        put_off = {card for card in grounds if accounts is None}
        over = [number for number, card in due.items() if card not in put_off]
        later = [number for number, card in due.items() if card in put_off]
        connection.execute(delete(account_looks).where(account_looks.c.id.in_(over)))
        if later:
            waits = update(account_looks).where(account_looks.c.id.in_(later))
            connection.execute(waits.values(next_try_at=now + _WAIT))
        if entries:
            self._trail.append(connection, entries)
        return len(past_us)

    def _is_told(self, connection: Connection, card: str, one: StandingGround) -> bool:
        """Whether the ground is as the trail has it: a row that was written past us asks nothing of a platform."""
        if one.ground is AccountGround.CONFIRMED:
            return self._trail.row_matches(connection, CONFIRMATIONS, card, (card,))
        return self._trail.row_matches(connection, ORDERS, one.number, (one.number,))

    def _released(
        self,
        connection: Connection,
        cards: Collection[str],
        grounds: Mapping[str, Sequence[StandingGround]],
        now: datetime,
    ) -> list[AuditEntry]:
        mine = (among(connection, account_requests.c.card, cards), account_requests.c.over_at.is_(None))
        rows = connection.execute(
            select(account_requests).where(*mine).order_by(account_requests.c.id).with_for_update()
        )
        entries = []
        for row in rows.mappings().all():
            standing = {one.ground.value for one in grounds.get(row["card"], ())}
            if row["ground"] not in standing and (
                entry := release(connection, self._trail, row, SYSTEM, _GONE, now)
            ):
                entries.append(entry)
        return entries

    def _asked(
        self,
        connection: Connection,
        account: LinkedAccount,
        grounds: Sequence[StandingGround],
        place: tuple[str, str],
        now: datetime,
    ) -> list[AuditEntry]:
        entries = []
        for ground in grounds:
            for kind in self._policy.by_ground[ground.ground]:
                if _let_go_by_a_person(connection, account, ground, kind):
                    continue
                terms = RequestTerms(ground, kind, place, now + self._policy.answer_within)
                if entry := make_request(
                    connection, self._trail, account, terms, SYSTEM, _reason([ground]), now
                ):
                    entries.append(entry)
        return entries


def _let_go_by_a_person(
    connection: Connection, account: LinkedAccount, ground: StandingGround, kind: RequestKind
) -> bool:
    """Whether a person took this very request back: then it is asked again by a person alone."""
    table = account_requests.c
    mine = (
        table.card == account.card,
        table.platform == account.platform,
        table.account == account.account,
        table.kind == kind.value,
        table.ground == ground.ground.value,
        table.ground_number == ground.number,
        table.released_by.is_not(None),
        table.released_by != SYSTEM.id,
    )
    return connection.execute(select(table.id).where(*mine).limit(1)).first() is not None


def _reason(grounds: Sequence[StandingGround]) -> str:
    return "; ".join(f"{one.ground.words.zh} {one.number}" for one in grounds)
