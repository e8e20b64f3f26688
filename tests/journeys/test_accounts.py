"""Linked accounts typed: two register a platform; a police stop reaches it, its release too, by `duanka serve`."""

from __future__ import annotations

import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from duanka.bootstrap.settings import Settings
from duanka.domain.order import Role
from support.casework.account_scene import CHAT, accounts_of
from support.casework.platform_server import platform_server
from support.desk import duanka, started
from support.engine.filled_store import fill
from support.people import FIRST, SECOND, people_of
from support.waiting import HANG, until

CARD = "8613800000001"


class Office:
    """A home with people and a store of records that is attached to it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.orders = folder, folder / "orders"
        self.keys = people_of(
            Settings(orders=self.orders), {"wang": Role.DESK, "liaison": Role.POLICE, "officer": Role.POLICE}
        )
        fill(folder / "records", {"accounts": accounts_of(CARD, platforms=(CHAT,))})
        self.environment = {"DUANKA_ORDERS": str(self.orders), "DUANKA_STORE": str(folder / "records")}
        self.out(FIRST.id, "store", "attach", folder / "records", "--why", "ours")

    def out(self, who: str, *words: str | Path, code: int = 0) -> str:
        key = self.keys[who]
        found = duanka("--language", "en", *words, cwd=self.folder, **self.environment, DUANKA_API_KEY=key)
        assert found.code == code, found
        return found.out + found.err

    @contextmanager
    def serving(self) -> Iterator[None]:
        log = self.folder / "serve.log"
        with log.open("w") as err:
            process = started("serve", "--port", "0", cwd=self.folder, out=err, err=err, **self.environment)
        try:
            until(lambda: "API: " in log.read_text() or process.poll() is not None)
            assert "API: " in log.read_text(), log.read_text()
            yield
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
                process.wait(HANG)


@pytest.mark.requirement("R4")
def test_a_police_stop_reaches_the_platform_and_its_release_too(tmp_path: Path) -> None:
    office = Office(tmp_path)
    with platform_server(tmp_path / "chat", CHAT, "at_once") as chat:
        (tmp_path / "chat.pub").write_bytes(
            Ed25519PublicKey.from_public_bytes(chat.platform.public_key).public_bytes(
                serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
            )
        )
        keys = ("--key-file", chat.platform.key_file, "--public-key", "chat.pub")
        proposed = office.out(
            FIRST.id, "accounts", "add-platform", CHAT, "--address", chat.platform.address, *keys
        )
        number = _id("B", proposed)
        office.out(FIRST.id, "accounts", "approve-platform", number, "--why", "mine", code=2)
        office.out(SECOND.id, "accounts", "approve-platform", number, "--why", "compared by telephone")
        assert chat.platform.public_key.hex() in office.out(FIRST.id, "accounts", "platforms")
        refused = office.out(
            "wang",
            "accounts",
            "request",
            CARD,
            "--kind",
            "restrict",
            "--case",
            "A1",
            "--why",
            "it is at risk",
            code=2,
        )
        assert "no ground stands" in refused
        with office.serving():
            office.out("liaison", "orders", "police-stop", CARD, "--case", "A2026-1", "--why", "fraud")
            until(lambda: len(chat.effects()) == 1)  # a command takes long: the platform is asked first
            until(lambda: "handled" in office.out("wang", "accounts", "list"))
            listed = office.out("wang", "accounts", "list", "--json")
            assert CARD not in listed
            request = _id("G", listed)
            shown = office.out(
                "wang", "accounts", "show", request, "--case", "A2026-1", "--why", "the caller asks"
            )
            assert "confirmed by the police A2026-1" in shown
            asked = ("accounts", "request", CARD, "--kind", "close", "--case", "A2026-1")
            closing = _id("G", office.out(FIRST.id, *asked, "--why", "their letter"))
            office.out(FIRST.id, "accounts", "approve", closing, "--why", "mine", code=2)
            office.out(SECOND.id, "accounts", "approve", closing, "--why", "their letter")
            until(lambda: chat.effects().get((closing, "request")) == 1)
            office.out("officer", "orders", "police-release", CARD, "--case", "A2026-1", "--why", "an error")
            until(lambda: len(chat.effects()) == 4)
            until(lambda: office.out("wang", "accounts", "list").count("released") == 2)
        assert chat.effects() == {
            (one, what): 1 for one in (request, closing) for what in ("request", "release")
        }
        figures = office.out("wang", "accounts", "figures", "--since", "2020-01-01", "--json")
        assert '"handled": 1' in figures
        assert '"released": 1' in figures


def _id(letter: str, text: str) -> str:
    found = re.search(rf"{letter}[0-9A-Z]{{12}}", text)
    assert found, text
    return found[0]
