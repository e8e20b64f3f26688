"""Build a small order database with the code of an older checkout, as test data for upgrades.

    git worktree add --detach OLD e63b325
    PYTHONPATH=OLD/src python scripts/build_old_database.py tests/support/orders/old_databases/release-0.1.0.json.gz

The file holds the statements that made the tables, for SQLite and for PostgreSQL, and every row. Numbers, names and
pictures are invented; the secret and the keys are for tests alone and stand in the file, too.
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
    """Everything that 0.1.0 keeps, by its own code; later checkouts do as much of it as they can."""
    from duanka import app_orders  # noqa: PLC0415  # of the older checkout
    from duanka.settings import Settings  # noqa: PLC0415

    try:
        from duanka.app_policies import policy_named  # noqa: PLC0415
    except ImportError:
        from duanka.app import policy_named  # noqa: PLC0415

    settings = Settings(orders=orders)
    known: dict[str, Any] = {}
    later: dict[str, Any] = {} if "release" in describe() else {"create": True}
    with app_orders.desk(settings, policy_named("national"), **later) as here:
        people = _people(here, known)
        _orders(here, people, known)
        if "release" in describe():
            _online(here, people, known)
        return {
            **known,
            "version": describe(),
            "secret": SECRET,
            "statements": {name: list(statements(name)) for name in ("sqlite", "postgresql")},
            "rows": rows(here.store),
        }


def describe() -> str:
    """The version of the checkout's tables; of 0.1.0, which has none, the release."""
    from duanka.orders import tables  # noqa: PLC0415

    number = getattr(tables, "SCHEMA_VERSION", None)
    return "release 0.1.0" if number is None else str(number)


def statements(dialect: str) -> Iterator[str]:
    """What makes the tables and indexes of the checkout."""
    from duanka.orders.tables import metadata  # noqa: PLC0415

    made: list[str] = []
    driver = {"sqlite": "sqlite://", "postgresql": "postgresql+psycopg://"}[dialect]
    engine: Any = create_mock_engine(driver, lambda sql, *_: made.append(_compiled(sql, engine)))
    metadata.create_all(engine, checkfirst=False)
    yield from made


def _compiled(sql: Any, engine: Any) -> str:
    return str(sql.compile(dialect=engine.dialect)).strip()


def rows(store: Any) -> dict[str, list[dict[str, Any]]]:
    """Every row as the database keeps it; bytes as {"base64": ...}."""
    from duanka.orders.tables import metadata  # noqa: PLC0415

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
    from duanka.domain.order import SYSTEM, Person, Role  # noqa: PLC0415

    roles = {
        "王芳": Role.SUPERVISOR,
        "Li Wei": Role.SUPERVISOR,
        "zhang.san": Role.DESK,
        "liaison": Role.POLICE,
        "inspector": Role.REGULATOR,
    }
    if not hasattr(here, "persons"):  # a key made its owner
        known["keys"] = {name: here.keys.add(name, role, SYSTEM, NOW) for name, role in roles.items()}
        known["keys"]["li wei"] = here.keys.add("li wei", Role.DESK, SYSTEM, NOW)
        known["keys"]["duanka"] = here.keys.add("duanka", Role.DESK, SYSTEM, NOW)
        known["keys"]["zhang.san as supervisor"] = here.keys.add("zhang.san", Role.SUPERVISOR, SYSTEM, NOW)
        gone = here.keys.add("left since", Role.SUPERVISOR, SYSTEM, NOW)
        boss = Person("王芳", Role.SUPERVISOR)
        listed = here.keys.list(*([boss] if "by" in _parameters(here.keys.list) else []))
        number = next(one.id for one in listed if _name(one.person) == "left since")
        here.keys.revoke(number, boss, "left the company", NOW + HOUR)
        known["revoked"] = {"left since": gone}
        return {name: Person(name, role) for name, role in roles.items()}
    from duanka.orders.persons import RequestedAction as Proposed  # noqa: PLC0415

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
    from duanka.domain.order import SYSTEM, RequestedAction, OrderDecision, Event, Kind  # noqa: PLC0415
    from duanka.domain.words import Words  # noqa: PLC0415

    book, acts = here.book, here.acts
    told = Words("一天外呼80个陌生号码", "80 strangers called in a day")
    asked = [RequestedAction.VERIFY] * 8 + [RequestedAction.VERIFY_AT_COUNTER]
    book.receive(
        [OrderDecision(_card(n), how, "medium", told, ("fan_out",)) for n, how in enumerate(asked)],
        NOW,
    )

    def open_order(number: int, kind: Any = Kind.VERIFICATION) -> Any:
        return book.turn(lambda turn: turn.open_order(_card(number), kind), NOW)

    def act(number: int, event: Any, by: Any, why: str, at: datetime, **facts: Any) -> Any:
        return book.act(open_order(number).id, event, by, why, at, **facts)

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
    stop = acts.propose(Event.SUSPEND, [_card(n) for n in (12, 13)], Words("涉诈", "fraud"), boss, NOW)
    acts.approve(stop.id, other, "seen", NOW)
    while acts.carry_out(NOW):
        pass
    acts.undo(stop.id, other, "a mistake", NOW + HOUR)
    while acts.carry_out(NOW + HOUR):
        pass
    ran = acts.propose(Event.BAR_OUTGOING, [_card(14)], Words("涉诈", "fraud"), boss, NOW)
    acts.approve(ran.id, other, "seen", NOW)
    while acts.carry_out(NOW):
        pass
    waits = acts.propose(Event.SUSPEND, [_card(15)], Words("涉诈", "fraud"), boss, NOW)
    while book.sweep(NOW + 200 * HOUR):  # the fourth expires, and its card is stopped
        pass
    known["acts"] = {"undone": stop.id, "done": ran.id, "proposed": waits.id}


