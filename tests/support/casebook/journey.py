"""One case from the scan to the card that works again: what its holder is told, does, and finds."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select

from duanka.domain.counter_check import CounterCheck, Document
from duanka.domain.order import Kind, Order, Person, Role, State
from duanka.ledger.db.tables import cards, notices, orders
from duanka.orders.dispatch.notice_texts import NoticeTexts
from support.api.desks import Caller
from support.api.holder_sessions import UNLINKED, agreed, agreed_unlinked, drawn
from support.api.recordings import recording
from support.api.verifications import PASSED
from support.casebook.office import Office
from support.casebook.stories import STORIES

Calling = Callable[[str | None], Caller]
BILLING = Person("billing", Role.SUPERVISOR)
_SEEN = {"document": Document.ID_CARD, "person_present": True, "card_in_hand": True, "notice_signed": True}
_SITE = "https://verify.operator.example/v#"


@dataclass
class Journey:
    """A case whose decision an office has taken. `now` goes on with what happens; the desk's clock with it."""

    case: str
    office: Office
    calling: Calling
    now: datetime
    told: list[tuple[str, str]] = field(default_factory=list)  # the notices: template, text

    @property
    def card(self) -> str:
        """The card of the case."""
        return STORIES[self.case].card

    def order(self) -> Order:
        """The open verification."""
        found = self.office.open(self.card)
        assert found, f"{self.case} is asked nothing"
        return found

    def restriction(self) -> Order | None:
        """How the network treats the card; None: as any other."""
        return self.office.open(self.card, Kind.RESTRICTION)

    def last(self, kind: Kind) -> Order:
        """The latest order of this kind, open or not."""
        found = self.office.desk.reading.last(self.card, kind)
        assert found, f"{self.case} never had one"
        return found

    def stopped(self) -> Order:
        """The restriction, which is there."""
        found = self.restriction()
        assert found, f"{self.case} is not restricted"
        return found

    def later(self, **time: float) -> None:
        """Time passes; the worker's clock does what is due."""
        end = self.now + timedelta(**time)
        step = max(timedelta(hours=1), (end - self.now) / 24)
        while self.now < end:
            self.now = min(end, self.now + step)
            self.office.desk.clock.now = self.now
            self.office.desk.orders.sweep(self.now)
        self.read_notices()

    def read_notices(self) -> None:
        """What the message centre sends and the holder reads; the question has a link."""
        desk = self.office.desk
        texts = NoticeTexts(desk.orders.terms.policy)
        mine = select(notices.c.template, notices.c.order_id).join(orders, orders.c.id == notices.c.order_id)
        with desk.store.reading() as connection:
            rows = connection.execute(mine.where(orders.c.card == self.card).order_by(notices.c.id)).all()
        for template, number in rows[len(self.told) :]:
            order = desk.reading.state(number)
            link = _SITE + self.token(number) if template == "verify" else ""
            self.told.append((template, texts.text(template, order, self.now, link)))

    def notice(self, template: str) -> str:
        """The one notice of this kind."""
        (text,) = (text for kind, text in self.told if kind == template)
        return text

    def token(self, number: str = "") -> str:
        """A link to the page."""
        desk, number = self.office.desk, number or self.order().id
        return desk.orders.transaction(
            lambda unit: desk.links.make(unit.connection, number, self.now), self.now
        )

    def page(self) -> Mapping[str, Any]:
        """What the holder's page shows, in any browser that has the link."""
        answer = self.calling(self.token()).get("/holder/order")
        assert answer.status_code == 200, answer.text
        found: Mapping[str, Any] = answer.json()
        return found

    def network(self) -> str:
        """What the network is told to do with the card."""
        with self.office.desk.store.reading() as connection:
            found = connection.execute(select(cards.c.wanted).where(cards.c.card == self.card)).scalar()
        return found or State.ACTIVE.value

    def billed(self) -> list[str]:
        """What billing was told of the card."""
        events = self.office.desk.papers.billing.events(BILLING, self.now).events
        return [one.event.value for one in events if one.card == self.card]

    def agrees(self, token: str) -> Caller:
        """The holder agrees on the page; the session that begins so."""
        holder = self.calling(token)
        answer = holder.post("/holder/session", agreed(holder))
        assert answer.status_code == 201, answer.text
        return self.calling(answer.json()["sessionToken"])

    def tries(self, session: Caller, verdict: Any = PASSED) -> Mapping[str, Any]:
        """One recording before the camera, and what the page says of it."""
        desk = self.office.desk
        sent = session.post("/holder/check", recording(drawn(desk, session)))
        assert sent.status_code == 202, sent.text
        desk.clock.now += timedelta(seconds=20)
        desk.way.queue.judge(verdict)
        self.now = desk.clock.now
        answer: Mapping[str, Any] = session.get("/holder/check").json()
        self.read_notices()
        return answer

    def passes_in_a_browser(self) -> timedelta:
        """The holder proves who they are on the page; how long it took from the link on."""
        began = self.now
        self.office.desk.clock.now = self.now
        self.tries(self.agrees(self.token()))
        return self.now - began

    def order_number(self) -> str:
        """The order number in the last notice."""
        (found,) = re.findall(r"“([A-Z0-9]{13})”", self.told[-1][1])
        return str(found)

    def passes_without_a_link(self) -> timedelta:
        """In any browser, with what the last notice says: the number and the order number; how long it took."""
        began = self.now
        self.office.desk.clock.now = self.now
        browser = self.calling(None)
        typed = agreed_unlinked(browser, f"+{self.card}", self.order_number().lower())
        answer = browser.post(UNLINKED, typed)
        assert answer.status_code == 201, answer.text
        self.tries(self.calling(answer.json()["sessionToken"]))
        return self.now - began

    def passes_at(self, counter: str, *clerks: Person) -> timedelta:
        """The holder proves who they are at a counter, before as many clerks as the tier wants; how long it took."""
        began, order = self.now, self.order()
        desk = self.office.desk
        desk.counter.verify(order.id, CounterCheck(counter=counter, **_SEEN), clerks[0], "seen", self.now)  # type: ignore[arg-type]
        self.now += timedelta(minutes=2)
        if len(clerks) > 1:
            desk.counter.confirm(order.id, clerks[1], "seen too", self.now)
        self.read_notices()
        return self.now - began
