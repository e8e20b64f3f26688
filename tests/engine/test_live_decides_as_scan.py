"""What is asked for a card at the end of live records is what a scan over the same records asks, line by line."""

from __future__ import annotations

import json
import random
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from duanka.application.stream import Following, follow_records
from duanka.bootstrap.scan import policy_named
from duanka.decision_log.writer import DECISIONS, HITS, DecisionLogWriter, decision_line
from duanka.domain.judgement import Judgement
from duanka.domain.police_reasons import CONFIRMED
from duanka.domain.policy import Policy
from duanka.domain.ports import Silent
from duanka.domain.streaming import Batch, BatchResult, IntakeBacklog
from duanka.engine import DuckDBEngine
from duanka.ingest.storage.key_columns import KnownTexts, with_keys
from duanka.rules import RULES
from support.engine.streams import NOW, arrivals, batch_of, cut_up, opened, piece
from support.engine.worlds import LIMITS, LISTS, START, World, canonical, invented

_SEEDS = st.integers(0, 1_000_000)
_PATIENT = {"deadline": None, "suppress_health_check": list(HealthCheck), "print_blob": True}
_POLICY = policy_named("national")
_UNKNOWN = "8613899999999"  # in no register, and without a record


class Played:
    """A feed of batches that are there already."""

    def __init__(self, batches: Sequence[Batch]) -> None:
        self._batches = batches

    def batches(self, done: Mapping[str, int]) -> Iterator[Batch]:
        yield from self._batches[done.get("played", 0) :]

    def settled(self, positions: Mapping[str, int]) -> None: ...

    def waiting(self) -> IntakeBacklog:
        return IntakeBacklog(backlog=0)

    def stop(self) -> None: ...


class Backlog(Played):
    """The same, where all of it was there at the start."""

    left = 0

    def batches(self, done: Mapping[str, int]) -> Iterator[Batch]:
        for number, batch in enumerate(self._batches, 1):
            self.left = len(self._batches) - number
            yield batch

    def waiting(self) -> IntakeBacklog:
        return IntakeBacklog(self.left, backlog=self.left)


class Unseen:
    def note(self, taken: BatchResult, waiting: IntakeBacklog) -> None: ...


def judged(policy: Policy) -> Judgement:
    return Judgement(policy, policy.running(RULES), LIMITS)


def followed(
    world: World, batches: Sequence[Batch], folder: Path, policy: Policy = _POLICY, *, once: bool = True
) -> None:
    """A live run over these batches, from where the one before it ended."""
    with (
        opened(folder / "state", world, history=True, shadows=policy.shadows) as engine,
        DecisionLogWriter(folder) as ledger,
    ):
        follow_records(
            Following(
                feed=Played(batches),
                engine=engine,
                judgement=judged(policy),
                ledger=ledger,
                watch=Unseen(),
                clock=lambda: NOW,
                ticks=lambda: 0.0,
                once=once,
            )
        )


Said = dict[str, dict[str, Any]]


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def last_decisions(folder: Path) -> Said:
    """Card -> what is asked for it, without the change's number and what was covered; not of whom nothing is asked."""
    last = {line["card"]: line for line in lines(folder / DECISIONS)}
    return {
        card: {name: value for name, value in line.items() if name not in ("seq", "covers")}
        for card, line in last.items()
        if line["reasons"]
    }


def scanned(world: World, work: Path, policy: Policy = _POLICY, as_of: datetime | None = None) -> Said:
    """The same of a scan."""
    work.mkdir(parents=True)
    paths, known = {}, KnownTexts(work / "texts.parquet")
    for table, frame in world.frames.items():
        paths[table] = [work / f"{table}.parquet"]
        with_keys(table, frame, known).write_parquet(paths[table][0])
    # of all that was ever delivered, as intake counts them: also what a later row of a register no longer says
    columns = {
        table: _filled(frame) | _filled(world.before.get(table)) for table, frame in world.frames.items()
    }
    with DuckDBEngine(work / "engine", threads=1) as engine:
        engine.load(paths, columns, world.lists, as_of, known.close())
        running = policy.running(RULES)
        engine.build([(rule, LIMITS[rule.id]) for rule in running], Silent())
        for rule in running:
            engine.run(rule, LIMITS[rule.id])
        judgement = judged(policy)
        found = [json.loads(decision_line(1, c)) for c in map(judgement.of, engine.cards_with_hits())]
    for line in found:
        del line["seq"]
    return {line["card"]: line for line in found if line["reasons"]}


