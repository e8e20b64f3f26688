"""The engine on a cluster finds what the embedded engine finds, on Sail and on a Spark of several processes."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from duanka.domain.errors import DuankaError, RuleError
from duanka.domain.ports import Silent
from duanka.domain.rule import Rule
from duanka.domain.rule_examples import calls
from duanka.domain.schema import TABLES
from duanka.engine import Cluster, DuckDBEngine
from duanka.engine.batch import spark_session as remote
from duanka.engine.batch.spark_session import Remote
from duanka.engine.shared.duckdb_database import arrow_rows
from duanka.engine.sql.render import render, split_rounding
from duanka.network.process import free_port
from duanka.rules import RULES
from duanka.simulator import simulate
from support import ROOT, servers
from support.desk import duanka
from support.engine.batches import Batch, batches
from support.parts import needed
from support.servers import Server

STOCK = "virtual_operator_stock"  # it reads when a card was verified


@pytest.fixture(scope="module", params=["sail", "spark"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server of each kind; without its parts the test says so, and under CI=true it fails."""
    work = tmp_path_factory.mktemp(request.param)
    if request.param == "spark":
        needed(servers.missing())
    with (servers.sail if request.param == "sail" else servers.spark)(work) as running:
        yield running


@contextmanager
def loaded(engine: Cluster | DuckDBEngine, batch: Batch, work: Path) -> Iterator[Cluster | DuckDBEngine]:
    paths, columns = batch.write(work)
    with engine:
        engine.load(paths, columns, batch.lists, batch.as_of)
        engine.add_hits(batch.hits)
        engine.build(batch.rules, Silent())
        yield engine


def found(engine: Cluster | DuckDBEngine, batch: Batch, work: Path) -> tuple[list[object], pa.Table]:
    """What each rule says of its run, and hits.parquet; asserts what the examples say."""
    with loaded(engine, batch, work) as ready:
        runs: list[object] = [ready.run(rule, limits) for rule, limits in batch.rules]
        for example in batch.examples:
            hit = ready.flagged(example.rule.id) & example.cards
            expected = example.cards if example.flags else set()
            assert hit == expected, f"{example.rule.id}: {example.case.title}"
        ready.write_hits(work / "hits.parquet")
        return [*runs, ready.cards()], pq.read_table(work / "hits.parquet")


_EVERY_EXAMPLE = batches(RULES)
# On a whole Spark every rule, in the deliveries that hold nine of ten examples; the others differ from them in a moment
# or a first day, need ten deliveries more, and run there with what is long.
_LARGE = [batch for batch in _EVERY_EXAMPLE if len(batch.examples) > 5]


def test_every_rule_does_on_a_cluster_what_its_examples_say(server: Server, tmp_path: Path) -> None:
    together = _LARGE if server.name == "Spark" else _EVERY_EXAMPLE
    assert {rule.id for batch in together for rule, _ in batch.rules} == {rule.id for rule in RULES}
    _assert_found_as_embedded(together, server, tmp_path)


@pytest.mark.long
@pytest.mark.parametrize("server", ["spark"], indirect=True)
def test_the_other_examples_are_the_same_on_a_whole_spark(server: Server, tmp_path: Path) -> None:
    assert sum(len(batch.examples) for batch in _EVERY_EXAMPLE) == sum(len(r.flags + r.spares) for r in RULES)
    _assert_found_as_embedded([one for one in _EVERY_EXAMPLE if one not in _LARGE], server, tmp_path)


def _assert_found_as_embedded(together: list[Batch], server: Server, tmp_path: Path) -> None:
    for number, batch in enumerate(together):
        here = found(DuckDBEngine(tmp_path / "work", threads=1), batch, tmp_path / f"here-{number}")
        there = found(
            Cluster(tmp_path / f"work-{number}", server.remote), batch, tmp_path / f"there-{number}"
        )
        assert there[0] == here[0]
        assert there[1].schema == here[1].schema
        assert there[1].to_pylist() == here[1].to_pylist()


