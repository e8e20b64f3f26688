"""`duanka serve` and the commands of the desk, typed: from decisions to a stop by two people and back."""

from __future__ import annotations

import json
import os
import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from duanka.bootstrap.settings import Settings
from duanka.domain.person import Role
from duanka.network.sms.element import MessageProxy
from duanka.sandbox.message_proxy import OwnMessageProxy
from duanka.sandbox.smsc import OwnShortMessageCentre
from support.databases import Postgres
from support.desk import Typed, duanka, started
from support.people import people_of
from support.prepared import Running
from support.waiting import HANG, until

CARD = "8613800000001"


def decide(folder: Path, *cards: str) -> None:
    """decisions.jsonl, as a scan writes it."""
    folder.mkdir(exist_ok=True)
    lines = [
        {
            "seq": seq,
            "card": card,
            "tier": "medium",
            "action": "verify",
            "points": 3,
            "reasons": [
                {"rule": "fan_out", "zh": "一天外呼80个陌生号码", "en": "80 strangers called in a day"}
            ],
        }
        for seq, card in enumerate(cards, 1)
    ]
    (folder / "decisions.jsonl").write_text(
        "".join(f"{json.dumps(line)}\n" for line in lines), encoding="utf-8"
    )


class Office:
    """A desk with two people, its order database, and a message path behind it."""

    def __init__(self, folder: Path, environment: dict[str, str], **database: Any) -> None:
        self.folder, self.environment = folder, environment
        settings = Settings(orders=folder / "duanka-orders", **database)
        self.keys = people_of(settings, {"wang": Role.DESK, "li": Role.SUPERVISOR})

    def typed(self, *words: str | Path, who: str | None = "wang") -> Typed:
        key = {"DUANKA_API_KEY": self.keys[who]} if who else {}
        return duanka(*words, cwd=self.folder, **self.environment, **key)

    def out(self, *words: str | Path, who: str | None = "wang") -> str:
        typed = self.typed(*words, who=who)
        assert typed.code == 0, typed.err
        return typed.out

    @contextmanager
    def serving(self, *words: str | Path) -> Iterator[tuple[Running, str]]:
        """`duanka serve` in a process of its own, and the address of its API."""
        command = ("serve", "--port", "0", *words)
        log = self.folder / "serve.log"
        with log.open("w") as err:
            process = started(*command, cwd=self.folder, out=err, err=err, **self.environment)
        try:
            until(lambda: "API: " in log.read_text() or process.poll() is not None)
            found = re.search(r"API: (http://\S+)", log.read_text())
            assert found, log.read_text()
            yield process, found[1]
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
                process.wait(HANG)


class Proxy:
    """Asks the message proxy itself."""

    def __init__(self, office: Office) -> None:
        self._folder = Path(office.environment["DUANKA_MESSAGE_PROXY"])

    def state(self, card: str) -> str:
        element = MessageProxy(self._folder)
        try:
            return element.state_of(card).value
        finally:
            element.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def office(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Office]:
    with OwnShortMessageCentre() as centre, OwnMessageProxy(tmp_path / "proxy", centre.address) as proxy:
        host, port = centre.address
        environment = {
            "DUANKA_MESSAGE_PROXY": str(proxy.folder),
            "DUANKA_MESSAGE_CENTRE": f"smpp://duanka:{centre.behaviour.password}@{host}:{port}",
        }
        if request.param == "sqlite":
            yield Office(tmp_path, environment)
            return
        server: Postgres = request.getfixturevalue("postgres")
        with server.database() as url:
            secret = "the secret of a test, long enough"  # noqa: S105  # of a server one must be given
            environment |= {"DUANKA_SECRET": secret, "DUANKA_DATABASE_URL": url}
            yield Office(tmp_path, environment, secret=SecretStr(secret), database_url=SecretStr(url))


@pytest.mark.requirement("R2")
def test_a_stop_by_two_people_and_back(office: Office) -> None:
    proxy = Proxy(office)
    decide(office.folder / "scan", CARD, "8613800000002")
    key = {"Authorization": f"Bearer {office.keys['li']}"}
    with office.serving("--decisions", office.folder / "scan") as (_, api):
        until(lambda: httpx.get(f"{api}/orders", headers=key, timeout=HANG).text.count('"notified"') == 2)
        assert office.out("orders", "list").count("notified") == 2
        proposed = office.out("orders", "stop", CARD, "--reason", "群众举报", "--reason-en", "reported")
        act = re.search(r"A[0-9A-Z]{12}", proposed)
        assert act
        refused = office.typed("orders", "approve", act[0], "--why", "mine", who="wang")
        assert refused.code == 2, "the second person cannot be the first"
        office.out("orders", "approve", act[0], "--why", "checked the report", who="li")
        until(lambda: proxy.state(CARD) == "suspended")
        assert "suspended" in office.out("cards", "show", CARD)
        assert CARD[2:] not in office.out("cards", "show", CARD), "masked unless asked for"
        assert CARD in office.out("cards", "show", CARD, "--full", "--why", "caller on the line")
        office.out("orders", "restore", CARD, "--why", "the report was wrong")
        until(lambda: proxy.state(CARD) == "active")
        answer = httpx.get(f"{api}/orders", headers=key, timeout=HANG)
        assert answer.status_code == 200
        assert httpx.get(f"{api}/orders", timeout=HANG).status_code == 401
    assert "holds" in office.out("audit", "verify", who="li")
    assert "numbers handled" in office.out("orders", "handled")


@pytest.mark.requirement("R2")
def test_killed_while_orders_wait_it_goes_on_where_it_was(office: Office) -> None:
    proxy = Proxy(office)
    cards = [str(8613800000100 + number) for number in range(40)]
    decide(office.folder / "scan", *cards)
    with office.serving("--decisions", office.folder / "scan") as (process, _):
        until(lambda: "opened" in office.out("orders", "list") or "notified" in office.out("orders", "list"))
        listed = office.folder / "cards.txt"
        listed.write_text("\n".join(cards))
        proposed = office.out("orders", "stop", "--file", listed, "--reason", "批量", "--reason-en", "bulk")
        act = re.search(r"A[0-9A-Z]{12}", proposed)
        assert act
        office.out("orders", "approve", act[0], "--why", "checked", who="li")
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    with office.serving("--decisions", office.folder / "scan"):
        until(lambda: all(proxy.state(card) == "suspended" for card in cards))
        shown = office.out("orders", "show", act[0])
        assert "40 done, 0 skipped, 0 to come" in shown
        undone = re.search(r"A[0-9A-Z]{12}", office.out("orders", "undo", act[0], "--why", "wrong list"))
        assert undone
        until(lambda: all(proxy.state(card) == "active" for card in cards))
    assert "holds" in office.out("audit", "verify", who="li")


def test_wrong_settings_say_what_is_right(tmp_path: Path) -> None:
    for setting, value, told in (
        ("DUANKA_DATABASE_URL", "nonsense", "postgresql://"),
        ("DUANKA_MESSAGE_CENTRE", "http://x", "smpp://"),
        ("DUANKA_HOME_REGISTER", "host:x:y", "127.0.0.1:4258:4259"),
    ):
        typed = duanka("serve", "--port", "0", cwd=tmp_path, **{setting: value})
        assert typed.code == 2, setting
        assert told in typed.err, typed.err
        assert "Traceback" not in typed.err
    typed = duanka("orders", "list", cwd=tmp_path)
    assert typed.code == 2
    assert "duanka persons init" in typed.err
    assert (tmp_path / "duanka-orders" / "secret").stat().st_mode & 0o077 == 0, "nobody else reads the secret"
