"""`duanka morning`, three mornings of it: what came, what changed, what is missing, and how cron is told."""

from __future__ import annotations

import csv
import json
import os
import re
from pathlib import Path

import polars as pl
import pytest

from support.desk import Typed, cards_at_risk, duanka, new_duanka

MORNING_PAGE = Path(__file__).parents[2] / "docs" / "MORNING.md"
_HEADER = "card,peer,direction,started_at,seconds,answered\n"


def _calls(day: int, cards: dict[int, int]) -> str:
    """A file of calls of one day of May 2021: card -> calls out, each to another number, a third answered."""
    ended = ("0,false", "9,true", "9,true")
    rows = [
        f"8613800138{card:03},86139001{n:05},out,2021-05-{day:02} 09:{n % 60:02}:00,{ended[n % 3]}"
        for card, calls in cards.items()
        for n in range(calls)
    ]
    rows += [f"8613800138900,8613900139000,in,2021-05-{day:02} 20:00:00,60,true"]
    return _HEADER + "\n".join(rows) + "\n"


def _named(page: Path, heading: str) -> set[str]:
    """The files that the table of a page names."""
    table = page.read_text(encoding="utf-8").partition(heading)[2].partition("\n\n|")[2].partition("\n\n")[0]
    cells = (line.split("|")[1 if line.startswith("|") else 0] for line in table.splitlines())
    return {name.strip("/") for cell in cells for name in re.findall(r"`([^`]+)`", cell)}


def _morning(inbox: Path, out: Path, day: str) -> Typed:
    return duanka("morning", inbox, "--out", out, "--day", day)


def _changes(out: Path) -> list[tuple[str, str, str, str]]:
    with (out / "changes.csv").open(encoding="utf-8-sig", newline="") as file:
        return [(r["card"], r["change"], r["tier_before"], r["tier"]) for r in csv.DictReader(file)]


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    folder = tmp_path / "inbox"
    (folder / "calls").mkdir(parents=True)
    cards = "".join(f"8613800138{card:03},2020-01-01 09:00:00\n" for card in (1, 2, 900))
    (folder / "cards.csv").write_text("card,opened_at\n" + cards)
    return folder


def test_three_mornings(inbox: Path, tmp_path: Path) -> None:
    out = tmp_path / "morning"
    (inbox / "calls" / "0516.csv").write_text(_calls(16, {1: 70}))
    first = new_duanka("morning", inbox, "--out", out, "--day", "2021-05-16")
    assert first.code == 0, first.err
    assert "first morning" in first.out
    assert _changes(out) == []
    assert "8613800138001" in {row["card"] for row in cards_at_risk(out)}
    assert _named(MORNING_PAGE, "## What it writes") == {
        path.name for path in out.iterdir() if not path.name.startswith(".")
    }
    report = (out / "report.html").read_text(encoding="utf-8")
    assert "This is the first list" in report
    linked = {"cards_at_risk.xlsx", "cards_at_risk.csv", "changes.xlsx", "changes.csv"}
    assert set(re.findall(r'href="([^"#]+)"', report)) == linked
    assert all((out / name).is_file() for name in linked)

    (inbox / "calls" / "0517.csv").write_text(_calls(17, {2: 70}))
    second = _morning(inbox, out, "2021-05-17")
    assert second.code == 0, second.err
    assert ("8613800138002", "new") in {change[:2] for change in _changes(out)}
    counted = len([change for _, change, *_ in _changes(out) if change == "new"])
    report = (out / "report.html").read_text(encoding="utf-8")
    assert f'新增 <span lang="en">new</span> <strong>{counted}</strong>' in report
    assert not any(card == "8613800138001" and change == "new" for card, change, *_ in _changes(out))

    missing = _morning(inbox, out, "2021-05-18")
    assert missing.code == 4, "the day did not come"
    assert "MISSING: calls of 2021-05-18; its last record is of 2021-05-17, 1 day(s) before" in missing.out
    assert _changes(out) == [], "nothing came, nothing changed"

    (inbox / "calls" / "0518.csv").write_text(_calls(18, {}))
    (inbox / "calls" / "0519.csv").write_text(_calls(19, {}))
    late = _morning(inbox, out, "2021-05-19")
    assert late.code == 0, late.err
    assert "Came late, and is judged now: calls of 2021-05-18" in late.out


