"""Sends requests and releases to platforms, and takes their answers.

Each platform has a thread of its own, a circuit breaker and a lease queue, so that a silent one holds up nobody else. A
message is sent before it can be stored that it was: after a crash in between it is sent again, with the same key and
the same body, and the platform takes it once.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Select, func, select, update

from duanka.casework.accounts.requests import PLATFORM, SEALED, change, locked, take_answer
from duanka.domain.account_policy import AccountPolicy
from duanka.domain.linked_accounts import (
    AccountPlatform,
    OutgoingMessage,
    PlatformDown,
    PlatformLink,
    PlatformRefuses,
    PlatformState,
    RequestState,
    SentKind,
    SignedAnswer,
)
from duanka.domain.person import SYSTEM
from duanka.ledger.audit.trail import Trail
from duanka.ledger.db.casework.accounts import account_deliveries, account_requests
from duanka.ledger.db.database import Store
from duanka.ledger.lease_queue import RELEASED, LeaseQueue, closed
from duanka.ledger.monitoring.alarms import AlarmService
from duanka.ledger.monitoring.backoff import Circuit
from duanka.ledger.monitoring.isolation import in_one_line

_AT_ONCE, _POLLED_AT_ONCE = 20, 50
_LEASE = timedelta(seconds=60)  # far longer than a call, see PlatformLink
_CALL_SECONDS = 20.0  # longest call
_EVERY_SECONDS = 5.0  # between looks for answers
_SENT, _REFUSED = "sent", "refused"
_UNANSWERED = (RequestState.SENT.value, RequestState.RELEASING.value)
Opens = Callable[[AccountPlatform], PlatformLink]


@dataclass(frozen=True)
class DispatchTerms:
    """What every dispatcher needs. `worker`: a name that no other process has; `opens`: a link to a platform."""

    store: Store
    trail: Trail
    policy: AccountPolicy
    alarms: AlarmService
    worker: str
    opens: Opens
    ticks: Callable[[], float] = time.monotonic


@dataclass(frozen=True)
class _Leased:
    id: int
    message: OutgoingMessage
    tries: int


class PlatformDispatcher:
    """Sends to one platform and takes its answers. Single-threaded."""

    def __init__(self, terms: DispatchTerms, platform: AccountPlatform) -> None:
        self.platform, self._terms = platform, terms
        mine = account_deliveries.c.platform == platform.name
        self._queue = LeaseQueue(terms.store, account_deliveries, terms.worker, _LEASE, mine)
        self._circuit = Circuit(terms.ticks, seed=len(platform.name))
        self._link: PlatformLink | None = None
        self._source = f"platform {platform.name}"
        self._stopping = False

    @property
    def resting(self) -> bool:
        """Whether it is too early for the next try."""
        return self._circuit.resting

    @property
    def first_failure(self) -> bool:
        """Whether it has failed once in a row: then it is told."""
        return self._circuit.failures == 1

    def work(self, now: datetime) -> bool:
        """Send what is due, then take answers; return whether more may be due. PlatformDown."""
        if self._circuit.resting or self._stopping:
            return False
        begun, failures = self._terms.ticks(), self._circuit.failures

        def at() -> datetime:
            return now + timedelta(seconds=self._terms.ticks() - begun)

        leased = self._lease(now, 1 if failures else _AT_ONCE)
        try:
            link = self._opened()
            self._send(link, leased, begun + _LEASE.total_seconds() - _CALL_SECONDS, at)
            polled = self._poll(link, at())
        except PlatformDown:
            self._circuit.failed()
            self._close_link()
            raise
        self._circuit.succeeded()
        if failures:
            self._queue.retry_now(at())
        return bool(leased) or polled

    def watch(self, now: datetime) -> None:
        """Raise or clear the alarm: the platform takes nothing, or answers too late."""
        detail = f"平台“{self.platform.name}”未接收请求 / the platform {self.platform.name} takes no requests"
        self._terms.alarms.follow(self._source, self._queue.tried_since, detail, now)

    def stop(self) -> None:
        """Stop after the message in hand; thread-safe."""
        self._stopping = True

    def close(self) -> None:
        """Give leases back and close the connection."""
        mine = (account_deliveries.c.platform == self.platform.name, self._queue.is_mine)
        free = (
            update(account_deliveries).where(*mine, account_deliveries.c.done_at.is_(None)).values(RELEASED)
        )
        self._terms.store.transact(lambda connection: connection.execute(free))
        self._close_link()

    # --- internal ---

    def _opened(self) -> PlatformLink:
        if self._link is None:
            self._link = self._terms.opens(self.platform)
        return self._link

    def _close_link(self) -> None:
        link, self._link = self._link, None
        if link is not None:
            with suppress(PlatformDown):
                link.close()

    def _lease(self, now: datetime, limit: int) -> list[_Leased]:
        if self._queue.is_empty:
            return []

        forged: list[str] = []

        def work(connection: Connection) -> list[_Leased]:
            forged.clear()
            names = ("id", "request_id", "what", "platform", "body", "seal", "tries")
            due, ours = self._queue.due(connection, names, now, limit), list[_Leased]()
            for row in due:
                told = (row.request_id, row.what, row.platform, row.body)
                if self._terms.trail.is_signed(row.seal, SEALED, *told):
                    message = OutgoingMessage(row.request_id, SentKind(row.what), row.body.encode())
                    ours.append(_Leased(row.id, message, row.tries))
                    continue
                over = closed(now, _REFUSED, error="it was written past Duanka")
                mine = account_deliveries.c.id == row.id
                connection.execute(update(account_deliveries).where(mine).values(over))
                forged.append(row.request_id)
            self._queue.lease_rows(connection, [one.id for one in ours], now)
            return ours

        leased = self._terms.store.transact(work)
        for number in forged:
            self._set_alarm(number, "it was written past Duanka: duanka audit verify", now)
        return leased

    def _send(
        self, link: PlatformLink, leased: Sequence[_Leased], until: float, at: Callable[[], datetime]
    ) -> None:
        """Send messages; none begins after `until` (ticks), or it could outlive its lease."""
        for number, one in enumerate(leased):
            if self._stopping or self._terms.ticks() > until:
                self._give_back(leased[number:])
                return
            try:
                answer = link.send(one.message)
            except PlatformRefuses as error:
                self._set_aside(one, error, at())
            except Exception as error:
                self._later(one, error, at())
                self._give_back(leased[number + 1 :])
                raise (
                    error if isinstance(error, PlatformDown) else PlatformDown(in_one_line(error))
                ) from error
            else:
                self._sent(one, answer, at())

    def _sent(self, one: _Leased, answer: SignedAnswer | None, now: datetime) -> None:
        """Store that the platform has it, and what it says, in one transaction."""

        def work(connection: Connection) -> None:
            row = locked(connection, [one.message.request_id]).get(one.message.request_id)
            mine = (
                account_deliveries.c.id == one.id,
                self._queue.is_mine,
                account_deliveries.c.done_at.is_(None),
            )
            stored = connection.execute(update(account_deliveries).where(*mine).values(closed(now, _SENT)))
            if not stored.rowcount or row is None:  # released meanwhile, or another worker was quicker
                return
            facts: dict[str, object] = {"asked_at": now}
            if one.message.kind is SentKind.REQUEST and row["state"] == RequestState.WAITING:
                facts |= {"state": RequestState.SENT.value, "sent_at": now}
            change(connection, row["id"], now, **facts)
            if answer is not None:
                self._take(connection, answer, now)

        self._terms.store.transact(work)

    def _take(self, connection: Connection, answer: SignedAnswer, now: datetime) -> None:
        row = locked(connection, [answer.request_id]).get(answer.request_id)
        if row is None or row["platform"] != self.platform.name or answer.state is PlatformState.RECEIVED:
            return
        if entry := take_answer(connection, row, answer, PLATFORM, SYSTEM, self.platform.name, now):
            self._terms.trail.append(connection, [entry])

    def _poll(self, link: PlatformLink, now: datetime) -> bool:
        """Ask for answers that are still waited for; whether there may be more."""
        since = now - timedelta(minutes=self._terms.policy.poll_minutes)
        waits = (
            account_requests.c.platform == self.platform.name,
            account_requests.c.state.in_(_UNANSWERED),
            (account_requests.c.asked_at.is_(None)) | (account_requests.c.asked_at <= since),
        )
        oldest = select(account_requests.c.id).where(*waits).order_by(account_requests.c.asked_at)
        with self._terms.store.reading() as connection:
            numbers = list(connection.execute(oldest.limit(_POLLED_AT_ONCE)).scalars())
        answers = list(link.answers(numbers))

        def work(connection: Connection) -> None:
            for answer in answers:
                self._take(connection, answer, now)
            if numbers:
                these = update(account_requests).where(account_requests.c.id.in_(numbers))
                connection.execute(these.values(asked_at=now))

        if numbers or answers:
            self._terms.store.transact(work)
            link.taken(answers)
        return len(numbers) >= _POLLED_AT_ONCE

    def _set_aside(self, one: _Leased, error: Exception, now: datetime) -> None:
        """The platform takes it never: a person looks."""
        over = closed(now, _REFUSED, error=in_one_line(error), tries=one.tries + 1)
        self._queue.change_mine([one.id], values=over)
        self._set_alarm(one.message.request_id, in_one_line(error), now)

    def _set_alarm(self, number: str, why: str, now: datetime) -> None:
        name = self.platform.name
        what = f"平台“{name}”拒收或不可发送 / the platform {name} refuses, or cannot be sent,"
        self._terms.alarms.raise_now(f"account {number}", now, f"{what} {number}: {why}")

    def _later(self, one: _Leased, error: Exception, now: datetime) -> None:
        tries = one.tries + 1
        self._queue.try_later(one.id, tries, now + self._circuit.back_off(tries), in_one_line(error))

    def _give_back(self, leased: Sequence[_Leased]) -> None:
        self._queue.give_back([one.id for one in leased])


@dataclass
class _WorkingPlatform:
    dispatcher: PlatformDispatcher
    thread: threading.Thread | None = None


class PlatformDispatchers:
    """A dispatcher for each platform in force; each works in its own thread. `work` returns at once."""

    def __init__(
        self,
        terms: DispatchTerms,
        platforms: Callable[[], Mapping[str, AccountPlatform]],
        say: Callable[[str], None],
    ) -> None:
        self._terms, self._platforms, self._say = terms, platforms, say
        self._running: dict[str, _WorkingPlatform] = {}
        self._stopping = False
        self._all_at = -_EVERY_SECONDS

    def work(self, now: datetime) -> bool:
        """Start the platforms that have work and are idle; now and then all, for their answers."""
        if self._stopping:
            return False
        self._follow_register()
        every = self._terms.ticks() - self._all_at >= _EVERY_SECONDS
        self._all_at = self._terms.ticks() if every else self._all_at
        due = None if every else self._with_work(now)
        for name, running in self._running.items():
            if due is not None and name not in due:
                continue
            idle = running.thread is None or not running.thread.is_alive()
            if idle and not running.dispatcher.resting:
                running.thread = threading.Thread(
                    target=self._run,
                    args=(running.dispatcher, now),
                    name=running.dispatcher.platform.name,
                    daemon=True,
                )
                running.thread.start()
        return False

    def wait(self) -> None:
        """Wait until every platform that works now has done so."""
        for running in list(self._running.values()):
            if running.thread is not None:
                running.thread.join()

    def watch(self, now: datetime) -> None:
        """Alarms of platforms that take nothing, and of requests without an answer in time."""
        for running in list(self._running.values()):
            running.dispatcher.watch(now)
        with self._terms.store.reading() as connection:
            late = connection.execute(_overdue(now)).one()
        detail = f"{late[0]} 个账号处置请求超过时限未答复 / {late[0]} requests about accounts are overdue"
        self._terms.alarms.follow("accounts overdue", late[1], detail, now)

    def stop(self) -> None:
        """Finish what is in hand; thread-safe."""
        self._stopping = True
        for running in list(self._running.values()):
            running.dispatcher.stop()

    def close(self) -> None:
        """Wait for the messages in hand, and disconnect."""
        self.wait()
        for running in self._running.values():
            running.dispatcher.close()

    def _with_work(self, now: datetime) -> set[str]:
        waits = (account_deliveries.c.done_at.is_(None), account_deliveries.c.next_try_at <= now)
        with self._terms.store.reading() as connection:
            names = connection.execute(select(account_deliveries.c.platform).where(*waits).distinct())
            return set(names.scalars())

    def _follow_register(self) -> None:
        """Begin platforms that came, end those that were removed or changed."""
        known = self._platforms()
        for name, running in list(self._running.items()):
            busy = running.thread is not None and running.thread.is_alive()
            if known.get(name) != running.dispatcher.platform:
                running.dispatcher.stop()
                if not busy:
                    running.dispatcher.close()
                    del self._running[name]
        for name, platform in known.items():
            if name not in self._running:
                self._running[name] = _WorkingPlatform(PlatformDispatcher(self._terms, platform))

    def _run(self, dispatcher: PlatformDispatcher, now: datetime) -> None:
        try:
            begun = self._terms.ticks()
            while dispatcher.work(now + timedelta(seconds=self._terms.ticks() - begun)):
                if self._stopping:
                    return
        except Exception as error:
            if dispatcher.first_failure:
                with suppress(Exception):
                    self._say(f"{dispatcher.platform.name}: {in_one_line(error)}; it is tried again")


def _overdue(now: datetime) -> Select[int, Any]:
    late = (account_requests.c.due_at <= now, account_requests.c.due_at.is_not(None))
    return select(func.count(), func.min(account_requests.c.due_at)).where(*late)
