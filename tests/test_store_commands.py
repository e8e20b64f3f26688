"""`duanka store` as people type it: attached or not, who may, masked, in both languages, as CSV."""

from __future__ import annotations

import csv
import json
import shutil
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pytest

from duanka.bootstrap import orders as app_orders
from duanka.bootstrap.order_resources import MARK
from duanka.bootstrap.policies import policy_named
from duanka.bootstrap.settings import Settings
from duanka.domain.person import Role
from support.desk import Typed, duanka
from support.engine.filled_store import fill
from support.people import people_of

CARD, PEER, DEVICE = "8613800000001", "8615900000009", "01234567000002"
BASIS = ("--why", "the bank asked", "--case", "7")
TABLES = {
    "calls": [
        {
            "card": CARD,
            "peer": PEER,
            "direction": "out",
            "started_at": datetime(2026, 3, 1, 9, 30, 5),
            "seconds": 61,
            "answered": True,
            "imei": DEVICE,
            "cell": "46000123",
            "city": "130100",
        },
        {"card": CARD, "direction": "in", "started_at": datetime(2026, 3, 1, 10), "answered": False},
    ],
    "messages": [
        {"card": CARD, "peer": "short:7", "direction": "in", "sent_at": datetime(2026, 3, 2, 11)},
        {"card": "opaque-a", "peer": PEER, "direction": "out", "sent_at": datetime(2026, 3, 2, 12)},
    ],
    "data_days": [{"card": CARD, "day": datetime(2026, 3, 2).date(), "bytes": 1_500_000}],
}


@dataclass(frozen=True)
class Office:
    """An order database, a key of each of its people, and a store beside it."""

    folder: Path
    keys: Mapping[str, str]

    def type(
        self,
        *words: str,
        who: str = "desk",
        language: str = "en",
        orders: str = "orders",
        store: Path | None = None,
    ) -> Typed:
        return duanka(
            *("--language", language, "store", *words),
            DUANKA_ORDERS=str(self.folder / orders),
            DUANKA_STORE=str(store or self.folder / "store"),
            DUANKA_API_KEY=self.keys[who],
        )


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Office:
    folder = tmp_path_factory.mktemp("office")
    people = {"desk": Role.DESK, "boss": Role.SUPERVISOR}
    keys = people_of(
        Settings(orders=folder / "orders"), {f"the.{name}": role for name, role in people.items()}
    )
    fill(folder / "store", TABLES)
    made = Office(folder, {name: keys[f"the.{name}"] for name in people})
    refused = made.type("card", CARD, *BASIS)
    assert refused.code == 2
    assert "attached to no order database" in refused.err
    assert made.type("attach", "--why", "the first store", who="desk").code == 2, "a supervisor attaches"
    assert made.type("attach", "--why", "the first store", who="boss").code == 0
    return made


def test_every_record_of_a_card_is_a_line_with_units_and_words(office: Office) -> None:
    shown = office.type("card", CARD, *BASIS)
    assert shown.code == 0, shown.err
    title, head, *rows = shown.out.splitlines()
    assert title == "+86 138****0001: 4 records from 2026-02-01 00:00 to 2026-03-03 00:00 (Asia/Shanghai)"
    assert head.split()[:4] == ["time", "what", "peer", "amount"]
    assert [row.split()[:6] for row in rows] == [
        ["2026-03-01", "09:30:05", "call", "out", "+86", "159****0009"],
        ["2026-03-01", "10:00:00", "call", "in", "withheld", "not"],
        ["2026-03-02", "data", "-", "1.5", "MB", "-"],
        ["2026-03-02", "11:00:00", "message", "in", "short:7", "-"],
    ]
    assert "61 s 01234567****002" in rows[0]
    assert PEER not in shown.out
    chinese = office.type("card", CARD, *BASIS, language="zh").out
    assert all(
        word in chinese for word in ("共 4 条记录", "呼出", "61 秒", "未接通", "隐藏号码", "收短信", "流量")
    )


