"""A day of the source document's size, or a fraction of it, played into a running `duanka serve` that is killed.

Calls and messages come as the proxies' own refusal files, numbers as bulk actions over HTTP, clues and outcomes of
calls to victims as their services write them. Everything is delivered twice, and the server, which is also the worker,
is killed with SIGKILL in the middle. The count beside it is made from the plan alone.
"""

from __future__ import annotations

import json
import os
import random
import re
import signal
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import httpx

from duanka.bootstrap import orders as app_orders
from duanka.bootstrap.order_resources import AttachedStore
from duanka.bootstrap.policies import policy_named
from duanka.bootstrap.settings import Settings
from duanka.domain.headline import HeadlineFigure
from duanka.domain.local_time import DEFAULT_ZONE, OperatorZone
from duanka.domain.network import Carried, RefusalReason
from duanka.domain.order import SYSTEM, Role
from duanka.domain.order_decision import OrderDecision
from duanka.engine.store.record_store import RecordStore
from duanka.network.refusal_store import RefusedFile
from support.assessment.histories import dissuaded, sent
from support.desk import duanka, started
from support.orders.books import card, demand, receive
from support.people import people_of
from support.prepared import Running
from support.waiting import HANG, until

CALLS, MESSAGES, NUMBERS, CLUES, DISSUADED = 2_000_000, 4_200_000, 51_000, 2_740, 8_030  # of a day
OPERATORS, CITIES = ("移动", "联通", "电信"), tuple(f"{number}0000" for number in range(11, 42))
_CARDS_OF_ACT, _ROWS_AT_ONCE, _DEMANDS = 5_000, 2_000, 1_000
_FILES = {Carried.CALL: "call_proxy", Carried.MESSAGE: "message_proxy"}
_REASONS = {
    Carried.CALL: (RefusalReason.BLOCKED_SENDER, RefusalReason.BLOCKED_DESTINATION),
    Carried.MESSAGE: (RefusalReason.BLOCKED_SENDER, RefusalReason.RATE, RefusalReason.TEXT),
}
Counts = Counter[tuple[str, str]]  # figure, operator; "" of all together