@pytest.mark.parametrize("server", ["sail", pytest.param("spark", marks=pytest.mark.long)], indirect=True)
def test_a_scan_of_a_province_is_the_same_to_the_last_byte(
    server: Server, province: Path, national: Path, tmp_path: Path
) -> None:
    assert _scanned_alike(server, province, national, tmp_path, "national").num_rows > 500


# Of each kind of input: calls by the hour, days of use, the register, devices and places, messages, hits of others.
_FEW = ("over_frequency", "sleeping_card", "cards_per_holder", "sim_box", "code_receiver", "repeat_alerts")


@pytest.mark.parametrize("server", ["spark"], indirect=True)
def test_a_scan_under_a_few_rules_is_the_same_on_a_whole_spark(server: Server, tmp_path: Path) -> None:
    head, *rules = (ROOT / "policies" / "national.toml").read_text().split("\n[rules.")
    policy = tmp_path / "few.toml"
    policy.write_text("\n[rules.".join([head, *(one for one in rules if one.partition("]")[0] in _FEW)]))
    simulate(tmp_path / "province", cards=1_500, days=14, seed=3)
    here = duanka("scan", tmp_path / "province", "--out", tmp_path / "here", "--policy", policy)
    assert (here.code, here.err) == (0, "")
    same = _scanned_alike(server, tmp_path / "province", tmp_path / "here", tmp_path, policy)
    assert set(same["rule"].to_pylist()) == set(_FEW)


def _scanned_alike(
    server: Server, province: Path, here: Path, tmp_path: Path, policy: str | Path
) -> pa.Table:
    """The hits of a scan on the server, which writes what the embedded engine wrote into `here`."""
    words = ("--policy", policy, "--out", "out", "--engine", "spark")
    typed = duanka("scan", province, *words, cwd=tmp_path, DUANKA_REMOTE=server.remote)
    assert (typed.code, typed.err) == (0, "")
    hits, there = (pq.read_table(out / "hits.parquet") for out in (here, tmp_path / "out"))
    assert there.to_pylist() == hits.to_pylist()
    for file in ("hits.parquet", "cards_at_risk.csv", "report.html"):
        assert (tmp_path / "out" / file).read_bytes() == (here / file).read_bytes(), file
    return hits


def test_who_passed_is_the_same_on_a_cluster(server: Server, tmp_path: Path) -> None:
    whole = next(one for one in batches(RULES) if any(rule.id == STOCK for rule, _ in one.rules))
    batch = Batch([example for example in whole.examples if example.rule.id == STOCK])
    cards = set().union(*(e.cards for e in batch.examples if e.flags))
    assert len(cards) > 1
    for passed_at, spared in ((batch.as_of, True), (batch.as_of + timedelta(hours=1), False)):
        passes = dict.fromkeys(sorted(cards)[1:], passed_at)
        flagged = []
        here = DuckDBEngine(tmp_path / f"work-{spared}", threads=1, passes=passes)
        there = Cluster(tmp_path / f"cluster-{spared}", server.remote, passes=passes)
        for name, engine in (("here", here), ("there", there)):
            with loaded(engine, batch, tmp_path / f"{name}-{spared}") as ready:
                for rule, limits in batch.rules:
                    ready.run(rule, limits)
                flagged.append(ready.flagged(STOCK) & cards)
        assert flagged[0] == flagged[1] == ({sorted(cards)[0]} if spared else cards)


# Dialects: each line means something else, or nothing, in one of them unless it is repaired.

