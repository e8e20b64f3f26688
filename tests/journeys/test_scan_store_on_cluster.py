"""A scan into a store on a cluster: nights judged there and here in turn, a kill, a folder that it does not see."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from duanka.domain.errors import DuankaError
from duanka.engine.batch.spark_store import ClusterStore
from duanka.engine.store.manifest import read_manifest
from duanka.engine.store.record_store import RecordStore
from duanka.simulator import simulate
from support import servers
from support.desk import cards_at_risk, duanka, hits, started
from support.engine.nights import play
from support.engine.worlds import START
from support.parts import needed
from support.servers import Server
from support.waiting import until

_RECORDS = ("calls", "messages", "sightings", "data_days")


@pytest.fixture(scope="module", params=["sail"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that speaks Spark Connect."""
    if request.param == "spark":
        needed(servers.missing())
    with (servers.sail if request.param == "sail" else servers.spark)(
        tmp_path_factory.mktemp("server")
    ) as running:
        yield running


@pytest.mark.parametrize("server", ["sail", pytest.param("spark", marks=pytest.mark.long)], indirect=True)
def test_the_hits_of_nights_here_and_there_are_those_of_a_scan(server: Server, tmp_path: Path) -> None:
    assert play(
        tmp_path, seed=12, days=8, cards=12, engines=(None, server.remote, server.remote), first=6, nights=3
    )


@pytest.mark.long
def test_the_same_of_more_worlds(server: Server, tmp_path: Path) -> None:
    for seed in range(20, 50):
        engines = (server.remote, server.remote, None)[: 2 + seed % 2]
        assert play(tmp_path / str(seed), seed, days=6, cards=16, engines=engines)


def _bring(town: Path, data: Path, *days: str) -> None:
    """Put the files of `days` into the delivery."""
    for table in _RECORDS:
        (data / table).mkdir(exist_ok=True, parents=True)
        for day in days:
            (data / table / f"{day}.parquet").write_bytes((town / table / f"{day}.parquet").read_bytes())


def test_a_changed_register_a_late_day_and_a_kill(server: Server, tmp_path: Path) -> None:
    town, data, store = tmp_path / "town", tmp_path / "data", tmp_path / "store"
    simulate(town, cards=150, days=6, seed=5)
    first, *days = sorted(file.stem for file in (town / "calls").iterdir())
    late, last = days.pop(-2), days.pop()
    _bring(town, data, first, *days)
    register = pl.read_parquet(town / "cards.parquet")
    machines = pl.when(pl.col("card").hash(1) % 2 == 0).then(pl.lit("iot")).otherwise("kind")
    register.with_columns(kind=machines).write_parquet(data / "cards.parquet")
    _scanned(data, "--store", store, "--out", tmp_path / "night-1")
    _bring(town, data, late, last)
    register.write_parquet(data / "cards.parquet")
    there = ("--store", store, "--engine", "spark", "--remote", server.remote)
    with (tmp_path / "said").open("wb") as said:
        run = started("scan", data, *there, "--out", tmp_path / "killed", out=said, err=said)
        begun = until(lambda: [*(store / "work").glob("cluster-*/days_*")] or run.poll() is not None)
        run.send_signal(signal.SIGKILL)
        assert begun
        assert run.wait() == -signal.SIGKILL, (tmp_path / "said").read_text()
    assert read_manifest(store).generation == 1
    _scanned(data, *there, "--out", tmp_path / "night-2")
    _scanned(data, "--out", tmp_path / "anew")
    assert hits(tmp_path / "night-2") == hits(tmp_path / "anew")
    assert cards_at_risk(tmp_path / "night-2") == cards_at_risk(tmp_path / "anew")
    machines_in = [sum(hit["rule"] == "iot_misuse" for hit in hits(tmp_path / f"night-{n}")) for n in (1, 2)]
    assert machines_in[0] > machines_in[1], "the register took hits back"
    assert read_manifest(store).generation == 2
    assert not (store / "work").exists()


def _scanned(data: Path, *words: str | Path) -> None:
    typed = duanka("--language", "en", "scan", data, *words)
    assert typed.code in (0, 3), typed.err


def test_a_store_that_only_this_machine_sees_is_named_before_intake(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    mine = Path("/proc/self/cwd/store")  # to each process its own
    with RecordStore(mine).writing(START) as writer:
        before, shared = writer.manifest, writer.draft.work / "cluster"
        said = pytest.raises(DuankaError, match=r"cannot use /proc/self/cwd/store: .* on every node")
        with ClusterStore(shared, server.remote) as engine, said as found:
            engine.open_store(writer.draft, before)
    assert len(str(found.value).splitlines()) == 1