@dataclass
class PlayedDay:
    """The day before `now`, of the zone of the policy. `scale`: 1: the whole size; `limit`: seconds to wait."""

    folder: Path
    scale: float
    limit: float = float(HANG)
    say: Callable[[str], None] = lambda line: None
    now: datetime = field(default_factory=app_orders.now)
    kills: int = 0
    pause: float = 0.1  # seconds between two looks
    ends_in_order: bool = False  # not killed while everything comes again

    def __post_init__(self) -> None:
        zone = OperatorZone(DEFAULT_ZONE)
        local = zone.local(self.now)
        self.begin = local.replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=1)
        self.numbers = max(int(NUMBERS * self.scale), 6)
        self.many = {
            Carried.CALL: int(CALLS * self.scale),
            Carried.MESSAGE: int(MESSAGES * self.scale),
        }
        self.settings = Settings(orders=self.folder / "duanka-orders", store=self.folder / "records")
        self.environment = {"DUANKA_STORE": str(self.folder / "records")}
        for name in _FILES.values():
            (self.folder / name).mkdir(parents=True)
            self.environment[f"DUANKA_{name.upper()}"] = str(self.folder / name)
        self.keys = people_of(
            self.settings, {"wang": Role.DESK, "li": Role.SUPERVISOR, "reg": Role.REGULATOR}
        )
        with RecordStore(self.folder / "records", zone=DEFAULT_ZONE).writing(
            zone.local(self.now).replace(tzinfo=None)
        ) as writer:
            writer.commit()

    # --- the plan ---

    def place(self, number: int) -> tuple[str, str]:
        """Operator and city of a card."""
        return OPERATORS[number % 3], CITIES[number // 3 % len(CITIES)]

    def refused(self, carried: Carried, first: int, many: int) -> list[tuple[str, float, str, str, str, str]]:
        """Rows of a refusal file, by time; the same again for the same numbers."""
        every = 86_400 / self.many[carried]
        reasons = _REASONS[carried]
        return [
            (
                f"{carried.value}-{number:031x}",
                self.begin.timestamp() + number * every,
                card(number * 7919 % self.numbers),
                str(8613900000000 + number),
                reasons[number % len(reasons)].value,
                "",
            )
            for number in range(first, min(first + many, self.many[carried]))
        ]

    def expected(self) -> Counts:
        """What the plan comes to: by figure and operator, and in all."""
        found = Counts()
        for carried, figure in (
            (Carried.CALL, HeadlineFigure.CALLS),
            (Carried.MESSAGE, HeadlineFigure.MESSAGES),
        ):
            for number in range(self.many[carried]):
                found[figure.value, self.place(number * 7919 % self.numbers)[0]] += 1
        for number in range(self.numbers):
            found[HeadlineFigure.NUMBERS.value, self.place(number)[0]] += 1
        for number in range(self._some(CLUES)):
            for operator in {place[0] for place in self._places_of_clue(number)}:
                found[HeadlineFigure.CLUES.value, operator] += 1
        for number in range(self._some(DISSUADED)):
            found[HeadlineFigure.DISSUADED.value, self.place(number)[0]] += 1
        for figure in HeadlineFigure:
            found[figure.value, ""] = sum(n for (name, _), n in found.items() if name == figure.value)
        found[HeadlineFigure.CLUES.value, ""] = self._some(CLUES)
        return found

    def _some(self, many: int) -> int:
        return max(int(many * self.scale), 2)

    def _places_of_clue(self, number: int) -> set[tuple[str, str]]:
        return {self.place(number), self.place(number + 1)} if number % 10 == 0 else {self.place(number)}

    # --- playing ---

    def play(self) -> None:
        """All of it, twice, with kills between."""
        files = {c: RefusedFile(self.folder / name / "refused.sqlite", name, c) for c, name in _FILES.items()}
        for file in files.values():
            file.make()
        with app_orders.desk(self.settings, policy_named("national"), create=True) as here:
            records: AttachedStore = here.attached_store
            records.write_mark(SYSTEM, self.now)
            for first in range(0, self.numbers, _DEMANDS):
                some = range(first, min(first + _DEMANDS, self.numbers))
                receive(here.orders, [self._demand(number) for number in some], self.begin)
        self.say("orders are there")
        self._deliver(files, 0.6)
        with self._serving() as (process, api):
            acts = self._propose(api)
            self._wait(lambda: self._left() < sum(self.many.values()) * 0.45)
            self._kill(process)
        self._deliver(files, 1.0, begin=0.6)
        self._others()
        with self._serving() as (process, api):
            self._approve(api, acts)
            self._wait(lambda: self._suspended() > 0 or not acts)
            self._kill(process)
        self.say("everything again")
        with self._serving() as (process, api):
            self._approve(api, acts)
            self._wait(lambda: not self._left() and self._suspended() == self.numbers)
            self._deliver(files, 1.0)
            self._wait(lambda: self._left() < sum(self.many.values()))
            if self.ends_in_order:
                self._wait(lambda: not self._left())
                return
            self._kill(process)
        with self._serving():
            self._wait(lambda: not self._left())

    def _demand(self, number: int) -> OrderDecision:
        operator, city = self.place(number)
        return demand(number, operator=operator, city=city)

    def _deliver(self, files: dict[Carried, RefusedFile], end: float, begin: float = 0.0) -> None:
        """Write a part of the day into the refusal files, as the proxies do."""
        for carried, file in files.items():
            first, last = int(self.many[carried] * begin), int(self.many[carried] * end)
            for at in range(first, last, _ROWS_AT_ONCE):
                file.add(self.refused(carried, at, min(_ROWS_AT_ONCE, last - at)))

    def _left(self) -> int:
        """How many refusals wait in the files."""
        left = 0
        for name in _FILES.values():
            with closing(sqlite3.connect(self.folder / name / "refused.sqlite", timeout=HANG)) as file:
                left += file.execute("SELECT count(*) FROM refused").fetchone()[0]
        return left

    def _suspended(self) -> int:
        """How many cards the bulk actions have stopped."""
        database = self.settings.orders / "orders.sqlite"
        with closing(sqlite3.connect(database, timeout=HANG)) as connection:
            done = "SELECT count(*) FROM act_cards WHERE outcome = 'done'"
            return int(connection.execute(done).fetchone()[0])

    def _others(self) -> None:
        """Clues that were sent, and calls that dissuaded: some twice."""
        lot = random.Random(3)
        with app_orders.desk(self.settings, policy_named("national")) as here:
            for number in range(self._some(CLUES)):
                at = self.begin + timedelta(seconds=lot.randrange(86_400))
                sent(here.store, f"L{number}", at, sorted(self._places_of_clue(number)), here.trail)
            for number in range(self._some(DISSUADED)):
                for _ in range(1 + number % 2):
                    at = self.begin + timedelta(seconds=lot.randrange(86_400))
                    dissuaded(here.store, f"W{number}", at, self.place(number), key=here.trail)

    # --- the server ---

    @contextmanager
    def _serving(self) -> Iterator[tuple[Running, str]]:
        log = self.folder / "serve.log"
        with log.open("w") as err:
            process = started("serve", "--port", "0", cwd=self.folder, out=err, err=err, **self.environment)
        try:
            until(lambda: "API: " in log.read_text() or process.poll() is not None)
            found = re.search(r"API: (http://\S+)", log.read_text())
            assert found, log.read_text()
            yield process, found[1]
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
                process.wait(HANG)

    def _kill(self, process: Running) -> None:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        self.kills += 1
        self.say("killed")

    def _propose(self, api: str) -> list[str]:
        """Bulk actions that suspend every card of the plan; each is sent twice, and one of them rejected."""
        found = list[str]()
        cards = [f"+{card(number)}" for number in range(self.numbers)]
        with httpx.Client(headers=self._key("wang"), timeout=HANG) as client:
            for first in range(0, len(cards), _CARDS_OF_ACT):
                body = {
                    "event": "suspend",
                    "phoneNumbers": cards[first : first + _CARDS_OF_ACT],
                    "reason": {"zh": "测试", "en": "a test"},
                }
                answer = client.post(f"{api}/acts", json=body)
                assert answer.status_code == 201, answer.text
                found.append(answer.json()["id"])
        return found

    def _approve(self, api: str, acts: Sequence[str]) -> None:
        """Approve them, again where that was done before."""
        with httpx.Client(headers=self._key("li"), timeout=HANG) as client:
            for act in acts:
                answer = client.post(f"{api}/acts/{act}/approve", json={"why": "seen"})
                assert answer.status_code in (200, 409), answer.text

    def _key(self, who: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.keys[who]}"}

    def _wait(self, condition: Callable[[], bool]) -> None:
        end = time.monotonic() + self.limit
        while not condition():
            assert time.monotonic() < end, (self.folder / "serve.log").read_text()[-2000:]
            time.sleep(self.pause)

    # --- what is told ---

    def told(self, who: str = "reg") -> tuple[Counts, set[str]]:
        """What `duanka figures` says from the day on, by figure and operator; and how certain it is."""
        typed = duanka(
            *("figures", "--since", f"{self.begin:%Y-%m-%d}", "--by", "operator", "--json"),
            cwd=self.folder,
            DUANKA_API_KEY=self.keys[who],
            **self.environment,
        )
        assert typed.code == 0, typed.err
        rows = [json.loads(line) for line in typed.out.splitlines()]
        counts = Counts({(row["figure"], row["group"] or ""): row["count"] for row in rows})
        return counts, {row["certainty"] for row in rows}