TRAPS = {
    "division by zero is unknown": "SELECT i, n / z, n % z, n // z FROM t",
    "whole numbers divide into fractions": "SELECT i, n / 2, (n + 1) / (n + n) FROM t WHERE n > 0",
    "a time has no zone": "SELECT i, at >= TIMESTAMP '2021-03-28 02:30:00', CAST('2021-10-31 02:30' AS TIMESTAMP)"
    " FROM t",
    "an hour begins where it begins": "SELECT i, date_trunc('hour', at) FROM t",
    "a month is one of local time": "SELECT i, date_trunc('month', day), date_trunc('month', at) FROM t",
    "a day and some hours are a time": "SELECT i, day + 3 * INTERVAL '1' HOUR, day - INTERVAL '90' MINUTE FROM t",
    "a time and some days are a time": "SELECT i, at + 30 * INTERVAL '1' DAY, at - INTERVAL '6' DAYS FROM t",
    "a day is its midnight": "SELECT i, day <= at, CAST(day AS TIMESTAMP) < at,"
    " day >= TIMESTAMP '2021-03-28 00:00:00' FROM t",
    "a range of days leaves gaps out": "SELECT i, sum(n) OVER (PARTITION BY card ORDER BY day"
    " RANGE BETWEEN INTERVAL '6' DAYS PRECEDING AND CURRENT ROW) FROM t",
    "a named range of days": "SELECT i, sum(n) OVER week, count(*) OVER week FROM t WINDOW week AS (PARTITION BY card"
    " ORDER BY day RANGE BETWEEN INTERVAL '6' DAYS PRECEDING AND CURRENT ROW)",
    "peers of a running sum count together": "SELECT i, sum(n) OVER (PARTITION BY card ORDER BY day) FROM t",
    "the unknown comes last": "SELECT i, row_number() OVER (ORDER BY n, i), lag(n, 2 - 1) OVER (ORDER BY n, i) FROM t",
    "the unknown comes last downwards": "SELECT i, row_number() OVER (ORDER BY n DESC, i) FROM t",
    "the extremes skip the unknown": "SELECT i, least(n, NULL, z), greatest(z, NULL, n) FROM t",
    "all keys of a group": "SELECT card, CAST(at AS DATE) AS d, count(*), sum(n) FROM t GROUP BY ALL",
    "counted where a condition holds": "SELECT card, count(*) FILTER (WHERE n > 1), sum(n) FILTER (WHERE n > 99),"
    " coalesce(sum(n) FILTER (WHERE flag), 0) FROM t GROUP BY card",
    "the unknown is not counted": "SELECT count(n), count(DISTINCT n), count(DISTINCT CASE WHEN n > 1 THEN card END)"
    " FROM t",
    "tenths are exact": "SELECT i, n <= 0.1 * z, n * 0.3 >= 0.9, 0.1 * n = 0.3 FROM t",
    "beginnings of text": "SELECT i, starts_with(card, '86'), starts_with(card, 'x') FROM t",
    "quotes and strokes in text": "SELECT i, card || 'it''s', 'a\\b', length(card || '短信') FROM t",
    "pairs in a list or another": "SELECT i FROM t WHERE (card, day) IN (SELECT card, day FROM t WHERE n > 2)"
    " OR card IN (SELECT card FROM t WHERE n = 0)",
    "existence inside an expression": "SELECT i FROM t AS a WHERE coalesce(a.flag, EXISTS (SELECT 1 FROM t AS b"
    " WHERE starts_with(a.card, b.card) AND b.n > 2))",
    "the first of each": "SELECT i FROM t QUALIFY row_number() OVER (PARTITION BY card ORDER BY day, i) = 1",
    "unknown in a list": "SELECT i FROM t WHERE n NOT IN (1, 2) OR n IS NULL",
}


def _moments() -> pa.Table:
    """Rows with gaps between days, unknown values, zeroes, midnights, and hours that summer time skips or repeats."""
    times = [
        "2021-03-27 23:59:59.999999",
        "2021-03-28 00:00:00",
        "2021-03-28 02:30:00",
        "2021-03-31 10:00:00",
        "2021-04-03 10:00:00",
        "2021-04-04 10:00:00",
        "2021-10-31 02:30:00.5",
        "1986-05-04 00:30:00",
        "2021-04-02 00:00:00",
    ]
    at = [datetime.fromisoformat(time) for time in times]
    n = [1, 2, 3, 0, 5, None, 3, 2, 3]
    return pa.table(
        {
            "i": pa.array(range(9), pa.int64()),
            "card": ["8613800000001"] * 6 + ["86", "861", "it's"],
            "at": pa.array(at, pa.timestamp("us")),
            "day": pa.array([time.date() for time in at], pa.date32()),
            "n": pa.array(n, pa.int64()),
            "z": pa.array([0, 10, 20, 30, 0, 7, None, 3, 30], pa.int64()),
            "flag": pa.array([True, None, False, None, True, False, None, None, True], pa.bool_()),
        }
    )


