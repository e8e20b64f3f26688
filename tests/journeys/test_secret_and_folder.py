"""The secret and the folder of an order database, as somebody meets them who types in the wrong folder."""

from __future__ import annotations

import re
import sqlite3
from pathlib import Path

import pytest

from support.databases import Postgres
from support.desk import Typed, duanka, new_duanka
from support.people import FIRST, typed_people
from support.waiting import HANG

SECRET = "0123456789abcdef" * 2


def refused(typed: Typed, *told: str) -> None:
    assert typed.code == 2, typed
    assert "Traceback" not in typed.err
    for one in told:
        assert one in typed.err, typed.err


def a_key(typed: Typed) -> str:
    found = re.search(r"dk_\S+", typed.out)
    assert found, typed
    return found[0]


def rows(folder: Path) -> list[tuple[object, ...]]:
    book = sqlite3.connect(folder / "orders.sqlite", timeout=HANG)
    try:
        return book.execute("SELECT * FROM audit").fetchall()
    finally:
        book.close()


def test_a_command_in_another_folder_invents_no_order_database(tmp_path: Path) -> None:
    key = a_key(duanka("persons", "init", "wang", cwd=tmp_path))
    other = tmp_path / "home"
    other.mkdir()
    for words in (
        ("orders", "list"),
        ("orders", "take", str(tmp_path)),
        ("audit", "verify"),
        ("keys", "list"),
        ("cards", "show", "13800000000"),
    ):
        refused(duanka(*words, cwd=other, DUANKA_API_KEY=key), "no order database at", "DUANKA_ORDERS")
    assert list(other.iterdir()) == []
    there = new_duanka(
        "orders", "list", cwd=other, DUANKA_API_KEY=key, DUANKA_ORDERS=str(tmp_path / "duanka-orders")
    )
    assert there.code == 0, there.err
    refused(duanka("orders", "take", "home", cwd=tmp_path, DUANKA_API_KEY=key), "no decisions at home")
    refused(
        duanka("serve", "--port", "0", "--decisions", "/no/such", cwd=tmp_path), "there is no such folder"
    )


def test_a_secret_that_is_lost_or_wrong_writes_nothing(tmp_path: Path) -> None:
    key = a_key(duanka("persons", "init", "wang", cwd=tmp_path))
    book = tmp_path / "duanka-orders"
    before, kept = rows(book), (book / "secret").read_text(encoding="ascii")
    (book / "secret").unlink()
    refused(
        duanka("orders", "list", cwd=tmp_path, DUANKA_API_KEY=key), "secret is not at duanka-orders/secret"
    )
    refused(duanka("persons", "init", "li", cwd=tmp_path), "put the file back")
    refused(duanka("keys", "list", cwd=tmp_path, DUANKA_SECRET="x" * 32), "does not fit")
    refused(duanka("serve", "--port", "0", cwd=tmp_path, DUANKA_SECRET="x" * 32), "does not fit")
    assert not (book / "secret").exists()
    assert rows(book) == before
    assert duanka("audit", "verify", cwd=tmp_path, DUANKA_API_KEY=key, DUANKA_SECRET=kept.strip()).code == 0
    (tmp_path / "elsewhere").write_text(kept, encoding="ascii")
    in_a_file = {"DUANKA_SECRET_FILE": "elsewhere", "DUANKA_API_KEY": key}
    assert duanka("audit", "verify", cwd=tmp_path, **in_a_file).code == 0
    both = {"DUANKA_SECRET_FILE": "elsewhere", "DUANKA_SECRET": SECRET}
    refused(duanka("audit", "verify", cwd=tmp_path, **both), "unset one of them")
    (tmp_path / "short").write_text("short\n", encoding="ascii")
    for file in ("short", "nowhere"):
        refused(duanka("audit", "verify", cwd=tmp_path, DUANKA_SECRET_FILE=file), file)


def test_a_database_server_is_not_begun_without_a_secret_that_all_share(
    tmp_path: Path, postgres: Postgres
) -> None:
    with postgres.database() as url:
        add = ("persons", "init", "wang")
        refused(duanka(*add, cwd=tmp_path, DUANKA_DATABASE_URL=url), "DUANKA_SECRET_FILE")
        refused(duanka("serve", "--port", "0", cwd=tmp_path, DUANKA_DATABASE_URL=url), "DUANKA_SECRET_FILE")
        assert list(tmp_path.iterdir()) == []
        key = a_key(duanka(*add, cwd=tmp_path, DUANKA_DATABASE_URL=url, DUANKA_SECRET=SECRET))
        refused(duanka(*add, cwd=tmp_path, DUANKA_DATABASE_URL=url), "secret is not at")
        refused(duanka(*add, cwd=tmp_path, DUANKA_DATABASE_URL=url, DUANKA_SECRET="y" * 32), "does not fit")
        whole = {"DUANKA_DATABASE_URL": url, "DUANKA_SECRET": SECRET, "DUANKA_API_KEY": key}
        verified = new_duanka("audit", "verify", cwd=tmp_path, **whole)
        assert verified.code == 0, verified


@pytest.mark.parametrize("url", ["mysql://x", "mysql+pymysql://u:p@h/d"])
def test_a_database_of_another_kind_is_one_line(tmp_path: Path, url: str) -> None:
    typed = duanka("persons", "init", "wang", cwd=tmp_path, DUANKA_DATABASE_URL=url)
    refused(typed, "DUANKA_DATABASE_URL cannot be used")
    assert len(typed.err.strip().splitlines()) <= 2


def test_the_network_of_another_shell_is_refused_and_a_supervisor_changes_it(tmp_path: Path) -> None:
    people = typed_people({"zhao": "desk"}, tmp_path)
    keys = {"desk": people["zhao"], "supervisor": people[FIRST.id]}

    def typed(role: str, *words: str, **environment: str) -> Typed:
        return duanka(*words, cwd=tmp_path, DUANKA_API_KEY=keys[role], **environment)

    put = ("network", "set", "call_proxy", "calls", "--why", "new")
    refused(typed("desk", *put), "it takes supervisor")
    assert typed("supervisor", *put).code == 0
    assert str(tmp_path / "calls") in typed("desk", "network", "list").out
    refused(typed("desk", "orders", "list", DUANKA_CALL_PROXY="others"), "duanka network set call_proxy")
    assert typed("desk", "orders", "list", DUANKA_CALL_PROXY=str(tmp_path / "calls")).code == 0
    again = (*put[:3], "others", *put[4:])
    assert typed("supervisor", *again, DUANKA_CALL_PROXY="others").code == 0
    assert typed("supervisor", "network", "remove", "call_proxy", "--why", "off").code == 0
    refused(typed("desk", "orders", "list", DUANKA_CALL_PROXY="others"), "taken out")
    assert "holds" in typed("supervisor", "audit", "verify").out