def test_a_folder_of_earlier_days_that_came_again_is_not_waited_for(inbox: Path, tmp_path: Path) -> None:
    out = tmp_path / "morning"
    (inbox / "calls" / "0516.csv").write_text(_calls(16, {1: 70}))
    assert _morning(inbox, out, "2021-05-16").code == 0
    (inbox / "again" / "calls").mkdir(parents=True)
    (inbox / "again" / "calls" / "0516-copy.csv").write_text(
        _calls(16, {1: 70}) + "\n"
    )  # other bytes, same records
    (inbox / "calls" / "0517.csv").write_text(_calls(17, {2: 70}))
    told = _morning(inbox, out, "2021-05-17")
    assert (told.code, "MISSING" in told.out) == (0, False), told.out


def test_a_night_of_bad_records_ends_with_three(inbox: Path, tmp_path: Path) -> None:
    (inbox / "calls" / "0516.csv").write_text(_calls(16, {1: 3}) + "8613800138001,x,y,z,9,true\n" * 5)
    ended = _morning(inbox, tmp_path / "morning", "2021-05-16")
    assert ended.code == 3
    assert "Set aside or too late" in ended.out
    assert _morning(inbox, tmp_path / "morning", "yesterday").code == 2


def test_a_morning_that_broke_off_is_compared_with_the_list_of_the_one_before(
    inbox: Path, tmp_path: Path
) -> None:
    out = tmp_path / "morning"
    (inbox / "calls" / "0516.csv").write_text(_calls(16, {1: 70}))
    assert _morning(inbox, out, "2021-05-16").code == 0
    before = (out / "cards_at_risk.csv").read_bytes()
    (inbox / "calls" / "0517.csv").write_text(_calls(17, {2: 70}))
    (out / "cards_at_risk.xlsx").unlink()
    (out / "cards_at_risk.xlsx").mkdir()  # its lists cannot be put in place
    (out / "cards_at_risk.xlsx" / "x").touch()
    assert _morning(inbox, out, "2021-05-17").code != 0
    (out / "cards_at_risk.xlsx" / "x").unlink()
    (out / "cards_at_risk.xlsx").rmdir()
    assert _morning(inbox, out, "2021-05-17").code == 0
    assert before != (out / "cards_at_risk.csv").read_bytes()
    assert ("8613800138002", "new") in {change[:2] for change in _changes(out)}


def _decided(out: Path) -> dict[str, dict[str, object]]:
    """What decisions.jsonl says of each card last, but for numbers, run, seal and coverage."""
    told: dict[str, dict[str, object]] = {}
    for text in (out / "decisions.jsonl").read_text(encoding="utf-8").splitlines():
        line = json.loads(text)
        told[line["card"]] = {
            name: value for name, value in line.items() if name not in ("seq", "run", "seal", "covers")
        }
    return told


def test_mornings_into_a_store_say_what_those_without_say(inbox: Path, tmp_path: Path) -> None:
    plain, stored, store = tmp_path / "plain", tmp_path / "stored", str(tmp_path / "store")
    written = b""
    machine = "".join(f"8613800138003,86139002{n:05},in,2021-05-16 09:00:00,60,true\n" for n in range(20))
    for day in ("16", "17", "18"):
        if day == "16":
            (inbox / "calls" / "0516.csv").write_text(_calls(16, {1: 70}) + machine)
            (inbox / "cards.csv").write_text("card,opened_at,kind\n8613800138003,2020-01-01 09:00:00,iot\n")
        elif day == "18":  # nothing came in the night before; a register row spares a card
            (inbox / "cards.csv").write_text("card,opened_at,kind\n8613800138003,2020-01-01 09:00:00,voice\n")
            (inbox / "calls" / "0518.csv").write_text(_calls(18, {1: 90, 2: 70}))
        words = ("morning", inbox, "--day", f"2021-05-{day}", "--out")
        alone, kept = duanka(*words, plain), duanka(*words, stored, DUANKA_STORE=store)
        assert (alone.code, kept.code) == ((4, 4) if day == "17" else (0, 0)), kept.err
        assert ("MISSING: calls of 2021-05-17" in kept.out) == (day == "17")
        for file in ("cards_at_risk.csv", "changes.csv", "missing_days.json"):
            assert (stored / file).read_bytes() == (plain / file).read_bytes(), (day, file)
        assert _decided(stored) == _decided(plain)
        now = (stored / "decisions.jsonl").read_bytes()
        assert now.startswith(written), "lines are only added"
        assert (now == written) == (day == "17"), "nothing new, no line"
        written = now
    assert _decided(stored)["8613800138003"]["reasons"] == []
    assert "changes.csv" in (stored / "report.html").read_text(encoding="utf-8")
    assert "Took in 161 new records" in kept.out
    assert duanka("morning", inbox, "--out", stored).code == 2, "the numbers of a live state are others"
    assert "folder of mornings" in duanka("--language", "en", "scan", inbox, "--out", stored).err, (
        "a scan would replace the decisions"
    )


