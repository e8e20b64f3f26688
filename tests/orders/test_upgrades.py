"""Order databases of earlier versions are upgraded when they are opened: once, whole, with nothing lost."""

from __future__ import annotations

import base64
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, create_engine, inspect, text
from typer.testing import CliRunner

from duanka.bootstrap import orders as app_orders
from duanka.cli import main as cli
from duanka.cli.shell.process import ExitCode
from duanka.domain.order import AlreadyUsed, Event, Kind, NeedsSecondPerson
from duanka.ledger.audit.trail import Fault
from duanka.ledger.db.database import Store
from duanka.ledger.db.installation import NotUsable, OlderVersion
from duanka.ledger.db.tables import SCHEMA_VERSION
from duanka.ledger.migrations.upgrading import TrailDoesNotHold
from duanka.ledger.people.keys import half_hash
from duanka.orders.verification.pictures import CAPTURED, REFERENCE
from support.orders.books import NOW
from support.orders.older_books import NAMES, RELEASE, load, opened, put, settings_for
from support.waiting import HANG

# Columns whose values an upgrade changes: ids in the place of names, and what followed from those.
CHANGED = {
    *(("keys", name) for name in ("person", "role", "revoked_at")),
    *(("acts", name) for name in ("proposed_by", "approved_by")),
    *(("counter_checks", name) for name in ("first_by", "second_by")),
    *(("audit_head", name) for name in ("seq", "hash", "seal")),
    ("installation", "schema_version"),
    ("links", "used_at"),
}


