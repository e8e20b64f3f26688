"""Dispatcher for one network element: carries out its outbox rows, card by card."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from duanka.domain.network import Element, ElementRefused, ManyAtOnce, NetworkState, UnknownCard
from duanka.domain.phone_masking import masked_card
from duanka.domain.text import BilingualText
from duanka.ledger.monitoring.alarms import AlarmService
from duanka.ledger.monitoring.backoff import Circuit
from duanka.ledger.monitoring.isolation import is_outage
from duanka.orders.dispatch.outbox import Outbox, Task, TaskOutcome, TaskResult

_CALL_TIMEOUT_SECONDS = 5.0  # upper bound: elements are configured with shorter time-outs
_MAX_DEFECT_TRIES = 5  # tries of a row that a defect makes fail; then it counts as refused, with an alarm
_TASK = BilingualText("停复机指令", "the state change of order")
# cards per batch call, if the element supports that: as many as fit into its time-out on a bad day
_MAX_CARDS_PER_CALL = 25
_OUTAGE_FAILURES = 3  # consecutive; from here on the element, not a card, is considered at fault


class ElementDispatcher:
    """Drains the outbox of one element, whose `Element` it owns. Single-threaded."""

    def __init__(
        self,
        outbox: Outbox,
        element: Element,
        alarms: AlarmService,
        *,
        ticks: Callable[[], float] = time.monotonic,
        seed: int = 1,
        at_once: int = 100,
    ) -> None:
        self.name = element.name
        self._outbox, self._element, self._alarms = outbox, element, alarms
        self._ticks, self._at_once = ticks, at_once
        self._stopping = False
        self._circuit = Circuit(ticks, seed)
        self._together = _MAX_CARDS_PER_CALL if isinstance(element, ManyAtOnce) else 1

    def work(self, now: datetime) -> bool:
        """Carry out a batch of due rows; return whether there may be more."""
        if self._circuit.resting or self._stopping:
            return False
        limit = 1 if self._circuit.failures else self._at_once
        begun = self._ticks()
        tasks = self._outbox.claim(now, limit)
        spoilt = self._outbox.spoilt()
        for order_id, error in spoilt:
            self._alarms.set_aside(_TASK, order_id, error, now)
        if not tasks:
            return bool(spoilt)
        failures = self._circuit.failures
        results = self._enact(tasks, begun + self._outbox.queue.lease.total_seconds() - _CALL_TIMEOUT_SECONDS)
        ended = now + timedelta(seconds=self._ticks() - begun)
        self._outbox.settle(results, ended)
        self._tell(results, ended)
        if failures >= _OUTAGE_FAILURES and not self._circuit.failures:
            self._outbox.queue.retry_now(ended)
        return not self._circuit.failures

    def watch(self, now: datetime) -> None:
        """Raise or clear the alarm for a row that has waited too long after failed tries."""
        detail = f"网元{self.name}未执行停复机指令 / {self.name} does not carry out orders"
        self._alarms.follow(self.name, self._outbox.queue.tried_since, detail, now)

    def stop(self) -> None:
        """Stop after the call in progress and return the other rows; thread-safe."""
        self._stopping = True

    def close(self) -> None:
        """Close the element's connection."""
        self._element.close()

    def _enact(self, tasks: Sequence[Task], until: float) -> list[TaskResult]:
        """Carry out tasks; none begins after `until` (ticks), to stay within its lease."""
        results: list[TaskResult] = []
        alone = 0  # tasks up to this index go one by one, to find the faulty one of a failed batch
        while left := tasks[len(results) :]:
            silent = bool(results) and results[-1].outcome in (TaskOutcome.UNREACHABLE, TaskOutcome.LEFT)
            if silent or self._stopping or self._ticks() > until:
                return results + [TaskResult(task, TaskOutcome.LEFT) for task in left]
            some = left[: self._together]
            if len(results) < alone or len(some) == 1:
                results.append(self._enact_one(left[0]))
            elif told := self._enact_together(some):
                results += told
            else:
                alone = len(results) + len(some)
        return results

    def _enact_one(self, task: Task) -> TaskResult:
        result = self._enacted(task, lambda: _ask(self._element, task))
        if result.outcome is TaskOutcome.DONE and isinstance(self._element, ManyAtOnce):
            self._together = max(2, self._together)
        return result

    def _enact_together(self, tasks: Sequence[Task]) -> list[TaskResult]:
        """Carry out tasks in one call. []: one of them failed, not known which."""
        assert isinstance(self._element, ManyAtOnce)  # noqa: S101  # else the batch size is 1
        put, cards = self._element.put, {task.card: task.wanted for task in tasks}
        first = self._enacted(tasks[0], lambda: put(cards))
        if first.outcome is TaskOutcome.DONE:
            self._together = min(_MAX_CARDS_PER_CALL, self._together + 1)
            return [TaskResult(task, TaskOutcome.DONE) for task in tasks]
        if first.outcome is not TaskOutcome.UNREACHABLE:
            return []
        # It may be slow rather than silent: halve the batch size, and add one after each batch that succeeds.
        self._together = max(1, self._together // 2)
        return [first, *(TaskResult(task, TaskOutcome.LEFT) for task in tasks[1:])]

    def _enacted(self, task: Task, act: Callable[[], None]) -> TaskResult:
        try:
            act()
        except UnknownCard as error:
            self._circuit.succeeded()
            return TaskResult(task, TaskOutcome.UNKNOWN_CARD, str(error))
        except ElementRefused as error:
            self._circuit.succeeded()
            return TaskResult(task, TaskOutcome.REFUSED, str(error))
        except Exception as error:  # the element may or may not have carried it out
            wait = self._circuit.back_off(task.tries + 1)
            if is_outage(error):
                self._circuit.failed()
                return TaskResult(task, TaskOutcome.UNREACHABLE, f"{type(error).__name__}: {error}", wait)
            # a defect, or one faulty card: the others continue
            outcome = TaskOutcome.FAILED if task.tries + 1 < _MAX_DEFECT_TRIES else TaskOutcome.REFUSED
            return TaskResult(task, outcome, f"{type(error).__name__}: {error}", wait)
        self._circuit.succeeded()
        return TaskResult(task, TaskOutcome.DONE)

    def _tell(self, results: Sequence[TaskResult], now: datetime) -> None:
        self._tell_unknown([one for one in results if one.outcome is TaskOutcome.UNKNOWN_CARD], now)
        refused = [result for result in results if result.outcome is TaskOutcome.REFUSED]
        if refused:
            first = refused[0]
            told = f"{self.name} refused {len(refused)}, first {first.task.order_id}: {first.error}"
            detail = f"网元{self.name}拒绝执行 / {told}"
            self._alarms.raise_now(f"{self.name} refuses"[:24], now, detail)
        elif any(result.outcome is TaskOutcome.DONE for result in results):
            self._alarms.working(f"{self.name} refuses"[:24], now)

    def _tell_unknown(self, unknown: Sequence[TaskResult], now: datetime) -> None:
        """Raise an alarm for each police stop of a card that the element does not know.

        The alarm stays until a person clears it: the element has not stopped that card.
        """
        stops = [one.task for one in unknown if one.task.wanted is NetworkState.SUSPENDED]
        police = self._outbox.police_stops([task.order_id for task in stops])
        for task in (task for task in stops if task.order_id in police):
            card = masked_card(task.card)
            detail = (
                f"网元{self.name}无此号码，公安停机{task.order_id}（{card}）未执行 / {self.name} does not know"
                f" {card}: the police stop {task.order_id} is not carried out there"
            )
            self._alarms.raise_now(f"{task.order_id} {self.name}", now, detail)


def _ask(element: Element, task: Task) -> None:
    match task.wanted:
        case NetworkState.ACTIVE:
            element.restore(task.card)
        case NetworkState.OUTGOING_BARRED:
            element.bar_outgoing(task.card)
        case NetworkState.LIFELINE:
            element.keep_lifeline(task.card)
        case NetworkState.SUSPENDED:
            element.suspend(task.card)
