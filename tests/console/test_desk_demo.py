"""`duanka demo --console`: a desk that is filled once, and people who sign in to it with what the terminal shows."""

from __future__ import annotations

import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from duanka.api import BASE
from support.decided import decide, high, medium
from support.desk import duanka, started
from support.waiting import HANG, until

_SERVED = re.compile(r"The console: (http://[\d.]+:\d+)/console")


@contextmanager
def _shown(folder: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """Where the console is, and the passwords of its people."""
    out = folder / "said"
    with out.open("wb") as said, (folder / "errors").open("wb") as errors:
        run = started("demo", "--console", folder, out=said, err=errors, DUANKA_LANGUAGE="en")
        try:
            until(lambda: "API: http" in (folder / "errors").read_text(encoding="utf-8"))
            told = out.read_text(encoding="utf-8")
            (address,) = _SERVED.findall(told)
            yield address, dict(re.findall(r"^  ([\w.]+) +([\w-]+) ", told, re.MULTILINE))
        finally:
            run.send_signal(signal.SIGINT)
            run.wait(HANG)


@contextmanager
def _signed_in(address: str, login: str, password: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=address + BASE, timeout=HANG) as client:
        answer = client.post("/session", json={"login": login, "password": password})
        assert answer.status_code == 201, answer.text
        yield client


def test_the_desk_is_filled_once_and_each_person_signs_in(tmp_path: Path) -> None:
    decide(tmp_path / "out", None, [*medium(*range(60)), *high(*range(60, 80))])
    counted = []
    for _ in range(2):
        with _shown(tmp_path) as (address, passwords):
            assert set(passwords) == {"wang.invented", "li.invented", "zhao.invented", "ministry.invented"}
            for login, password in passwords.items():
                with _signed_in(address, login, password) as client:
                    assert client.get("/whoami").json()["id"] == login
            with _signed_in(address, "zhao.invented", passwords["zhao.invented"]) as client:
                found = client.get("/orders?counts=true&limit=1").json()["counts"]
                assert client.get("/acts?waiting=true").json()["items"]
            assert found["by"]["state"]["filed"] == 3
            counted.append(found["total"])
    assert counted[0] == counted[1] > 80
    assert not set(passwords.values()) & set((tmp_path / "errors").read_text(encoding="utf-8").split())


def test_a_folder_with_other_people_is_refused(tmp_path: Path) -> None:
    decide(tmp_path / "out", None, medium(*range(5)))
    duanka("persons", "init", "wang", "--name", "王伟", DUANKA_ORDERS=str(tmp_path / "orders"))
    refused = duanka("demo", "--console", tmp_path, DUANKA_LANGUAGE="en")
    assert refused.code == 2
    assert "people who are not invented" in refused.err