class Book:
    """An order database of an earlier version that nobody has opened yet."""

    def __init__(self, name: str, folder: Path, url: str) -> None:
        self.old, self.url, self.folder = load(name), url, folder
        self.settings = settings_for(self.old, folder, None if url.startswith("sqlite") else url)
        put(self.old, url)

    def sql(self, statement: str) -> list[Any]:
        """Run a statement past everything of ours; its rows."""
        engine = create_engine(self.url.replace("postgresql:", "postgresql+psycopg:"))
        with engine.begin() as connection:
            found = connection.execute(text(statement))
            rows = [tuple(row) for row in found] if found.returns_rows else []
        engine.dispose()
        return rows

    def holds(self) -> dict[str, list[tuple[Any, ...]]]:
        """What every table holds."""
        engine = create_engine(self.url.replace("postgresql:", "postgresql+psycopg:"))
        with engine.connect() as connection:
            names = inspect(connection).get_table_names()
            held = {n: sorted(map(repr, connection.execute(text(f'SELECT * FROM "{n}"')))) for n in names}
        engine.dispose()
        return held  # type: ignore[return-value]

    def copies(self) -> list[Path]:
        return sorted(self.folder.glob("orders-*.sqlite"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "orders"
    made.mkdir(mode=0o700)
    return made


@pytest.fixture
def url(database_url: str, folder: Path) -> str:
    return database_url if database_url.startswith("postgresql") else f"sqlite:///{folder / 'orders.sqlite'}"


@pytest.fixture
def release(folder: Path, url: str) -> Book:
    """The database of release 0.1.0."""
    return Book(RELEASE, folder, url)


@pytest.fixture
def release_file(folder: Path) -> Book:
    """The same, on SQLite alone."""
    return Book(RELEASE, folder, f"sqlite:///{folder / 'orders.sqlite'}")


def shape(connection: Connection) -> dict[str, object]:
    """Tables, columns, constraints and indexes as the database tells them."""
    there, found = inspect(connection), dict[str, object]()
    for table in there.get_table_names():
        columns = {
            (one["name"], str(one["type"]), bool(one["nullable"]), _default(one["default"]))
            for one in there.get_columns(table)
        }
        unique = {tuple(one["column_names"]) for one in there.get_unique_constraints(table)}
        indexes = {
            (one["name"], tuple(one["column_names"]), bool(one["unique"]))
            for one in there.get_indexes(table)
            if not one.get("duplicates_constraint")
        }
        keys = tuple(there.get_pk_constraint(table)["constrained_columns"])
        checks = {one["name"] for one in there.get_check_constraints(table)}
        found[table] = columns, unique, indexes, keys, checks
    return found


def _default(told: object) -> str:
    return str(told or "").partition("::")[0].strip("'() ") if "nextval" not in str(told) else "serial"


def partial(connection: Connection) -> set[str]:
    """Partial indexes as the database wrote them down."""
    if connection.dialect.name == "sqlite":
        rows = connection.execute(
            text("SELECT sql FROM sqlite_master WHERE sql LIKE '%WHERE%' AND type = 'index'")
        )
    else:
        rows = connection.execute(text("SELECT indexdef FROM pg_indexes WHERE indexdef LIKE '%WHERE%'"))
    return {" ".join(str(row[0]).replace('"', "").split()) for row in rows}


@pytest.mark.parametrize(
    ("name", "database_url"),
    # the steps between are the same on both databases: SQLite shows each of them
    [(name, "sqlite") for name in NAMES]
    + [(name, "postgresql") for name in (RELEASE, "version-04", "version-11")],
    indirect=["database_url"],
)
def test_a_database_of_every_version_is_upgraded_with_nothing_lost(
    name: str, folder: Path, url: str, request: pytest.FixtureRequest
) -> None:
    book = Book(name, folder, url)
    with opened(book.settings) as here:
        assert [found for found in here.trail.verify(here.store) if isinstance(found, Fault)] == []
        for owner, key in book.old["keys"].items():
            assert (here.keys.who(key) is None) == (owner == "zhang.san" and "revoked" in book.old), owner
        for key in book.old.get("revoked", {}).values():
            assert here.keys.who(key) is None
        with here.store.reading() as connection:
            upgrades = here.trail.upgrades(connection)
            upgraded = shape(connection), partial(connection)
    assert len(upgrades) == 1
    now = {table: book.sql(f'SELECT count(*) FROM "{table}"')[0][0] for table in book.old["rows"]}
    for table, rows in book.old["rows"].items():
        assert now[table] > len(rows) - 1 if table == "audit" else now[table] == len(rows), table
        kept = [one for one in rows[0] if (table, one) not in CHANGED]
        found = set(map(repr, book.sql(f"SELECT {', '.join(map(_quoted, kept))} FROM {_quoted(table)}")))
        before = {repr(tuple(_plain(row[one]) for one in kept)) for row in rows}
        assert before <= found, table
    assert upgraded == new_shape(request, url)
    stopped = "SELECT card FROM orders WHERE state = 'forced_stop' AND closed_at IS NULL ORDER BY card"
    assert (
        book.sql("SELECT card FROM confirmations WHERE withdrawn_at IS NULL ORDER BY card")
        == book.sql(stopped)
        != []
    )


def new_shape(request: pytest.FixtureRequest, url: str) -> tuple[object, object]:
    """The tables of a new database, made once for each of SQLite and PostgreSQL."""
    kind = url.partition(":")[0]
    if kind not in _NEW:
        if kind == "sqlite":
            _NEW[kind] = shape_of_new(url.replace("orders.sqlite", "new.sqlite"))
        else:
            with request.getfixturevalue("postgres").database() as other:
                _NEW[kind] = shape_of_new(other)
    return _NEW[kind]


_NEW: dict[str, tuple[object, object]] = {}


def _quoted(name: str) -> str:
    return f'"{name}"'


def _plain(value: Any) -> Any:
    return base64.b64decode(value["base64"]) if isinstance(value, dict) else value


def shape_of_new(url: str) -> tuple[object, object]:
    store = Store(url)
    try:
        with store.reading() as connection:
            return shape(connection), partial(connection)
    finally:
        store.close()


def test_who_proposed_under_a_name_does_not_approve_under_an_id(release: Book) -> None:
    with opened(release.settings) as here:
        wang, li = (here.keys.who(release.old["keys"][name]) for name in ("王芳", "Li Wei"))
        assert wang
        assert li
        waits = release.old["acts"]["proposed"]
        with pytest.raises(NeedsSecondPerson):
            here.bulk_actions.approve(waits, wang, "my own", NOW)
        here.bulk_actions.approve(waits, li, "seen", NOW)
        while here.bulk_actions.carry_out(NOW):
            pass
        here.bulk_actions.undo(release.old["acts"]["done"], li, "a mistake", NOW)
        faults = [found for found in here.trail.verify(here.store) if isinstance(found, Fault)]
        assert faults == []


def test_links_pictures_and_reviews_of_0_1_0_go_on(release: Book) -> None:
    links = release.old["links"]
    with opened(release.settings) as here:
        with here.store.reading() as connection:
            assert here.links.open_in(connection, links["open"], NOW).kind is Kind.VERIFICATION
            with pytest.raises(AlreadyUsed):
                here.links.open_in(connection, links["used"], NOW)
        ((number,),) = release.sql("SELECT order_id FROM checks")
        with here.store.reading() as connection:
            assert here.pictures.opened(connection, number, REFERENCE) == b"\xff\xd8\xff reference"
            assert here.pictures.opened(connection, number, CAPTURED) == b"\xff\xd8\xff captured"
        li = here.keys.who(release.old["keys"]["Li Wei"])
        assert li
        here.orders.apply(number, Event.PASS, li, "seen", NOW)
        assert [found for found in here.trail.verify(here.store) if isinstance(found, Fault)] == []


def test_another_secret_is_refused_and_nothing_is_written(release: Book) -> None:
    (release.folder / "secret").write_text("5ec4e70e" * 8)
    held = release.holds()
    with pytest.raises(NotUsable, match="secret does not fit"), opened(release.settings):
        pass
    assert release.holds() == held
    assert release.copies() == []


def test_without_terms_of_an_upgrade_it_is_refused_in_one_line(release: Book) -> None:
    held = release.holds()
    with pytest.raises(OlderVersion, match=r"of release 0\.1\.0.*duanka database upgrade") as refused:
        Store(release.url)
    assert "\n" not in str(refused.value)
    with pytest.raises(OlderVersion), opened(release.settings, read_only=True):
        pass
    assert release.holds() == held


def test_the_file_is_copied_as_it_was_for_its_owner_alone(release_file: Book) -> None:
    held = release_file.holds()
    with opened(release_file.settings):
        pass
    (copy,) = release_file.copies()
    assert copy.stat().st_mode & 0o777 == 0o600
    release_file.url = f"sqlite:///{copy}"
    assert release_file.holds() == held


def test_of_two_that_start_at_once_one_upgrades(release: Book) -> None:
    failed: list[BaseException] = []

    def start() -> None:
        try:
            with opened(release.settings):
                pass
        except BaseException as error:
            failed.append(error)

    both = [threading.Thread(target=start) for _ in range(2)]
    for one in both:
        one.start()
    for one in both:
        one.join(HANG)
    assert failed == []
    assert release.sql("SELECT count(*) FROM audit WHERE what = 'book.upgrade'") == [(1,)]
    assert len(release.copies()) == (1 if release.url.startswith("sqlite") else 0)


_KILLED = """
import os, signal, sys
sys.path[:0] = sys.argv[3:]
from pathlib import Path
from duanka.ledger.migrations import steps
from duanka.bootstrap.settings import Settings
from support.orders.older_books import opened
steps.STEPS[int(sys.argv[2])] = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
url = os.environ.get("URL_OF_TEST")
with opened(Settings(orders=Path(sys.argv[1]), **({"database_url": url} if url else {}))):
    pass
"""


def test_killed_in_the_middle_it_is_as_it_was(release: Book) -> None:
    held = release.holds()
    env = dict(os.environ)
    if not release.url.startswith("sqlite"):
        env["URL_OF_TEST"] = release.url
    command = [sys.executable, "-c", _KILLED, str(release.folder), "9", *sys.path]
    ended = subprocess.run(command, env=env, capture_output=True, timeout=HANG, check=False)
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    assert release.holds() == held
    with opened(release.settings) as here:
        assert [found for found in here.trail.verify(here.store) if isinstance(found, Fault)] == []


def test_a_restored_copy_that_is_upgraded_is_older_than_the_kept_end(release_file: Book) -> None:
    with opened(release_file.settings) as here:
        for path in here.ends.paths:
            here.ends.write(path, here.ends.present(), NOW)
    (copy,) = release_file.copies()
    file = release_file.folder / "orders.sqlite"
    for one in release_file.folder.glob("orders.sqlite*"):
        one.unlink()
    file.write_bytes(copy.read_bytes())
    with opened(release_file.settings) as here:
        assert here.ends.is_ahead
        faults = [found.what for found in here.trail.verify(here.store) if isinstance(found, Fault)]
        assert any("kept" in fault for fault in faults), faults


def test_a_trail_that_was_changed_is_not_upgraded_unless_somebody_says_why(release: Book) -> None:
    release.sql("UPDATE audit SET why = 'another' WHERE seq = 12")
    held = release.holds()
    with pytest.raises(TrailDoesNotHold, match="row 12"), opened(release.settings):
        pass
    assert release.holds() == held
    terms = app_orders.upgrade_terms(release.settings, lambda _: None, "looked at, case 9")
    with opened(release.settings, upgrade=terms) as here:
        faults = [found.seq for found in here.trail.verify(here.store) if isinstance(found, Fault)]
        assert 12 in faults


def test_a_key_that_was_put_in_past_the_trail_opens_nothing_afterwards(release: Book) -> None:
    key = "dk_" + "x" * 43
    release.sql(
        "INSERT INTO keys (id, person, role, hash, created_at) VALUES"
        f" ('K000000000000', 'mallory', 'supervisor', '{half_hash(key)}', 1)"
    )
    with opened(release.settings) as here:
        assert here.keys.who(key) is None
        assert here.keys.who(release.old["keys"]["王芳"])


def test_a_version_that_was_set_back_makes_nothing_right(release: Book) -> None:
    """Who writes into the database cannot have their rows taken for good by an upgrade."""
    with opened(release.settings):
        pass
    number = f"UPDATE installation SET schema_version = {SCHEMA_VERSION - 1}"
    for statement in (
        "UPDATE persons SET role = 'supervisor' WHERE id = 'liaison'",
        "UPDATE orders SET tier = 'low' WHERE kind = 'restriction' AND state = 'forced_stop'",
        "DROP TABLE billing_events",
        number,
    ):
        release.sql(statement)
    with opened(release.settings) as here:
        assert here.keys.who(release.old["keys"]["liaison"]) is None
        assert here.keys.who(release.old["keys"]["王芳"])
        faults = [found.what for found in here.trail.verify(here.store) if isinstance(found, Fault)]
    assert any("persons liaison was changed past the trail: role" in fault for fault in faults), faults
    assert len(faults) == 2, faults


def test_the_commands_say_what_is_due_and_do_it_once(
    release_file: Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DUANKA_ORDERS", str(release_file.folder))
    monkeypatch.setenv("DUANKA_API_KEY", release_file.old["keys"]["Li Wei"])

    def typed(words: str, code: int = 0) -> str:
        found = CliRunner().invoke(cli.cli, ["--language", "en", *words.split()])
        assert found.exit_code == code, found.output
        return found.output

    held = release_file.holds()
    assert "of release 0.1.0" in typed("database status", ExitCode.LOOK)
    assert release_file.holds() == held
    said = typed("database upgrade")
    assert "Li Wei has the id li.wei" in said
    assert str(release_file.copies()[0]) in said
    assert "nothing to do" in typed("database upgrade")
    assert "was of release 0.1.0" in typed("database status")
    verified = typed("audit verify")
    assert "The trail holds" in verified
    first = len(release_file.old["rows"]["audit"]) + 1
    assert f"From row {first} on the trail covers orders, bulk actions, people and keys" in verified
    copy = release_file.folder / "copy.sqlite"
    typed(f"database backup {copy} --why daily")
    assert copy.is_file()
