"""Whatever a holder does online, in any order: failures are bounded, nothing stops the card, and there is a way on."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from itertools import count

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from duanka.domain.identity import Challenge, CheckRefused, Session, SessionStage
from duanka.domain.order import Event, OrderError, State
from duanka.ledger.db.database import Store
from duanka.ledger.db.tables_identity import checks
from support.orders.books import DESK, HOUR, NOW, restriction
from support.orders.online import DARK, NO, PASSED, STEPS, STRANGER, UNSURE, YES, Online, frames, policy

STEP = st.tuples(
    st.sampled_from(["agree", "refuse", "draw", "take", "release", "settle", "review", "wait"]),
    st.sampled_from([PASSED, UNSURE, STRANGER, STRANGER, DARK]),
    st.integers(0, 7),
    st.sampled_from([1, 8, 50, 130]),
)
_fresh = count(0)


class Holder:
    """One holder who does whatever comes to mind, and now and then a reviewer."""

    def __init__(self, way: Online) -> None:
        self.way, self.now = way, NOW
        self.order = way.asked(next(_fresh))
        self.link = way.link(self.order.id)
        self.sessions: list[Session] = []
        self.drawn: list[Challenge] = []
        self.reviewed = False

    def does(self, what: str, verdict: object, which: int, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)
        way, session = self.way, self.sessions[which % len(self.sessions)] if self.sessions else None
        challenge = self.drawn[-1 - which % len(self.drawn)] if self.drawn else None
        if what in ("agree", "refuse"):
            began = way.checks.agree(self.link, YES if what == "agree" else NO, self.now, browser="browser")
            self.sessions += [began] if began else []
        elif what == "draw" and session:
            found = way.checks.draw(session, STEPS, self.now)
            self.drawn += [found] if found not in self.drawn else []
        elif what == "take" and session and challenge:
            way.checks.take(session, challenge.id, frames(), self.now)
        elif what == "release" and challenge:
            way.checks.release(challenge.id, self.now)
        elif what == "settle" and challenge:
            way.checks.settle(challenge.id, verdict, b"captured", self.now)  # type: ignore[arg-type]
        elif what == "review":
            way.orders.apply(self.order.id, Event.TO_COUNTER, DESK, "unclear", self.now)
            self.reviewed = True

    def holds(self) -> None:
        way, now = self.way, self.now
        order, found = way.state(self.order.id), way.checks.standing(self.order.id, now)
        with way.store.reading() as connection:
            mine = connection.execute(checks.select().where(checks.c.order_id == order.id)).all()
        most = way.policy.identity
        failures = sum(row.counted for row in mine)
        assert failures <= most.failures
        assert found.left == most.failures - failures
        assert sum(row.outcome != "released" for row in mine) <= most.challenges
        assert order.state in (
            State.NOTIFIED, State.IN_PROGRESS, State.UNDER_REVIEW, State.SENT_TO_COUNTER, State.PASSED,
        )  # fmt: skip
        stands_still = order.closed_at is not None or order.state is State.UNDER_REVIEW
        assert (order.due_at is None) == stands_still, "the hours are neither lost nor begun anew"
        assert order.due_at in (None, NOW + 24 * HOUR) or self.reviewed
        assert (found.stage is SessionStage.PASSED) == (order.state is State.PASSED)
        assert (found.stage is SessionStage.REVIEW) == (order.state is State.UNDER_REVIEW)
        if found.stage in (SessionStage.READY, SessionStage.AGAIN):
            self.can_go_on()

    def can_go_on(self) -> None:
        """Who is told to try can: with the session they have, or one that they get by the link."""
        last = self.sessions[-1] if self.sessions else None
        try:
            assert last
            found = self.way.checks.draw(last, STEPS, self.now)
        except (AssertionError, CheckRefused):
            began = self.way.checks.agree(self.link, YES, self.now, browser="browser")
            assert began
            self.sessions.append(began)
            found = self.way.checks.draw(began, STEPS, self.now)
        self.drawn += [found] if found not in self.drawn else []


def test_whatever_a_holder_does_there_is_a_way_on_and_nothing_stops(store: Store) -> None:
    way = Online(store, policy(failures=2, challenges=4))

    @settings(
        max_examples=25,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate, Phase.shrink],
    )
    @given(steps=st.lists(STEP, min_size=5, max_size=20))
    def holds(steps: list[tuple[str, object, int, int]]) -> None:
        holder = Holder(way)
        for step in steps:
            with suppress(OrderError):  # a refusal is an answer
                holder.does(*step)
            holder.holds()
        assert restriction(way.orders, int(holder.order.card) - 8613000000000) is None

    holds()
