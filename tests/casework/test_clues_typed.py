"""A clue by typed commands on a real order database: from the case to the police's answer."""

from __future__ import annotations

import re
import stat
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from duanka.bootstrap.settings import Settings
from duanka.domain.order import Role
from support.casework.clue_scene import opened, police_certificate
from support.desk import Typed, duanka
from support.people import FIRST, SECOND, people_of

CARDS = ("8613000000001", "8613000000002", "8613000000003")


@dataclass(frozen=True)
class TypedCase:
    """A home with people, and a case of three cards. `type`: types a command as one of them, which must succeed."""

    folder: Path
    case: str
    type: Callable[..., str]
    tried: Callable[..., Typed]


@pytest.fixture
def home(tmp_path: Path) -> TypedCase:
    folder = tmp_path / "home"
    keys = people_of(Settings(orders=folder), {"wang": Role.DESK, "liaison": Role.POLICE})

    def tried(who: str, *words: str | Path, **more: str) -> Typed:
        environment = {"DUANKA_ORDERS": str(folder), "DUANKA_API_KEY": keys[who], **more}
        return duanka(*words, cwd=tmp_path, **environment)

    def typed(who: str, *words: str | Path, **more: str) -> str:
        found = tried(who, *words, **more)
        assert found.code == 0, found
        return found.out

    ground = ("--ground", "police-letter:2026-1", "--why", "a letter")
    case = _id("C", typed("wang", "cases", "open", "--card", CARDS[0], *ground))
    typed("wang", "cases", "add", case, "--card", CARDS[1], "--card", CARDS[2], "--why", "of the letter")
    (tmp_path / "police.pem").write_bytes(police_certificate())
    (tmp_path / "inbox").mkdir()
    address = f"folder:{tmp_path}/inbox"
    proposed = typed(
        FIRST.id, "clues", "add-recipient", "city", "--certificate", "police.pem", "--address", address
    )
    typed(SECOND.id, "clues", "approve-recipient", _id("E", proposed), "--why", "compared")
    return TypedCase(tmp_path, case, typed, tried)


def _id(letter: str, text: str) -> str:
    found = re.search(rf"\b{letter}[0-9A-Z]{{12}}\b", text)
    assert found, text
    return found[0]


@pytest.mark.requirement("R8")
def test_a_clue_by_command_opens_for_the_police_and_for_nobody_else(home: TypedCase) -> None:
    folder, run = home.folder, home.type
    run("liaison", "orders", "police-stop", CARDS[0], "--case", "A1", "--why", "a notice")
    clue = _id("L", run("wang", "clues", "build", home.case, "--out", "ours", "--why", "handed over"))
    modes = {stat.S_IMODE(path.stat().st_mode) for path in (folder / "ours").iterdir()}
    assert (modes, stat.S_IMODE((folder / "ours").stat().st_mode)) == ({0o600}, 0o700)
    built = home.tried("wang", "clues", "build", home.case, "--out", "again", "--why", "handed over")
    assert built.err.count("missing in the dossier: no store is named") == 1, built
    assert "missing in the dossier: no graph is named" in built.err
    assert "All holds: 3 files" in run("wang", "clues", "verify", "ours")
    assert home.tried("wang", "clues", "review", clue, "--why", "mine").code != 0
    run(FIRST.id, "clues", "review", clue, "--why", "read it")
    run(SECOND.id, "clues", "send", clue, "--why", "now")
    run("wang", "clues", "key", "--out", "clue.pub")
    delivered = folder / "inbox" / clue
    assert "All holds: 1 files" in run("wang", "clues", "verify", delivered, "--public-key", "clue.pub")
    files = opened((delivered / "police.cms").read_bytes(), folder)
    (folder / "police").mkdir()
    for name, content in files.items():
        (folder / "police" / name).write_bytes(content)
    command = ["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", "clue.pub", "-rawin"]
    command += ["-in", "police/manifest.json", "-sigfile", "police/manifest.json.sig"]
    said = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    assert "Verified Successfully" in said.stdout
    for card in CARDS:
        assert card.encode() in files["cards.csv"]
        assert card[2:].encode() not in (folder / "ours" / "cards.csv").read_bytes()
    held = [path for path in (folder / "home").rglob("*") if path.is_file()]
    assert not any(files["bundle.json"][:200] in path.read_bytes() for path in held)


def test_the_answer_is_told_by_command(home: TypedCase) -> None:
    run = home.type
    clue = _id("L", run("wang", "clues", "build", home.case, "--out", "ours", "--why", "handed over"))
    run(FIRST.id, "clues", "review", clue, "--why", "read it")
    run(SECOND.id, "clues", "send", clue, "--why", "now")
    run("liaison", "clues", "acknowledge", clue, "--why", "received")
    answer = (
        "--confirm",
        CARDS[1],
        "--refute",
        CARDS[2],
        "--case-number",
        "A9",
        "--stop",
        "--why",
        "our letter",
    )
    told = run("liaison", "clues", "feedback", clue, *answer)
    counts = "1 confirmed, 1 refuted, 0 confirmations withdrawn, 1 stopped"
    assert told == f"Clue {clue}: confirmed; {counts}\n"
    refused = home.tried(FIRST.id, "clues", "feedback", clue, *answer)
    assert (refused.code != 0, "supervisor may not answer a clue" in refused.err) == (True, True)
    shown = run("wang", "clues", "show", clue, "--why", "look")
    assert not any(card[2:] in shown for card in CARDS)
    assert "A9" in shown
    listed = run("wang", "clues", "list", DUANKA_LANGUAGE="zh")
    assert "公安机关已确认" in listed


def test_nothing_is_written_where_a_clue_cannot_be_built(home: TypedCase) -> None:
    (home.folder / "there").mkdir()
    for out, why in (("there", "is there already"), ("away/ours", "there is no folder")):
        refused = home.tried("wang", "clues", "build", home.case, "--out", out, "--why", "handed over")
        assert (refused.code != 0, why in refused.err) == (True, True), refused
    assert home.type("wang", "clues", "list", "--json") == ""
    left = {path.name for path in home.folder.iterdir()}
    assert left == {"home", "inbox", "police.pem", "there"}


def test_what_stands_confirmed_is_written_as_labels_and_counts_in_no_scan_unsigned(home: TypedCase) -> None:
    run = home.type
    run("liaison", "orders", "police-stop", CARDS[0], "--case", "A1", "--why", "a notice")
    assert (
        run(FIRST.id, "clues", "labels", "--out", "cases.csv", "--why", "scores")
        == "1 confirmations are in cases.csv\n"
    )
    written = (home.folder / "cases.csv").read_text().splitlines()
    assert written[0] == "card,case_id,confirmed_at,source,fraud_kind"
    assert written[1].startswith(f"{CARDS[0]},A1,20")
    assert stat.S_IMODE((home.folder / "cases.csv").stat().st_mode) == 0o600
    refused = home.tried("wang", "clues", "labels", "--out", "more.csv", "--why", "scores")
    assert (refused.code != 0, (home.folder / "more.csv").exists()) == (True, False)