def test_a_morning_into_a_store_that_was_killed_is_told_whole(inbox: Path, tmp_path: Path) -> None:
    out, store = tmp_path / "out", tmp_path / "store"
    (inbox / "calls" / "0516.csv").write_text(_calls(16, {1: 70, 2: 70}))
    words = ("morning", inbox, "--out", out, "--store", store, "--day", "2021-05-16")
    assert duanka(*words).code == 0
    whole = (out / "decisions.jsonl").read_bytes()
    lines = whole.splitlines(keepends=True)
    # as a kill leaves it while the lines are added: some of them, one torn, and nothing noted
    (out / "decisions.jsonl").write_bytes(lines[0] + lines[1][:40])
    (out / ".decided.jsonl").unlink()
    for path in inbox.rglob("*.csv"):  # what was taken in may be gone
        path.unlink()
    assert duanka(*words).code == 0
    assert (out / "decisions.jsonl").read_bytes() == whole


def _into_store(inbox: Path, tmp_path: Path) -> tuple[str | Path, ...]:
    """What is typed for the morning of 17 May, which wants the records of the 16th."""
    folders = ("--out", tmp_path / "out", "--store", tmp_path / "store")
    return ("morning", inbox, *folders, "--day", "2021-05-16")


def test_a_morning_into_a_store_waits_for_markers(inbox: Path, tmp_path: Path) -> None:
    words = _into_store(inbox, tmp_path)
    calls = inbox / "calls"
    (calls / "0516.csv").write_text(_calls(16, {1: 70}))
    (calls / "0516.csv.done").touch()
    (calls / "0517.csv").write_text(_calls(17, {2: 70}))
    (calls / "0518.csv.part").write_text(_calls(18, {2: 70}))
    first = duanka(*words)
    assert first.code == 0, first.err
    assert "wait for their .done, as other files there have one: calls/0517.csv" in " ".join(
        first.out.split()
    )
    assert "71 records of" in " ".join(first.out.split())
    (calls / "0517.csv.done").touch()
    second = duanka(*words)
    assert "wait for their .done" not in second.out
    assert "142 records of" in " ".join(second.out.split())


@pytest.mark.parametrize("after", ["move", "delete"])
def test_a_morning_into_a_store_puts_away_what_the_store_has(after: str, inbox: Path, tmp_path: Path) -> None:
    store = tmp_path / "store"
    words = ("morning", inbox, "--out", tmp_path / "out", "--store", store, "--day", "2021-05-16")
    calls, taken = inbox / "calls", inbox / "taken" / "calls"
    (calls / "0516.csv").write_text(_calls(16, {1: 70}))
    (calls / "0516.csv.done").touch()
    (calls / "0517.csv").write_text(_calls(17, {1: 70}))  # waits for its marker
    (inbox / "messages.csv").write_text("card,peer,direction,sent_at\nx,y,up,never\n")  # nothing can be used
    signed_later = "card,case_id,confirmed_at\n8613800138002,A1,2021-05-16 09:00:00\n"
    (inbox / "cases.csv").write_text(signed_later)
    assert duanka(*words).code == 3
    assert (calls / "0516.csv").exists(), "--after keep"
    assert duanka(*words, "--after", after).code == 0, "what was taken in before may go too"
    left = {path.relative_to(inbox).as_posix() for path in inbox.rglob("*") if path.is_file()}
    moved = {"taken/calls/0516.csv", "taken/cards.csv"} if after == "move" else set()
    assert left == {"calls/0517.csv", "messages.csv", "cases.csv"} | moved
    (calls / "0516.csv").write_text(_calls(16, {1: 70, 2: 5}))  # delivered again, longer
    (calls / "0516.csv.done").touch()
    told = duanka(*words, "--after", after)
    assert told.code == 0, told.err
    assert "Took in 5 new records (71 more" in " ".join(told.out.split())
    assert (taken / "0516.csv.2").exists() == (after == "move"), "neither is written over"