def test_in_full_it_goes_to_a_private_file_for_programs(office: Office, tmp_path: Path) -> None:
    out = tmp_path / "records.csv"
    shown = office.type("card", "+86 138 0000 0001", *BASIS, "--full", "--out", str(out), "--days", "2")
    assert shown.code == 0, shown.err
    assert shown.out.splitlines()[1].startswith("4 rows are in")
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    with out.open(encoding="utf-8-sig", newline="") as file:
        first, *_ = csv.DictReader(file)
    assert first == {
        "at": "2026-03-01T09:30:05+08:00",
        "usage": "calls",
        "direction": "out",
        "peer": f"'+{PEER}",
        "seconds": "61",
        "answered": "yes",
        "bytes": "",
        "imei": DEVICE,
        "cell": "46000123",
        "city": "130100",
        "forwarded_from": "",
    }


def test_contacts_are_found_by_card_and_by_peer(office: Office, tmp_path: Path) -> None:
    numbers = tmp_path / "numbers.txt"
    numbers.write_text(f"{CARD}\n", encoding="utf-8")
    shown = office.type("contacts", PEER, "--from", str(numbers), *BASIS)
    assert shown.code == 0, shown.err
    title, _, *rows = shown.out.splitlines()
    assert title.startswith("2 number(s): 5 contacts from 2026-02-28 00:00 to 2026-03-03 00:00")
    cells = [" ".join(row.split()[:8]) for row in rows]
    assert "+86 159****0009 +86 138****0001 0 1 0 0" in cells, "from the other side's point of view"
    for expected in ("+86 159****0009 ****-a 0 0 0 1", "+86 138****0001 withheld 0 1 0 0"):
        assert any(cell.startswith(f"{expected} 2026") for cell in cells)
    assert "give numbers" in office.type("contacts", *BASIS).err


def test_nothing_found_says_what_the_store_has(office: Office) -> None:
    shown = office.type("card", "13900000000", *BASIS)
    assert (shown.code, shown.out.count("\n")) == (0, 1)
    assert "no records from" in shown.out
    assert "the store has 2026-03-01 to 2026-03-02" in shown.out
    before = office.type("contacts", CARD, *BASIS, "--until", "2026-02-01")
    assert "no contacts from 2026-01-29 00:00 to 2026-02-01 00:00" in before.out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("card", CARD, "--why", "w"), "one case, order or police notice"),
        (("card", CARD, *BASIS, "--order", "V1"), "one case, order or police notice"),
        (("card", CARD, "--why", "w", "--order", "V000000000000"), "no order 'V000"),
        (("card", CARD, *BASIS, "--days", "0"), "--days (HTTP: days) is 1 to 180"),
        (("card", CARD, *BASIS, "--until", "soon"), "is no time"),
        (("card", CARD, "--case", "7"), "--why"),
        (("card", CARD, *BASIS, "--store", "nowhere"), "there is no folder nowhere"),
        (("contacts", CARD, *BASIS, "--store", "src"), "holds no store (store.json is missing)"),
        (("card", CARD, *BASIS, "--store", "pyproject.toml"), "is a file, no store"),
        (("status", "nowhere"), "duanka scan DATA --store FOLDER makes a store"),
        (("attach", "nowhere", "--why", "w"), "attach a store"),
    ],
)
def test_what_is_wrong_is_said_in_a_line(office: Office, words: tuple[str, ...], said: str) -> None:
    shown = office.type(*words)
    assert (shown.code, shown.out) == (2, "")
    assert said in shown.err
    assert shown.err.count("\n") == 1


def test_where_there_is_no_store_nothing_is_attached(office: Office, tmp_path: Path) -> None:
    for command in (("attach", "--why", "w"), ("card", CARD, *BASIS)):
        shown = office.type(*command, who="boss", store=tmp_path / "none")
        assert (shown.code, "there is no folder" in shown.err) == (2, True), shown.err
    assert not (tmp_path / "none").exists()


