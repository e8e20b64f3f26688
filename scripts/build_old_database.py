"""Build a small order database with the code of an older checkout, as test data for upgrades.

    git worktree add --detach OLD COMMIT
    PYTHONPATH=OLD/src python scripts/build_old_database.py tests/support/orders/old_databases/version-10.json.gz

Those of release 0.1.0 and of versions 1 to 9 were built by this script as it stood then. The file holds the statements
that made the tables, for SQLite and for PostgreSQL, and every row. Numbers and names are invented; the secret and the
keys are for tests alone and stand in the file, too.
"""

from __future__ import annotations

import base64
import gzip
import json
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import create_mock_engine, select

NOW = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
SECRET = "5ec4e70f" * 8  # of a test; 64 hexadecimal digits, as the file `secret` has


def main(out: Path) -> None:
    """Build the database in a temporary folder and write it to `out`."""
    with tempfile.TemporaryDirectory() as folder:
        orders = Path(folder) / "orders"
        orders.mkdir(mode=0o700)
        (orders / "secret").write_text(SECRET + "\n", encoding="ascii")
        said = scenario(orders)
    text = json.dumps(said, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_bytes(gzip.compress(text.encode(), mtime=0))
    sys.stdout.write(f"{out}: version {said['version']}, {out.stat().st_size:,} bytes\n")


def scenario(orders: Path) -> dict[str, Any]:
    """What an order database keeps, written by the code of the checkout."""
    from duanka.bootstrap import orders as app_orders  # noqa: PLC0415  # of the older checkout
    from duanka.bootstrap.policies import policy_named  # noqa: PLC0415
    from duanka.bootstrap.settings import Settings  # noqa: PLC0415

    known: dict[str, Any] = {}
    with app_orders.desk(Settings(orders=orders), policy_named("national"), create=True) as here:
        people = _people(here, known)
        _orders(here, people, known)
        _refused(here)
        return {
            **known,
            "version": describe(),
            "secret": SECRET,
            "statements": {name: list(statements(name)) for name in ("sqlite", "postgresql")},
            "rows": rows(here.store),
        }


def describe() -> str:
    """The version of the checkout's tables."""
    from duanka.ledger.db.tables import SCHEMA_VERSION  # noqa: PLC0415

    return str(SCHEMA_VERSION)


def statements(dialect: str) -> Iterator[str]:
    """What makes the tables and indexes of the checkout."""
    from duanka.ledger.db.tables import metadata  # noqa: PLC0415

    made: list[str] = []
    driver = {"sqlite": "sqlite://", "postgresql": "postgresql+psycopg://"}[dialect]
    engine: Any = create_mock_engine(driver, lambda sql, *_: made.append(_compiled(sql, engine)))
    metadata.create_all(engine, checkfirst=False)
    yield from made


def _compiled(sql: Any, engine: Any) -> str:
    return str(sql.compile(dialect=engine.dialect)).strip()


def rows(store: Any) -> dict[str, list[dict[str, Any]]]:
    """Every row as the database keeps it; bytes as {"base64": ...}."""
    from duanka.ledger.db.tables import metadata  # noqa: PLC0415

    held: dict[str, list[dict[str, Any]]] = {}
    with store.reading() as connection:
        for table in metadata.sorted_tables:
            cursor = connection.exec_driver_sql(str(select(table).compile(dialect=connection.dialect)))
            held[table.name] = [
                {name: _plain(value) for name, value in row._mapping.items()} for row in cursor
            ]
    return {name: found for name, found in held.items() if found}


def _plain(value: Any) -> Any:
    return {"base64": base64.b64encode(value).decode()} if isinstance(value, bytes) else value


def _people(here: Any, known: dict[str, Any]) -> dict[str, Any]:
    """People with keys: whoever acts below."""
    from duanka.domain.person import Person, Role  # noqa: PLC0415
    from duanka.ledger.people.persons import PersonProposal as Proposed  # noqa: PLC0415

    roles = {
        "王芳": Role.SUPERVISOR,
        "Li Wei": Role.SUPERVISOR,
        "zhang.san": Role.DESK,
        "liaison": Role.POLICE,
        "inspector": Role.REGULATOR,
    }
    ids = dict(zip(roles, ("wang.fang", "li.wei", "zhang.san", "liaison", "inspector"), strict=True))
    first, invitation = here.persons.begin(ids["王芳"], "王芳", "a test", NOW)
    second = here.persons.join(invitation, ids["Li Wei"], "Li Wei", NOW)
    known["keys"] = {"王芳": first, "Li Wei": second}
    people = {name: Person(ids[name], role, name) for name, role in roles.items()}
    for name in ("zhang.san", "liaison", "inspector"):
        asked, half = here.persons.propose(Proposed.PERSON, people[name], people["王芳"], NOW)
        _, other = here.persons.approve(asked.id, people["Li Wei"], "new here", NOW)
        known["keys"][name] = f"{half}{other}"
    return people


def _orders(here: Any, people: dict[str, Any], known: dict[str, Any]) -> None:
    """Verifications in every state, stops, acts, objections, notices, alarms."""
    from duanka.domain.order import SYSTEM, Event, Kind  # noqa: PLC0415
    from duanka.domain.order_decision import OrderDecision, RequestedAction  # noqa: PLC0415
    from duanka.domain.text import BilingualText  # noqa: PLC0415
    from duanka.orders.intake.receiving import receive_in  # noqa: PLC0415

    book, acts = here.orders, here.bulk_actions
    told = BilingualText("一天外呼80个陌生号码", "80 strangers called in a day")
    asked = [RequestedAction.VERIFY] * 8 + [RequestedAction.VERIFY_AT_COUNTER]
    decisions = [OrderDecision(_card(n), how, "medium", told, ("fan_out",)) for n, how in enumerate(asked)]
    book.transaction(lambda unit: receive_in(unit, decisions), NOW)

    def open_order(number: int, kind: Any = Kind.VERIFICATION) -> Any:
        return book.transaction(lambda unit: unit.open_order(_card(number), kind), NOW)

    def act(number: int, event: Any, by: Any, why: str, at: datetime, **facts: Any) -> Any:
        return book.apply(open_order(number).id, event, by, why, at, **facts)

    for number in range(1, 6):
        act(number, Event.DELIVERED, SYSTEM, "receipt", NOW, delivered_at=NOW)
    desk, boss, other = people["zhang.san"], people["王芳"], people["Li Wei"]
    act(1, Event.BEGIN, desk, "at the counter", NOW + HOUR)
    act(1, Event.PASS, desk, "papers seen", NOW + HOUR)
    act(2, Event.BEGIN, desk, "on the telephone", NOW + HOUR)
    act(3, Event.WITHDRAW, boss, "a mistake", NOW + HOUR)
    act(6, Event.NOT_DELIVERED, SYSTEM, "the telephone is off", NOW + HOUR)
    book.extend(open_order(5).id, "hospital", desk, "a letter of the clinic", NOW + HOUR)
    book.police_stop(_card(10), "case 7", people["liaison"], "by notice", NOW)
    book.police_stop(_card(11), "case 8", people["liaison"], "by notice", NOW)
    book.police_release(_card(11), people["liaison"], "consent", NOW + HOUR)
    book.object(_card(10), "不是我 / not me", desk, NOW + HOUR)
    stop = acts.propose(
        Event.SUSPEND, [_card(n) for n in (12, 13)], BilingualText("涉诈", "fraud"), boss, NOW
    )
    acts.approve(stop.id, other, "seen", NOW)
    while acts.carry_out(NOW):
        pass
    acts.undo(stop.id, other, "a mistake", NOW + HOUR)
    while acts.carry_out(NOW + HOUR):
        pass
    ran = acts.propose(Event.BAR_OUTGOING, [_card(14)], BilingualText("涉诈", "fraud"), boss, NOW)
    acts.approve(ran.id, other, "seen", NOW)
    while acts.carry_out(NOW):
        pass
    waits = acts.propose(Event.SUSPEND, [_card(15)], BilingualText("涉诈", "fraud"), boss, NOW)
    while book.sweep(NOW + 200 * HOUR):  # the fourth expires, and its card is stopped
        pass
    known["acts"] = {"undone": stop.id, "done": ran.id, "proposed": waits.id}


def _refused(here: Any) -> None:
    """A refused call, and the position of another source."""
    from duanka.domain.network import Carried, Refusal, RefusalReason  # noqa: PLC0415
    from duanka.orders.monitoring.offsets import store_offset  # noqa: PLC0415
    from duanka.orders.monitoring.refusals import RefusalCollector  # noqa: PLC0415

    refused = Refusal(
        "call_proxy", "1", NOW, Carried.CALL, _card(10), _card(99), RefusalReason.BLOCKED_SENDER
    )

    class Source:
        name = "call_proxy"

        def refusals(self, after: int, limit: int) -> Any:
            del limit
            return ([refused], 1) if not after else ([], after)

        carried = Carried.CALL

        def forget(self, before: int) -> None:
            """Nothing to forget."""

        def losses(self) -> Any:
            return ()

    RefusalCollector(here.store, Source()).read(NOW)
    with here.store.writing() as connection:
        store_offset(connection, "decisions of an older run", 4096, "0" * 64)


def _card(number: int) -> str:
    return str(8613000000000 + number)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