@pytest.mark.parametrize("after", ["move", "delete"])
def test_a_morning_into_a_store_follows_no_link(after: str, inbox: Path, tmp_path: Path) -> None:
    """Anybody who delivers may put one there: what it names may be a secret, or not theirs to take away."""
    store, elsewhere, calls = tmp_path / "store", tmp_path / "elsewhere.csv", inbox / "calls"
    words = ("morning", inbox, "--store", store, "--after", after, "--out", tmp_path / "out", "--day")
    elsewhere.write_text(_calls(16, {1: 70}))
    (calls / "0516.csv").write_text(_calls(16, {2: 70}))
    (calls / "link.csv").symlink_to(elsewhere)
    (calls / "secret.csv").hardlink_to(elsewhere)
    elsewhere.chmod(0o600)
    (calls / "nowhere.csv").symlink_to(tmp_path / "nowhere")
    os.mkfifo(calls / "pipe.csv")
    (inbox / "messages").symlink_to(tmp_path)
    first = duanka("--language", "en", *words, "2021-05-16")
    assert first.code == 3, first.err
    told = " ".join(first.out.split())
    assert "Took in 71 new records" in told
    assert "a link, not a file; put the file itself there" in told
    assert "messages (not a regular file)" in told
    aside = set(pl.read_parquet(tmp_path / "out" / "quarantine.parquet")["file"])
    odd = {f"calls/{name}.csv" for name in ("link", "nowhere", "pipe", "secret")}
    assert aside == odd
    left = {path.relative_to(inbox).as_posix() for path in calls.iterdir()}
    assert (left, elsewhere.exists()) == (odd, True), "only what was taken in is put away"
    alone = duanka("--language", "en", *words, "2021-05-16")
    assert (alone.code, "Took in 0 new records" in alone.out) == (0, True), (
        "it was told of, and stops no night"
    )
    (calls / "link.csv").unlink()
    (calls / "link.csv").symlink_to(tmp_path / "another.csv")
    assert duanka(*words, "2021-05-16").code == 3, "another link"


def test_what_is_no_file_of_records_waits_for_no_marker(inbox: Path, tmp_path: Path) -> None:
    (inbox / "cards.csv.done").touch()
    (inbox / "calls.csv").write_text(_calls(16, {1: 70}))
    (inbox / "calls.csv.done").touch()
    for name in ("cases.csv.sig", "world.toml", "police.pub", "README.md"):
        (inbox / name).touch()
    words = (
        "morning",
        inbox,
        "--store",
        tmp_path / "store",
        "--out",
        tmp_path / "out",
        "--day",
        "2021-05-16",
    )
    told = duanka("--language", "en", *words)
    assert (told.code, "wait for their .done" in told.out) == (0, False), told.out + told.err
    (inbox / "messages.csv").write_text("card,peer,direction,sent_at\n")
    assert "have one: messages.csv" in " ".join(duanka("--language", "en", *words).out.split())


def test_a_cluster_judges_mornings_into_a_store_alone(inbox: Path, tmp_path: Path) -> None:
    words = ("--language", "en", "morning", inbox, "--out", tmp_path / "out", "--engine", "spark")
    for more, said in (
        ((), "for mornings into a store"),
        (("--store", tmp_path / "store"), "needs a Spark Connect"),
    ):
        typed = duanka(*words, *more)
        assert (typed.code, said in typed.err) == (2, True), typed.err


_OTHER_HEADER = "a,b\n1,2\n"


def _morning_files(inbox: Path) -> None:
    (inbox / "calls" / "0516.csv").write_text(_calls(16, {1: 70}))
    (inbox / "messages").mkdir()
    (inbox / "messages" / "0516.csv").write_text(_message(16))