def test_status_takes_no_key_and_shows_no_card(office: Office) -> None:
    shown = duanka("--language", "en", "store", "status", office.folder / "store")
    assert shown.code == 0, shown.err
    lines = {line.split()[0]: line.split()[1:] for line in shown.out.splitlines() if line}
    assert lines["call"] == ["2", "1", "2026-03-01", "2026-03-01", "0", "0"]
    assert lines["message"][:2] == ["2", "1"]
    assert CARD not in shown.out
    assert "记录库" not in shown.out


def test_another_order_database_answers_nothing_from_the_store(office: Office) -> None:
    others = people_of(Settings(orders=office.folder / "others"), {"the.other": Role.DESK})
    other = Office(office.folder, {"desk": others["the.other"]})
    shown = other.type("card", CARD, *BASIS, orders="others")
    assert shown.code == 2
    assert "attached to another order database" in shown.err


def test_a_store_is_taken_from_another_order_database_aloud_and_attached_again_without_effect(
    office: Office, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(office.folder / "store", copy)
    others = people_of(Settings(orders=tmp_path / "orders"), {"the.other": Role.SUPERVISOR})
    other = Office(tmp_path, {"boss": others["the.other"]})
    taken = other.type("attach", str(copy), "--why", "ours now", who="boss")
    assert "no longer to the one of before" in taken.out
    mark = (copy / MARK).read_bytes()
    again = other.type("attach", str(copy), "--why", "again", who="boss")
    assert (again.code, (copy / MARK).read_bytes()) == (0, mark)
    assert "already" in again.out
    assert office.type("card", CARD, *BASIS, "--store", str(copy)).code == 2


def test_the_seal_is_the_order_databases_and_nobody_elses(office: Office) -> None:
    mark = office.folder / "store" / MARK
    told = json.loads(mark.read_text(encoding="utf-8"))
    assert (told["by"], stat.S_IMODE(mark.stat().st_mode)) == ("the.boss", 0o600)
    kept = mark.read_bytes()
    for damaged in (b"", b"[]", b"{}", json.dumps({**told, "by": "the.desk"}).encode()):
        mark.write_bytes(damaged)
        assert office.type("card", CARD, *BASIS).code == 2
    mark.write_bytes(kept)
    assert office.type("card", CARD, *BASIS).code == 0
    settings = Settings(orders=office.folder / "orders")
    with app_orders.desk(settings, policy_named("national")) as here, here.store.reading() as connection:
        assert here.trail.has(connection, "store.attach", "store")
        assert here.trail.has(connection, "lookup.card", CARD)


@pytest.mark.parametrize(
    ("lookup", "out", "said"),
    [
        ("card", "store/store.json", "lies inside the store"),
        ("contacts", "store/records/exports/new.csv", "lies inside the store"),
        ("card", "orders/secret", "lies inside the folder of an order database"),
        ("contacts", "orders/new.csv", "lies inside the folder of an order database"),
        ("card", "precious", "is there already"),
        ("contacts", "link", "is there already"),
        ("card", "folder", "is a folder"),
    ],
)
def test_an_export_replaces_nothing_and_lies_in_no_store(
    office: Office, lookup: str, out: str, said: str
) -> None:
    (office.folder / "precious").write_text("precious", encoding="utf-8")
    (office.folder / "folder").mkdir(exist_ok=True)
    if not (office.folder / "link").is_symlink():
        (office.folder / "link").symlink_to("nowhere")
    before = _contents(office.folder)
    shown = office.type(lookup, CARD, *BASIS, "--out", str(office.folder / out))
    assert (shown.code, shown.out) == (2, "")
    assert said in " ".join(shown.err.split())
    assert _contents(office.folder) == before
    assert not (office.folder / out).exists() or out in before or out == "folder"


def _contents(folder: Path) -> dict[str, bytes]:
    """Every file but those of SQLite, which each command opens."""
    files = (path for path in folder.rglob("*") if path.is_file() and ".sqlite" not in path.name)
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}
