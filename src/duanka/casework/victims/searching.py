"""Search for victims: the parties of cards in the store, ranked by danger."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import datetime

from duanka.casework.victims.confirmed import Standing, kinds_of, standing
from duanka.casework.victims.ranking import Ranked, ranked
from duanka.casework.victims.recording import BookTerms
from duanka.domain.victims import PartyLookups, PartyTerms
from duanka.ledger.audit.trail import Trail
from duanka.ledger.db.database import Store


class VictimSearch:
    """Finds victims by the policy. `bank_lines`: numbers of banks, as dialled."""

    def __init__(
        self, store: Store, trail: Trail, terms: BookTerms, bank_lines: Collection[str] = ()
    ) -> None:
        self.store, self.trail, self.terms = store, trail, terms
        self._bank_lines = tuple(bank_lines)

    def find(
        self,
        source: PartyLookups,
        confirmed: Standing,
        since: datetime,
        until: datetime,
        others: Collection[str] = (),
        begins: Mapping[str, datetime] | None = None,
    ) -> Ranked:
        """Victims of the confirmed cards, and of `others` that are not, from `since` until `until`, local times.

        `begins`: of cards whose contacts count only from later on.

        LookupRefused: too many.
        """
        policy = self.terms.policy
        cards = sorted({*confirmed, *others})
        asked = PartyTerms(
            since=since,
            until=until,
            after=policy.after,
            look_back_days=policy.look_back_days,
            least_seconds=policy.least_seconds,
            bank_lines=self._bank_lines,
            ring_percent=policy.ring_percent,
            talk_seconds=policy.repeated_seconds,
            begins=begins or {},
        )
        parties = source.parties_of(cards, asked)
        with self.store.reading() as connection:
            guilty = {*cards, *standing(connection, [party.number for party in parties])}
        return ranked(parties, kinds_of(confirmed), guilty, policy, until)

    def with_kinds(self, source: PartyLookups, confirmed: Standing) -> Standing:
        """`confirmed` with the kinds of fraud that signed files name, where the confirmation itself has none."""
        lacking = [card for card, kind in kinds_of(confirmed).items() if not kind]
        named = source.fraud_kinds_of(lacking) if lacking else {}
        return {
            card: [replace(one, fraud_kind=named[card]) for one in those] if card in named else those
            for card, those in confirmed.items()
        }
