"""Give a holder a statement of everything that was held and done about their card."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from duanka.domain.authority import Permission, authorize
from duanka.domain.bounds import given_reason
from duanka.domain.counter_check import MOST_LETTERS, Document, without_document_number
from duanka.domain.errors import DuankaError
from duanka.domain.order import Kind, OrderError, Person
from duanka.domain.phone_masking import spelled_card
from duanka.domain.record_lookups import LookupRefused, RecordLookups, StoreStatus
from duanka.domain.store_policy import StorePolicy
from duanka.domain.text import BilingualText, Language, Many
from duanka.ledger.unit_of_work.unit_of_work import UnitOfWork
from duanka.orders.papers.documents import paper_pdf
from duanka.orders.papers.statements import words
from duanka.orders.papers.statements.kept_data import kept_data
from duanka.orders.papers.statements.reading import CardRows, rows_about
from duanka.orders.papers.statements.sections import Telling, sections_of
from duanka.orders.service import OrderService

GIVEN = "paper.statement"  # entry of the trail
_log = logging.getLogger("duanka.orders.papers")


@dataclass(frozen=True)
class IdentitySeen:
    """How the staff established that the person who asks is the holder. OrderError: the counter is not named."""

    document: Document
    counter: str

    def __post_init__(self) -> None:
        if not self.counter.strip() or len(self.counter) > MOST_LETTERS:
            raise OrderError(f"say at which counter the document was seen, in 1 to {MOST_LETTERS} letters")
        without_document_number(self.counter)


class CardStatements:
    """Makes statements; each stands in the audit trail with the identity check.

    `records`: opens the store of records, for what it holds; a DuankaError: there is none. `keep`: its terms.
    """

    def __init__(
        self,
        orders: OrderService,
        records: Callable[[], RecordLookups],
        keep: StorePolicy,
    ) -> None:
        self._orders, self._records, self._keep = orders, records, keep

    def give(
        self, card: str, seen: IdentitySeen, by: Person, why: str, now: datetime, language: Language = "zh"
    ) -> bytes:
        """Return the statement of `card` as PDF: the same rows, time and language give the same bytes.

        PermissionDenied; OrderError: nothing is known of the card, or no reason. DuankaError: no typst or font.
        """
        authorize(by, Permission.GIVE_STATEMENT)
        why = given_reason(why)
        status = self._status()
        terms = self._orders.terms

        def work(unit: UnitOfWork) -> CardRows:
            unit.authorize(by, Permission.GIVE_STATEMENT, card)
            rows = rows_about(unit.connection, card, terms.trail, terms.stop_texts, now)
            if not rows.orders and not rows.refusals:
                raise OrderError(
                    "nothing is held about this number: no order, and nothing was refused for it"
                )
            told: dict[str, object] = {
                "document": seen.document.value,
                "counter": seen.counter.strip(),
                "language": language,
            }
            unit.note(by, GIVEN, card, why, {}, told)
            return rows

        rows = self._orders.transaction(work, now)  # set outside of it: that takes a second
        return paper_pdf("statement", self._content(rows, seen, status, now, language))

    def _content(
        self,
        rows: CardRows,
        seen: IdentitySeen,
        status: StoreStatus | None,
        now: datetime,
        language: Language,
    ) -> dict[str, object]:
        terms = self._orders.terms
        policy = terms.policy
        tell = Telling(language, policy, terms.stop_texts.title)
        day = policy.local_time.local(now)
        sections = [*sections_of(rows, tell), kept_data(status, self._keep, tell)]
        where = {"counter": policy.counter.zh, "counter_en": policy.counter.en, "hotline": policy.hotline}
        sections.append(
            tell.section("limits")
            | {"nothing": "", "notes": [tell.said(one, **where) for one in words.REMARKS]}
        )
        return {
            "language": language,
            "title": tell.said(words.TITLE),
            "subtitle": tell.said(words.SUBTITLE),
            "date": [day.year, day.month, day.day],
            "running": f"{tell.said(words.TITLE)}　{spelled_card(rows.card)}",
            "footer": tell.said(policy.operator),
            "head": [
                [tell.said(words.HEAD[name]), value] for name, value in self._head(rows, seen, tell, now)
            ],
            "sections": sections,
        }

    def _head(
        self, rows: CardRows, seen: IdentitySeen, tell: Telling, now: datetime
    ) -> list[tuple[str, str]]:
        policy = self._orders.terms.policy
        zone = BilingualText(*policy.local_time.place(now))
        stops = [one for one in rows.orders if one.kind is Kind.RESTRICTION]
        state = tell.said(stops[-1].state.words if stops else words.NEVER_STOPPED)
        counts = {"orders": len(rows.orders), "texts": len(rows.texts), "notices": len(rows.notices)}
        counts |= {"checks": len(rows.checks) + len(rows.counter_checks), "looks": len(rows.looks)}
        saw = tell.said(words.SEEN, document=tell.said(seen.document.words), counter=seen.counter.strip())
        return [
            ("number", spelled_card(rows.card)),
            ("operator", tell.said(policy.operator)),
            ("made", f"{tell.at(now)} {tell.said(zone)}"),
            ("identity", saw),
            ("state", state),
            ("contents", tell.said(words.COUNTS, **{name: Many(count) for name, count in counts.items()})),
        ]

    def without_records(self) -> str:
        """Why a statement cannot say which records are held; "": it can."""
        try:
            self._records().status()
        except DuankaError as error:
            return str(error)
        return ""

    def _status(self) -> StoreStatus | None:
        try:
            return self._records().status()
        except DuankaError as error:  # the orders are told all the same, and the statement says so
            level = logging.INFO if isinstance(error, LookupRefused) else logging.WARNING
            _log.log(level, "what the store of records holds is not told: %s", error)
            return None
