"""`duanka persons password`, `sessions`, `end-sessions`, `remove-password`: as they are typed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from duanka.bootstrap import orders as app_orders
from duanka.bootstrap.policies import policy_named
from duanka.bootstrap.settings import Settings
from duanka.bootstrap.sign_in.provider import identity_provider_of
from duanka.domain.errors import DuankaError
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


def test_a_subject_is_bound_by_two_people_where_a_provider_is_named(
    tmp_path: Path, keys: dict[str, str]
) -> None:
    def typed(who: str, *words: str, **environment: str) -> str:
        found = duanka(*words, cwd=tmp_path, **ENGLISH, DUANKA_API_KEY=keys[who], **environment)
        return found.out + found.err

    assert "DUANKA_OIDC_ISSUER" in typed(FIRST.id, "persons", "bind-oidc", "wang", "s-1")
    issuer = {"DUANKA_OIDC_ISSUER": "https://id.example"}
    asked = typed(FIRST.id, "persons", "bind-oidc", "wang", "s-1", **issuer)
    number = re.search(r"P[0-9A-Z]{12}", asked)
    assert number
    assert "waits for a supervisor" in " ".join(asked.split())
    assert "approved" in typed(SECOND.id, "persons", "approve", number[0], "--why", "seen")
    assert "somebody else" in typed(FIRST.id, "persons", "bind-oidc", "li", "s-1", **issuer)
    assert "bound to no subject" in typed("wang", "persons", "unbind-oidc", "wang", "--why", "left")


def test_invented_people_of_the_demonstration_have_passwords(tmp_path: Path) -> None:
    police = tmp_path / "police.pub"
    public = Ed25519PrivateKey.generate().public_key()
    police.write_bytes(public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    found = duanka("demo", "--trust", str(police), cwd=tmp_path, **ENGLISH)
    assert found.code == 0, found
    logins = dict(re.findall(r"^ +(\w+\.invented)  (\S+)$", found.out, re.MULTILINE))
    assert logins.keys() == {"li.invented", "wang.invented"}
    with app_orders.desk(Settings(orders=tmp_path / "duanka-orders"), policy_named("national")) as here:
        for login, password in logins.items():
            assert not here.sign_in.passwords.begin(login, password, "192.0.2.7", here.now()).must_change


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"oidc_client_id": None}, "DUANKA_OIDC_CLIENT_ID"),
        ({"oidc_site": None}, "DUANKA_OIDC_SITE"),
        ({"oidc_site": "http://duanka.example"}, "https://"),
        ({"oidc_issuer": "http://id.example"}, "https://"),
        ({"oidc_scopes": "profile"}, "openid"),
    ],
    ids=str,
)
def test_a_provider_that_is_half_set_up_is_refused_at_the_start(given: dict[str, object], said: str) -> None:
    whole: dict[str, object] = {"oidc_issuer": "https://id.example", "oidc_client_id": "duanka"}
    whole |= {"oidc_site": "https://duanka.example"}
    made = identity_provider_of(Settings.model_validate(whole))
    assert made
    assert made.issuer == "https://id.example"
    assert identity_provider_of(Settings()) is None
    with pytest.raises(DuankaError, match=said):
        identity_provider_of(Settings.model_validate(whole | given))