def _online(here: Any, people: dict[str, Any], known: dict[str, Any]) -> None:
    """Links, a consent, a check that waits for a person with its pictures, a counter check, and what a worker keeps."""
    from duanka import app_orders  # noqa: PLC0415
    from duanka.domain.counter import CounterCheck, Document  # noqa: PLC0415
    from duanka.domain.identity import (  # noqa: PLC0415
        Consent,
        Frame,
        Gesture,
        Outcome,
        CheckReason,
        Step,
        Verdict,
    )
    from duanka.domain.network import Carried, Refusal, RefusalReason  # noqa: PLC0415
    from duanka.domain.order import Kind  # noqa: PLC0415
    from duanka.orders.alarms import Alarms  # noqa: PLC0415
    from duanka.orders.positions import remember  # noqa: PLC0415
    from duanka.orders.refusals import Refusals  # noqa: PLC0415

    def order(number: int) -> Any:
        return here.book.turn(lambda turn: turn.open_order(_card(number), Kind.VERIFICATION), NOW)

    def link(number: int) -> str:
        about = order(number).id
        return str(here.book.turn(lambda turn: here.links.make(turn.connection, about, NOW), NOW))

    seen, steps = link(7), (Step(Gesture.CLOSE_EYES, 1.0, 3.0), Step(Gesture.TURN_LEFT, 3.0, 5.0))
    session = here.checks.agree(seen, Consent(True, True, "0123abcd"), NOW)
    challenge = here.checks.draw(session, steps, NOW)
    frames = [Frame(n, 6 * n / 17, b"\xff\xd8\xff\xe0" + f"frame {n}".encode() * 4) for n in range(18)]
    here.checks.take(session, challenge.id, frames, NOW + timedelta(seconds=8))
    here.checks.keep_reference(order(7).id, b"\xff\xd8\xff reference", NOW)
    unsure = Verdict(Outcome.REVIEW, (CheckReason.UNSURE,), 0.4, {"mouth": 0.4}, best=3)
    here.checks.settle(challenge.id, unsure, b"\xff\xd8\xff captured", NOW + timedelta(seconds=9))
    known["links"] = {"agreed": seen, "used": link(7), "open": link(0)}
    here.links.use(here.store, known["links"]["used"], NOW)
    known["links"]["made by zhang.san"] = app_orders.link_for(
        here, order(6).id, people["zhang.san"], "asked for", NOW
    )
    at_counter = CounterCheck(next(iter(Document)), "营业厅一号", True, True, True)
    here.counter.verify(order(8).id, at_counter, people["zhang.san"], "came in", NOW)
    Alarms(here.store, lambda _: None, timedelta(0)).raise_now("call_proxy", NOW, "不通 / does not answer")
    refused = Refusal(
        "call_proxy", "1", NOW, Carried.CALL, _card(10), _card(99), RefusalReason.BLOCKED_SENDER
    )

    class Source:
        name = "call_proxy"

        def refusals(self, after: int, limit: int) -> Any:
            del limit
            return ([refused], 1) if not after else ([], after)

        def forget(self, before: int) -> None:
            """Nothing to forget."""

    Refusals(here.store, Source()).read(NOW)
    with here.store.writing() as connection:
        remember(connection, "decisions of an older run", 4096, "0" * 64)


def _card(number: int) -> str:
    return str(8613000000000 + number)


def _name(person: Any) -> str:
    return str(getattr(person, "name", None) or person.id)


def _parameters(function: Any) -> set[str]:
    return set(function.__code__.co_varnames[: function.__code__.co_argcount])


if __name__ == "__main__":
    main(Path(sys.argv[1]))
