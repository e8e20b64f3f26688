"""`duanka persons password`, `sessions`, `end-sessions`, `remove-password`: as they are typed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from duanka.bootstrap import orders as app_orders
from duanka.bootstrap.policies import policy_named
from duanka.bootstrap.settings import Settings
from duanka.domain.order import Role
from duanka.domain.sign_in import SignInRefused
from support.desk import ENGLISH, duanka
from support.people import FIRST, SECOND, people_of


@pytest.fixture
def keys(tmp_path: Path) -> dict[str, str]:
    return people_of(Settings(orders=tmp_path / "duanka-orders"), {"wang": Role.DESK, "li": Role.DESK})


def test_two_people_give_a_password_and_one_ends_what_it_opened(tmp_path: Path, keys: dict[str, str]) -> None:
    def out(who: str, *words: str, code: int = 0) -> str:
        found = duanka(*words, cwd=tmp_path, **ENGLISH, DUANKA_API_KEY=keys[who])
        assert found.code == code, found
        return found.out + found.err

    asked = out(FIRST.id, "persons", "password", "wang", "--generate", "--login", "wang.wei")
    number, first = re.search(r"P[0-9A-Z]{12}", asked), re.search(r"^[a-z0-9-]{14}$", asked, re.MULTILINE)
    assert number
    assert first
    approved = out(SECOND.id, "persons", "approve", number[0], "--why", "works here")
    second = re.search(r"^[a-z0-9-]{14}$", approved, re.MULTILINE)
    assert second
    assert "login name wang.wei" in " ".join(approved.split())
    settings = Settings(orders=tmp_path / "duanka-orders")
    with app_orders.desk(settings, policy_named("national")) as here:
        session = here.sign_in.passwords.begin("wang.wei", f"{first[0]}-{second[0]}", "192.0.2.7", here.now())
        assert session.must_change
    assert "192.0.2.7" in out("wang", "persons", "sessions", "wang")
    assert "for them and for supervisors" in out("li", "persons", "sessions", "wang", code=2)
    assert "over now: 1" in out(FIRST.id, "persons", "end-sessions", "wang", "--why", "a lost laptop")
    assert "No sessions" in out("wang", "persons", "sessions", "wang", "--open")
    out(FIRST.id, "persons", "remove-password", "wang", "--why", "a lost laptop")
    with app_orders.desk(settings, policy_named("national")) as here, pytest.raises(SignInRefused):
        here.sign_in.passwords.begin("wang.wei", f"{first[0]}-{second[0]}", "192.0.2.7", here.now())


def test_a_password_is_typed_by_its_person_on_a_terminal(tmp_path: Path, keys: dict[str, str]) -> None:
    for who, said in (("wang", "--generate prints one"), ("li", "two people")):
        found = duanka("persons", "password", "wang", cwd=tmp_path, **ENGLISH, DUANKA_API_KEY=keys[who])
        assert found.code == 2
        assert said in found.err
    found = duanka(
        "persons", "password", "wang", "--generate", cwd=tmp_path, **ENGLISH, DUANKA_API_KEY=keys["wang"]
    )
    assert re.search(r"^([a-z0-9]{4}-){5}[a-z0-9]{4}$", found.out, re.MULTILINE)
    assert "Login name: wang" in found.out