def _message(day: int) -> str:
    return f"card,peer,direction,sent_at\n8613800138001,8613900139000,out,2021-05-{day} 09:00:00\n"


@pytest.mark.parametrize("bad", ["calls/0517.csv", "complaints.csv"])
@pytest.mark.parametrize("first", [True, False])
def test_one_bad_file_does_not_stop_a_morning_into_a_store(
    first: bool, bad: str, inbox: Path, tmp_path: Path
) -> None:
    """Nothing else of its table lies in the inbox: what came before was put away."""
    folders = ("--out", tmp_path / "out", "--store", tmp_path / "store")
    words = ("morning", inbox, *folders, "--after", "move", "--day", "2021-05-16")
    _morning_files(inbox)
    if first:
        (inbox / "calls" / "0516.csv").unlink()
    else:
        assert duanka(*words).code == 0
    (inbox / bad).write_text(_OTHER_HEADER)
    (inbox / "messages" / "0517.csv").write_text(_message(17))
    told = duanka(*words)
    assert told.code == 3, told.err
    assert f"{bad}: no column 'card'" in " ".join(told.out.split())
    assert f"Took in {2 if first else 1} new records" in told.out
    left = {path.relative_to(inbox).as_posix() for path in inbox.rglob("*") if path.is_file()}
    assert {name for name in left if not name.startswith("taken/")} == {bad}
    again = duanka(*words)
    assert (again.code, "Still not to be used" in again.out) == (0, True), again.err


def test_a_first_morning_of_bad_files_alone_ends_with_two(inbox: Path, tmp_path: Path) -> None:
    """The mapping is the likely fault, and the store would hold nothing to be judged."""
    (inbox / "calls" / "0516.csv").write_text(_OTHER_HEADER)
    told = duanka("morning", inbox, "--out", tmp_path / "out", "--store", tmp_path / "store")
    assert (told.code, "no column 'card'" in told.err) == (2, True)


def test_every_unreadable_file_is_named_once_or_counted(inbox: Path, tmp_path: Path) -> None:
    _morning_files(inbox)
    for number in range(21):
        (inbox / "calls" / f"bad{number:02}.csv").write_text(f"a,b{number}\n1,2\n")
    (inbox / "calls" / "bad21.csv").write_bytes(b"card,\xff\n")
    words = _into_store(inbox, tmp_path)
    told = "".join(duanka(*words).out.split())
    assert [told.count(f"calls/bad{number:02}.csv") for number in range(22)] == [1] * 20 + [0] * 2
    assert "and2more" in told
    for number in range(20):
        (inbox / "calls" / f"bad{number:02}.csv").unlink()
    (inbox / "calls" / "bad21.csv").write_bytes(b"card,\xfe\n")
    assert "calls/bad21.csv:theheaderlineisnotutf-8text" in "".join(duanka(*words).out.split())
    aside = pl.read_parquet(tmp_path / "out" / "quarantine.parquet")
    assert not [raw for raw in aside["raw"].to_list() if "bad" in raw], "its file is in another column"


def test_what_nothing_could_be_used_of_stays_in_the_inbox(inbox: Path, tmp_path: Path) -> None:
    """An empty file, and copies of one that cannot be read; a later empty file is told of as well."""
    folders = ("--out", tmp_path / "out", "--store", tmp_path / "store")
    words = ("morning", inbox, *folders, "--after", "move", "--day", "2021-05-16")
    _morning_files(inbox)
    bad = {
        "calls/bad1.csv": _OTHER_HEADER,
        "calls/bad2.csv": _OTHER_HEADER,
        "calls/no1.csv": "",
        "no/calls/2.csv": "",
    }
    (inbox / "no" / "calls").mkdir(parents=True)
    for name, text in bad.items():
        (inbox / name).write_text(text)
    for code in (3, 0):
        told = duanka(*words)
        assert told.code == code, told.out
        left = {path.relative_to(inbox).as_posix() for path in inbox.rglob("*") if path.is_file()}
        assert {name for name in left if not name.startswith("taken/")} == set(bad)
        aside = pl.read_parquet(tmp_path / "out" / "quarantine.parquet")["file"].to_list()
        assert sorted(aside) == ["calls/bad1.csv", "calls/no1.csv", "no/calls/2.csv"]