def _filled(frame: pl.DataFrame | None) -> frozenset[str]:
    return frozenset(s.name for s in frame if s.null_count() < len(s)) if frame is not None else frozenset()


def confirmed(card: str, at: datetime | None, case: str = "A1") -> dict[str, object]:
    return {"card": card, "case_id": case, "confirmed_at": at}


def with_cases(world: World, rows: Sequence[dict[str, object]]) -> World:
    return World({**world.frames, "cases": canonical("cases", rows)}, world.before, world.lists)


def drawn_cases(world: World, chance: random.Random) -> World:
    """Cases of all kinds: before the first record, after the last, without a time, of a card that nobody knows."""
    known = world.frames["cards"]["card"].to_list()
    when = (START - timedelta(days=30), START + timedelta(days=3), START + timedelta(days=40), None)
    rows = [
        confirmed(chance.choice([*known, _UNKNOWN]), chance.choice(when), f"A{n}")
        for n in range(chance.randint(0, 4))
    ]
    return with_cases(world, rows) if rows else world


def delivered(world: World, chance: random.Random, most: int) -> list[Batch]:
    coming = arrivals(world, chance)
    return [batch_of(world, some, n) for n, some in enumerate(cut_up(coming, chance, most), 1)]


def assert_decided_alike(seed: int, most: int, stops: int) -> None:
    chance = random.Random(seed)
    world = drawn_cases(invented(seed, cards=14), chance)
    batches = delivered(world, chance, most)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for end in sorted(chance.sample(range(len(batches)), min(stops, len(batches)))):
            followed(world, batches[:end], folder, once=False)
        followed(world, batches, folder)
        assert last_decisions(folder) == scanned(world, folder / "scan")
        told = lines(folder / HITS)
        assert [line["seq"] for line in told] == list(range(1, len(told) + 1))
        new = [line for line in told if line["rule"] == CONFIRMED and line["kind"] == "raised"]
        cases = [(line["card"], line["evidence"]["case_id"]) for line in new]
        assert len(cases) == len(set(cases)), "each case is told once"


@settings(max_examples=3, **_PATIENT)  # type: ignore[arg-type]
@given(seed=_SEEDS, most=st.sampled_from([12, 40, 400]), stops=st.sampled_from([0, 1, 3]))
def test_any_world_is_decided_as_by_a_scan(seed: int, most: int, stops: int) -> None:
    assert_decided_alike(seed, most, stops)


@pytest.mark.long
@settings(max_examples=60, **_PATIENT)  # type: ignore[arg-type]
@given(seed=_SEEDS, most=st.sampled_from([12, 40, 400]), stops=st.sampled_from([0, 1, 3]))
def test_many_worlds_are_decided_as_by_a_scan(seed: int, most: int, stops: int) -> None:
    assert_decided_alike(seed, most, stops)


def one_call_each(*cards: str) -> World:
    """Cards that no rule hits: a call of each."""
    call = {
        "peer": "8613900000000",
        "direction": "out",
        "started_at": START + timedelta(hours=9),
        "seconds": 60,
    }
    return World({"calls": canonical("calls", [{"card": card, **call} for card in cards])}, {}, LISTS)


