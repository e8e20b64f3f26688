"""A case of three cards, a recipient with a key of the test, and the clue built of it."""

from __future__ import annotations

import subprocess
import zipfile
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from io import BytesIO
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from sqlalchemy import select

from duanka.casework.cases.seeds import added_items
from duanka.domain.case_file import CaseGround, GroundKind
from duanka.domain.clue import Clue
from duanka.domain.hit_summary import HitSummary
from duanka.domain.order import Person, Role
from duanka.domain.order_decision import OrderDecision
from duanka.domain.ring_lookups import SeedName
from duanka.domain.text import BilingualText
from duanka.ledger.db.casework.clues import clues
from duanka.ledger.db.database import Store
from support.api.desks import NOW, TestDesk, card, demand, desk_on
from support.orders.books import receive
from support.people import FIRST, SECOND

POLICE = "石门市公安局"
CONFIRMED, SUSPECTED, NAMED = card(1), card(2), card(3)
CASE_NUMBER = "A2026-18"


@cache
def police_key() -> rsa.RSAPrivateKey:
    """The police's key; made once in a process."""
    return rsa.generate_private_key(65537, 2048)


def police_certificate(until: datetime | None = None) -> bytes:
    """A certificate of the police's key, PEM."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "police")])
    built = (
        x509.CertificateBuilder(name, name, police_key().public_key(), 7)
        .not_valid_before(datetime(2026, 1, 1, tzinfo=UTC))
        .not_valid_after(until or datetime(2030, 1, 1, tzinfo=UTC))
    )
    return built.sign(police_key(), SHA256()).public_bytes(Encoding.PEM)


@dataclass(frozen=True)
class ClueScene:
    """A desk with a case, and a recipient whose clues land in `inbox`."""

    desk: TestDesk
    case: str
    inbox: Path

    def who(self, role: Role) -> Person:
        return self.desk.people.who(f"the.{role}")

    def build(self, at: datetime = NOW) -> Clue:
        return self.desk.casework.clues.files.build(self.case, self.who(Role.DESK), "handed over", at).clue

    def reviewed(self) -> Clue:
        return self.desk.casework.clues.files.review(self.build().id, FIRST, "read it", NOW)

    def sent(self) -> Clue:
        return self.desk.casework.clues.files.send(self.reviewed().id, SECOND, "by the folder", NOW)

    def ours(self, clue: Clue) -> dict[str, bytes]:
        return self.desk.casework.clues.files.files(clue.id, FIRST, "look", NOW)

    def package(self, clue: Clue) -> bytes | None:
        with self.desk.store.reading() as connection:
            found: bytes | None = connection.execute(
                select(clues.c.package).where(clues.c.id == clue.id)
            ).scalar_one()
            return found


def clue_scene(store: Store, inbox: Path) -> ClueScene:
    """Three cards: one that the police confirmed, one against which a rule speaks, one that is only named."""
    desk = desk_on(store)
    words = BilingualText(f"一天外呼80个号码（{card(9)}等）", f"80 numbers called in a day ({card(9)})")
    hit = HitSummary("fan_out", NOW.date() - timedelta(days=3), NOW.date() - timedelta(days=1), 2, words)
    receive(desk.orders, [_with(hit, 2)], NOW - timedelta(hours=5))
    police = desk.people.who(f"the.{Role.POLICE}")
    desk.orders.police_stop(CONFIRMED, CASE_NUMBER, police, "a notice", NOW - timedelta(hours=4))
    worker, ground = desk.people.who(f"the.{Role.DESK}"), CaseGround(GroundKind.POLICE_LETTER, "石公2026-1")
    files = desk.casework.files
    opened = files.open(
        SeedName("card", SUSPECTED), ground, "三张卡", worker, "a letter", NOW - timedelta(hours=3)
    )
    items = added_items([CONFIRMED, NAMED], [], [], [])
    files.add(opened.case.id, items, worker, "of the letter", NOW - timedelta(hours=2))
    recipients = desk.casework.clues.recipients
    made = recipients.propose(
        POLICE, police_certificate(), f"folder:{inbox}", FIRST, NOW - timedelta(hours=1)
    )
    recipients.approve(made.id, SECOND, "compared by telephone", NOW - timedelta(hours=1))
    return ClueScene(desk, opened.case.id, inbox)


def _with(hit: HitSummary, number: int) -> OrderDecision:
    return replace(demand(number), hit_summaries=(hit,))


def opened(package: bytes, folder: Path) -> dict[str, bytes]:
    """The files in a package, decrypted by OpenSSL with the police's key."""
    key, cms, plain = folder / "police.key", folder / "police.cms", folder / "plain.zip"
    key.write_bytes(police_key().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    cms.write_bytes(package)
    command = [
        "openssl",
        "cms",
        "-decrypt",
        "-inform",
        "DER",
        "-in",
        cms,
        "-inkey",
        key,
        "-out",
        plain,
        "-binary",
    ]
    subprocess.run([str(word) for word in command], check=True)
    with zipfile.ZipFile(BytesIO(plain.read_bytes())) as archive:
        return {name: archive.read(name) for name in archive.namelist()}
