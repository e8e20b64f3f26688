"""What every test may use, and the record of which requirement each test shows."""

from __future__ import annotations

import fcntl
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from duanka.ledger.db.database import Store
from duanka.simulator import simulate
from support import ROOT, compiled_statements, databases, desk
from support.collecting import Collecting
from support.databases import Postgres
from support.desk import Typed, duanka, new_duanka, printed_by_scan
from support.fast import Fast
from support.long_first import LongFirst
from support.parts import needed
from support.requirement_run import Requirements
from support.rounds import Rounds
from support.signed_cases import trusting

# A process of pytest-xdist has no main file, which the Spark client takes for a run of its own doctests.
if not hasattr(sys.modules["__main__"], "__file__"):
    sys.modules["__main__"].__file__ = __file__

compiled_statements.share()

# A landing must not hang on luck: CI tries the same examples every time, people and `make test-long` look for new ones.
settings.register_profile("ci", derandomize=True, deadline=None)
settings.register_profile("people", deadline=None)  # how long an example takes, a busy machine says
settings.load_profile("people")
if os.environ.get("CI") == "true":
    settings.load_profile("ci")


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with the real data sets; without it the test says so, and under CI=true it fails."""
    folder = Path(os.environ.get("DUANKA_SHARED", ROOT.parent / "shared"))
    if not (folder / "data").is_dir():
        needed(f"no real data at {folder}/data; set DUANKA_SHARED to the folder that holds data/")
    return folder


@pytest.fixture(scope="session")
def province(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An invented province of 6,000 cards over 14 days, with gangs of both strategies; for reading."""

    def invent(out: Path) -> None:
        simulate(out, cards=6_000, days=14, seed=3)

    return _made_once(tmp_path_factory, "province", invent)


def _made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    """A folder that the first process of a run makes and all read: each would spend many seconds on the same."""
    root = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        root = root.parent  # of the whole run
    folder, done = root / f"world-{name}", root / f"world-{name}.done"
    with (root / f"world-{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            shutil.rmtree(folder, ignore_errors=True)  # of one that failed
            make(folder)
            done.touch()
    return folder


@pytest.fixture(scope="session")
def casebook(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Published cases of wrongful stops among 100 ordinary cards over six weeks, and scans of them; for reading."""
    from support.casebook.world import made  # of all tests few need it

    return _made_once(tmp_path_factory, "casebook", made)


@pytest.fixture(scope="session")
def small_province(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One of 1,200 cards over 8 days, without police cases, where most rules hit somebody; for reading."""

    def invent(out: Path) -> None:
        simulate(out, cards=1_200, days=8, seed=4)

    return _made_once(tmp_path_factory, "small-province", invent)


def _scanned(
    factory: pytest.TempPathFactory,
    name: str,
    *words: str | Path,
    by: Callable[..., Typed] = duanka,
    police: Path | None = None,
) -> Path:
    """The output of a scan. `police`: the key of those whose signature counts."""

    def scan(out: Path) -> None:
        here = trusting(factory.mktemp("installation"), police) if police else {}
        typed = by("scan", *words, "--out", out, **here)
        assert typed.code == 0, typed.err
        printed_by_scan(out).write_text(typed.out, encoding="utf-8")

    return _made_once(factory, name, scan)


@pytest.fixture(scope="session")
def national(tmp_path_factory: pytest.TempPathFactory, province: Path) -> Path:
    """The output of a scan of the province under the default policy."""
    return _scanned(tmp_path_factory, "national", province)


@pytest.fixture(scope="session")
def national_signed(tmp_path_factory: pytest.TempPathFactory, province: Path) -> Path:
    """The same, where the signature of the province's police counts; by a new Python, with less memory."""
    words = (province, "--memory", "700MB")
    police = province / "police.pub"
    return _scanned(tmp_path_factory, "national-signed", *words, by=new_duanka, police=police)


@pytest.fixture(scope="session")
def hebei(tmp_path_factory: pytest.TempPathFactory, province: Path) -> Path:
    """The output of a scan of the province under the Hebei notice, where the police's signature counts."""
    words = (province, "--policy", "hebei")
    return _scanned(tmp_path_factory, "hebei", *words, police=province / "police.pub")


@pytest.fixture(scope="session")
def small_scanned(tmp_path_factory: pytest.TempPathFactory, small_province: Path) -> Path:
    """The output of a scan of the small province under the default policy."""
    return _scanned(tmp_path_factory, "small-scanned", small_province)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--rounds", type=int, default=1, help="run each test so many times while all cores are busy"
    )
    parser.addoption(
        "--burners", type=int, default=os.cpu_count(), help="processes that keep the cores busy meanwhile"
    )
    parser.addoption("--fast", action="store_true", help="run only what `make test-fast` runs")
    parser.addoption("--new-processes", action="store_true", help="run each command by a new Python")
    parser.addoption("--requirements", action="store_true", help="run only the tests that show a requirement")
    parser.addoption("--requirement", metavar="NUMBER", help="run only the tests that show this one, as R1.5")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """What is `long` as a whole is not even read where nothing long is wanted: that takes a minute of its own."""
    return (
        True if collection_path.stem.endswith("_at_length") and "not long" in config.option.markexpr else None
    )


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(Requirements(), "requirements")
    if config.getoption("--new-processes"):
        desk.prepare = False
    config.pluginmanager.register(Collecting(), "collecting")
    if config.getoption("--fast"):
        config.pluginmanager.register(Fast(), "fast")
    if config.getoption("--rounds") == 1:  # of many rounds the short ones come first
        config.pluginmanager.register(LongFirst(), "long_first")
    config.pluginmanager.register(
        Rounds(config.getoption("--rounds"), config.getoption("--burners")), "rounds"
    )


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A real PostgreSQL, shared by all tests that need one; each takes a database of its own."""
    needed(databases.missing())
    server = Postgres(survives_power_cuts=False)
    try:
        server.start()
        yield server
    finally:
        server.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An empty order database: what holds on one must hold on the other."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'orders.sqlite'}"
        return
    server: Postgres = request.getfixturevalue("postgres")
    with server.database() as url:
        yield url


@pytest.fixture(scope="session")
def new_sqlite_order_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file for `sqlite_order_database` to copy."""
    return tmp_path_factory.mktemp("new-order-book") / "orders.sqlite"


@pytest.fixture(params=["sqlite", "postgresql"])
def order_database_url(
    request: pytest.FixtureRequest, tmp_path: Path, new_sqlite_order_database: Path
) -> Iterator[str]:
    """An order database without orders, on each database: the one behind `store`."""
    if request.param == "sqlite":
        yield databases.sqlite_order_database(new_sqlite_order_database, tmp_path / "orders.sqlite")
        return
    server: Postgres = request.getfixturevalue("postgres")
    with server.order_database() as url:
        yield url


@pytest.fixture
def store(order_database_url: str) -> Iterator[Store]:
    opened = Store(order_database_url)
    yield opened
    opened.close()