CARD = "8613800000007"
CASES = {
    "during the records": confirmed(CARD, START + timedelta(hours=9)),
    "long before the first record": confirmed(CARD, START - timedelta(days=400)),
    "after the last record": confirmed(CARD, START + timedelta(days=3)),
    "at no known time": confirmed(CARD, None),
    "of a card without a record": confirmed(_UNKNOWN, START + timedelta(hours=9)),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
@pytest.mark.parametrize(("first", "once"), [("cases", False), ("calls", True)])
def test_a_card_that_no_rule_hits_is_stopped_when_the_police_confirm_it(
    case: dict[str, object], first: str, once: bool, tmp_path: Path
) -> None:
    world = with_cases(one_call_each(CARD, "8613800000008"), [case])
    tables = sorted(("cases", "calls"), key=lambda table: table != first)
    batches = [
        batch_of(World({table: world.frames[table]}, {}, LISTS), coming, number)
        for number, table in enumerate(tables, 1)
        for coming in [_all_of(world, table)]
    ]
    followed(world, batches[:1], tmp_path, once=once)  # and a restart between the two
    if first == "cases":
        assert last_decisions(tmp_path)[str(case["card"])]["action"] == "stop", "it waits for no record"
    followed(world, batches, tmp_path, once=once)
    said = last_decisions(tmp_path)
    assert {card: line["action"] for card, line in said.items()} == {case["card"]: "stop"}
    assert said == scanned(world, tmp_path / "scan")


def _all_of(world: World, table: str) -> Any:
    only = World({table: world.frames[table]}, {}, LISTS)
    if table == "calls":
        return arrivals(only, random.Random(1))
    both = World({table: world.frames[table], "calls": world.frames["calls"]}, {}, LISTS)
    return [one for one in arrivals(both, random.Random(1)) if one.table == table]


@pytest.mark.parametrize("first", ["cards", "cases"])
def test_the_operator_and_the_city_of_a_card_are_told_as_by_a_scan(first: str, tmp_path: Path) -> None:
    """Whether the register came before the case or after it; and who is in no register has neither."""
    world = with_cases(one_call_each(CARD), [confirmed(CARD, START), confirmed(_UNKNOWN, START, "B2")])
    register = canonical("cards", [{"card": CARD, "operator": "河北移动", "home_city": "130100"}])
    world = World({**world.frames, "cards": register}, {}, LISTS)
    tables = sorted(world.frames, key=lambda table: table != first)
    batches = [batch_of(world, _all_of(world, table), n) for n, table in enumerate(tables, 1)]
    followed(world, batches[:1], tmp_path, once=False)
    followed(world, batches, tmp_path)
    said = last_decisions(tmp_path)
    places = {card: (line["operator"], line["city"]) for card, line in said.items()}
    assert places == {CARD: ("河北移动", "130100"), _UNKNOWN: ("", "")}
    assert said == scanned(world, tmp_path / "scan")


def test_decisions_are_the_same_in_whatever_order_the_files_of_a_backlog_come(tmp_path: Path) -> None:
    """What their records cover, too: of a backlog that is still being read they say nothing."""
    world = with_cases(one_call_each(CARD), [CASES["during the records"]])
    later = with_cases(one_call_each(CARD), [confirmed(_UNKNOWN, START, "B2")])
    said = []
    for tables in (("cases", "calls"), ("calls", "cases")):
        folder = tmp_path / tables[0]
        batches = [batch_of(world, _all_of(world, table), n) for n, table in enumerate(tables, 1)]
        followed(world, batches, folder)
        followed(later, [*batches, batch_of(later, _all_of(later, "cases"), 3)], folder)
        said.append(lines(folder / DECISIONS))
    assert said[0] == said[1]
    assert [line.get("covers", {}).get("days") for line in said[0]] == [None, {"calls": 1}]


def test_whoever_says_what_now_is_sees_the_cases_confirmed_by_then(tmp_path: Path) -> None:
    world = with_cases(one_call_each(CARD, "8613800000008"), [CASES["after the last record"]])
    before = scanned(world, tmp_path / "before", as_of=START + timedelta(days=2))
    after = scanned(world, tmp_path / "after", as_of=START + timedelta(days=4))
    assert CARD not in before
    assert after[CARD]["action"] == "stop"


def test_a_second_case_of_a_card_is_told_too_and_the_same_one_is_not(tmp_path: Path) -> None:
    world = one_call_each(CARD)
    for number, names in enumerate((["A1"], ["A1"], ["A1", "B2"]), 1):
        here = with_cases(world, [confirmed(CARD, START, name) for name in names])
        coming = _all_of(here, "cases")
        followed(here, [Batch()] * (number - 1) + [batch_of(here, coming, number)], tmp_path)
    told = [line["evidence"]["case_id"] for line in lines(tmp_path / HITS) if line["rule"] == CONFIRMED]
    assert told == ["A1", "B2"]
    assert last_decisions(tmp_path)[CARD]["cases"] == ["A1", "B2"]


def test_a_state_whose_cases_were_never_told_tells_them_at_the_next_start(tmp_path: Path) -> None:
    world = with_cases(one_call_each(CARD), [CASES["during the records"]])
    batches = delivered(world, random.Random(1), 10)
    followed(world, batches, tmp_path)
    for name in (HITS, DECISIONS):
        (tmp_path / name).unlink()
    with opened(tmp_path / "state", world) as engine, engine._state.working():
        engine._run("DROP TABLE state.confirmed")
        engine._state.commit()
    followed(world, batches, tmp_path, once=False)
    assert last_decisions(tmp_path)[CARD]["action"] == "stop"


def test_a_policy_that_decides_otherwise_over_the_same_hits_is_told(tmp_path: Path) -> None:
    """Weights, tiers, and a rule that comes out of shadow move no hit."""
    world = invented(11, cards=14)
    batches = delivered(world, random.Random(11), 60)
    quiet = _POLICY.with_shadow([rule.id for rule in RULES if rule.id in _POLICY.rules])
    heavy = replace(_POLICY, rules={r: replace(s, weight=s.weight * 9) for r, s in _POLICY.rules.items()})
    followed(world, batches, tmp_path, quiet)
    for number, policy in enumerate((_POLICY, heavy, quiet, _POLICY)):
        followed(world, batches, tmp_path, policy)
        decided = scanned(world, tmp_path / f"scan{number}", policy)
        said = last_decisions(tmp_path)
        assert {c: (d["tier"], d["action"]) for c, d in said.items()} == {
            c: (d["tier"], d["action"]) for c, d in decided.items()
        }
    before = (tmp_path / DECISIONS).read_bytes()
    followed(world, batches, tmp_path, _POLICY)
    assert (tmp_path / DECISIONS).read_bytes() == before, "the same policy has nothing to tell again"


def test_a_policy_that_does_not_run_a_rule_any_more_takes_its_hits_back(tmp_path: Path) -> None:
    world = invented(11, cards=14)
    batches = delivered(world, random.Random(11), 60)
    followed(world, batches, tmp_path)
    gone = next(line["rule"] for line in lines(tmp_path / HITS) if line["rule"] in LIMITS)  # no police case
    less = replace(_POLICY, rules={r: s for r, s in _POLICY.rules.items() if r != gone})
    limits = {rule: its for rule, its in LIMITS.items() if rule != gone}
    with opened(tmp_path / "state", world, limits=limits) as engine, DecisionLogWriter(tmp_path) as ledger:
        follow_records(
            Following(
                Played(batches), engine, judged(less), ledger, Unseen(), lambda: NOW, lambda: 0.0, once=True
            )
        )
    assert any(line["kind"] == "revoked" and line["rule"] == gone for line in lines(tmp_path / HITS))
    assert all(gone not in (r["rule"] for r in d["reasons"]) for d in last_decisions(tmp_path).values())


def calls_at(*moments: datetime) -> Batch:
    rows = [
        {"card": _UNKNOWN, "peer": "8613900000000", "direction": "out", "started_at": moment}
        for moment in moments
    ]
    frame = canonical("calls", rows)
    return Batch((piece("calls", frame, range(1, frame.height + 1)),), records=frame.height)


class UsedAndLate:
    late = used = 0

    def note(self, taken: BatchResult, waiting: IntakeBacklog) -> None:
        self.late, self.used = self.late + taken.late, self.used + taken.used


class NotYetKnown(Backlog):
    """A backlog of which nobody knows how long it is, as before a server answers."""

    def waiting(self) -> IntakeBacklog:
        return IntakeBacklog() if self.left else IntakeBacklog(backlog=0)


@pytest.mark.parametrize("kind", [Backlog, NotYetKnown])
def test_a_moment_without_records_does_not_end_what_lies_there_at_the_start(
    tmp_path: Path, kind: type[Backlog]
) -> None:
    """A slow server or a large file: what comes behind the pause is not too late."""
    days = [calls_at(START + timedelta(days=day)) for day in (2, 1, 0)]
    batches = [Batch(), days[0], Batch(), *days[1:], Batch()]
    watch = UsedAndLate()
    with (
        opened(tmp_path / "state", World({}, {}, LISTS), history=True) as engine,
        DecisionLogWriter(tmp_path) as ledger,
    ):
        follow_records(
            Following(kind(batches), engine, judged(_POLICY), ledger, watch, lambda: NOW, lambda: 0.0)
        )
        assert (watch.used, watch.late, engine.in_history) == (3, 0, False)


def test_one_record_of_now_does_not_end_what_lies_there_at_the_start(tmp_path: Path) -> None:
    """A wrong clock, or a file that was copied first: the three months behind it are not too late."""
    batches = [calls_at(NOW, START), *(calls_at(START + timedelta(days=day)) for day in (1, 2))]
    watch = UsedAndLate()
    with (
        opened(tmp_path / "state", World({}, {}, LISTS), history=True) as engine,
        DecisionLogWriter(tmp_path) as ledger,
    ):
        follow_records(
            Following(
                feed=Backlog(batches),
                engine=engine,
                judgement=judged(_POLICY),
                ledger=ledger,
                watch=watch,
                clock=lambda: NOW,
                ticks=lambda: 0.0,
            )
        )
        assert (watch.used, watch.late, engine.in_history) == (4, 0, False)