def test_no_trap_of_the_dialects_catches_us(server: Server, tmp_path: Path) -> None:
    pq.write_table(_moments(), tmp_path / "t.parquet")
    here = duckdb.connect()
    here.execute(f"CREATE TABLE t AS SELECT * FROM '{tmp_path}/t.parquet'")
    with closing(Remote(server.remote)) as there:
        there.open("t", [tmp_path / "t.parquet"], _moments().schema)
        for name, sql in TRAPS.items():
            expected = sorted(
                ([_same(v) for v in row] for row in here.execute(render(sql, {})).fetchall()), key=str
            )
            got = sorted(([_same(v) for v in row] for row in there.rows(render(sql, {}, "spark"))), key=str)
            assert got == expected, name


def _same(value: object) -> object:
    """A day and its midnight are the same; a figure is, whatever its type."""
    return datetime.combine(value, datetime.min.time()) if type(value).__name__ == "date" else value  # type: ignore[arg-type]


def test_one_engine_rounds_for_both(server: Server, tmp_path: Path) -> None:
    rows = [(a, b) for b in (3, 80, 160, 1000, 1600) for a in range(1, b, 7)]
    table = pa.table({"a": [a for a, _ in rows], "b": [b for _, b in rows]})
    pq.write_table(table, tmp_path / "t.parquet")
    sql = "SELECT a, b, round(a / b, 3) AS share, CAST(round(a / 2) AS BIGINT) AS half FROM t"
    text, afterwards = split_rounding(sql, {})
    assert set(afterwards) == {"share", "half"}
    here = duckdb.connect()
    with closing(Remote(server.remote)) as there:
        there.open("t", [tmp_path / "t.parquet"], table.schema)
        here.register("arrived", there.arrow(text))
    here.register("t", table)
    asked = ", ".join(afterwards.get(c, c) for c in ("a", "b", "share", "half"))
    assert sorted(here.execute(f"SELECT {asked} FROM arrived").fetchall()) == sorted(
        here.execute(sql).fetchall()
    )
    there.close()


def test_a_rule_may_read_hits_and_records_together(server: Server, tmp_path: Path) -> None:
    base = next(rule for rule in RULES if rule.id == "repeat_alerts")
    rule = replace(
        base,
        reads=("hits", "calls"),
        sql="SELECT h.card, min(h.seen_at) AS seen_at, count(*) AS alert_days FROM hits h JOIN calls c"
        " ON c.card = h.card WHERE h.rule = 'fan_out' GROUP BY h.card",
    )
    batch = batches([_rule("fan_out")])[0]
    hits: list[list[str]] = []
    for engine in (DuckDBEngine(tmp_path / "e"), Cluster(tmp_path / "c", server.remote)):
        with loaded(engine, batch, tmp_path / type(engine).__name__) as ready:
            for other, limits in batch.rules:
                ready.run(other, limits)
            ready.forget(rule.id)
            ready.run(rule, {})
            hits.append(sorted(ready.flagged(rule.id)))
    assert hits[0] == hits[1] != []


# What can go wrong


def _calls(folder: Path) -> dict[str, list[Path]]:
    folder.mkdir(parents=True, exist_ok=True)
    rows = [{k: v for k, v in row.items() if k != "table"} for row in calls(3, "2021-05-17 09:00")]
    pq.write_table(arrow_rows(TABLES["calls"], rows), folder / "calls.parquet")
    return {"calls": [folder / "calls.parquet"]}


COLUMNS = {"calls": frozenset({"card", "started_at"})}


def test_files_that_only_this_machine_sees_are_named(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _calls(tmp_path / "records")
    monkeypatch.chdir(tmp_path)
    mine = Path("/proc/self/cwd/records/calls.parquet")  # to each process its own
    with (
        Cluster(tmp_path / "work", server.remote) as engine,
        pytest.raises(
            DuankaError, match=r"cannot use /proc/self/cwd/records: .* on every node under the same path"
        ),
    ):
        engine.load({"calls": [mine]}, COLUMNS, {}, None)


def test_sql_that_does_not_run_is_the_rule_s_fault(server: Server, tmp_path: Path) -> None:
    rule = replace(_rule("complained"), sql="SELECT card, nowhere AS seen_at FROM calls", needs=())
    with Cluster(tmp_path / "work", server.remote) as engine:
        engine.load(_calls(tmp_path / "records"), COLUMNS, {}, None)
        with pytest.raises(RuleError, match=r"rule complained does not run on the cluster .*nowhere"):
            engine.run(rule, {})


def test_a_folder_that_a_cluster_would_read_as_a_pattern_is_refused(server: Server, tmp_path: Path) -> None:
    with (
        Cluster(tmp_path / "work", server.remote) as engine,
        pytest.raises(DuankaError, match=r"has '\[' in its name"),
    ):
        engine.load(_calls(tmp_path / "records [2021]"), COLUMNS, {}, None)


def test_names_in_chinese_and_with_spaces_are_read(server: Server, tmp_path: Path) -> None:
    with Cluster(tmp_path / "工作 work", server.remote) as engine:
        span = engine.load(_calls(tmp_path / "省 records"), COLUMNS, {}, None)
    assert span.first == datetime(2021, 5, 17)


def test_a_cluster_that_goes_away_is_said_and_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote, "_RETRIES", 2)
    with servers.sail(tmp_path / "sail") as sail:
        engine = Cluster(tmp_path / "work", sail.remote)
        engine.load(_calls(tmp_path / "records"), COLUMNS, {}, None)
    with engine, pytest.raises(DuankaError, match=f"the cluster at {sail.remote} does not answer any more"):
        engine.cards()


def test_nobody_at_the_address_is_said_before_a_record_is_read(province: Path, tmp_path: Path) -> None:
    nobody = f"sc://127.0.0.1:{free_port()}"
    address = f"{nobody}/;token=geheim"
    typed = duanka("scan", province, "--out", tmp_path, "--engine", "spark", "--remote", address)
    assert typed.code == 2
    assert typed.err.startswith(f"duanka: no Spark Connect server answers at {nobody};")
    assert "geheim" not in typed.err
    assert typed.err.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--engine", "spark"], "needs a Spark Connect server: --remote sc://host:15002, or DUANKA_REMOTE"),
        (["--remote", "sc://127.0.0.1"], "--remote is for --engine spark"),
        (["--engine", "spark", "--remote", "http://127.0.0.1"], "is no address of a Spark Connect server"),
    ],
)
def test_a_wrong_command_says_what_is_missing(
    words: list[str], said: str, province: Path, tmp_path: Path
) -> None:
    typed = duanka("scan", province, "--out", tmp_path, *words)
    assert typed.code == 2
    assert said in typed.err


def test_without_the_client_the_command_that_installs_it_is_said(province: Path, tmp_path: Path) -> None:
    without = "import sys; sys.modules['pyspark'] = None; from duanka.cli.main import main; main()"
    words = ["scan", province, "--out", tmp_path, "--engine", "spark", "--remote", "sc://127.0.0.1"]
    ran = subprocess.run(
        [sys.executable, "-c", without, *map(str, words)], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 2
    assert 'python -m pip install "pyspark-client>=4.1"' in ran.stderr


def test_the_client_is_not_loaded_by_those_who_do_not_ask_for_it() -> None:
    asked = "import sys, duanka.cli.main; sys.exit(any(m.split('.')[0] in ('pyspark', 'grpc') for m in sys.modules))"
    assert subprocess.run([sys.executable, "-c", asked], check=False).returncode == 0


def _rule(rule_id: str) -> Rule:
    return next(rule for rule in RULES if rule.id == rule_id)
