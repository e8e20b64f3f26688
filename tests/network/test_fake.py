"""The fakes of other tests: their faults, and journals that survive what uses them."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from duanka.domain.network import (
    Element,
    ElementRefused,
    NetworkState,
    NoticeSender,
    UnknownCard,
    Unreachable,
    WholeList,
)
from support.fakes import FakeElement, FakeSender, read_journal
from support.waiting import HANG

CARD, OTHER = "8613800000001", "8613800000002"
NOW = datetime(2026, 3, 2, 8, tzinfo=UTC)
_HERE = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
_ENDLESS = """
import sys
from pathlib import Path
from support.fakes import FakeElement
element, number = FakeElement("e", Path(sys.argv[1])), 0
while True:
    element.suspend(card := str(8613800000000 + number))
    print(card, flush=True)
    number += 1
"""
_MANY = """
import sys
from pathlib import Path
from support.fakes import FakeElement, FakeSender
element, sender = FakeElement("e", Path(sys.argv[1])), FakeSender("s", Path(sys.argv[2]))
print("ready", flush=True)
sys.stdin.readline()
for number in range(300):
    element.suspend(str(8613800000000 + number))
    sender.send("8613800000001", sys.argv[3])
"""


def acts_of(element: Element) -> tuple[Callable[[str], object], ...]:
    return element.suspend, element.bar_outgoing, element.restore, element.state_of


def test_they_keep_the_contracts() -> None:
    element: Element = FakeElement()
    whole: WholeList = FakeElement()
    sender: NoticeSender = FakeSender()
    assert (element.name, sender.name) == ("fake", "fake_centre")
    whole.replace_all({})


def test_faults_are_typed_and_change_nothing() -> None:
    element = FakeElement()
    element.suspend(CARD)
    for fault, expected in (
        ({"down": True}, Unreachable),
        ({"unknown": {CARD}}, UnknownCard),
        ({"refusing": {CARD}}, ElementRefused),
    ):
        for name, value in fault.items():
            setattr(element.faults, name, value)
        for act in acts_of(element):
            with pytest.raises(expected):
                act(CARD)
        with pytest.raises(expected):
            element.replace_all({OTHER: NetworkState.SUSPENDED, CARD: NetworkState.OUTGOING_BARRED})
        element.faults.down, element.faults.unknown, element.faults.refusing = False, set(), set()
    assert dict(element.restricted()) == {CARD: NetworkState.SUSPENDED}


def test_a_deaf_element_acts_and_its_answer_is_lost() -> None:
    element = FakeElement()
    element.faults.deaf = True
    with pytest.raises(Unreachable):
        element.suspend(CARD)
    with pytest.raises(Unreachable):
        element.replace_all({CARD: NetworkState.SUSPENDED, OTHER: NetworkState.SUSPENDED})
    assert set(dict(element.restricted())) == {CARD, OTHER}


def test_a_slow_element_takes_its_time() -> None:
    element = FakeElement()
    element.faults.delay = 0.05
    began = time.monotonic()
    element.suspend(CARD)
    assert time.monotonic() - began >= 0.05


def test_the_journal_tells_each_act_and_whether_it_changed_anything(tmp_path: Path) -> None:
    element = FakeElement("e", tmp_path / "journal")
    for act in (element.suspend, element.suspend, element.restore, element.restore):
        act(CARD)
    element.close()
    element.bar_outgoing(CARD)  # closed is not lost
    element.replace_all({OTHER: NetworkState.SUSPENDED})
    told = [(line["card"], line["state"], line["changed"]) for line in read_journal(tmp_path / "journal")]
    assert told == [
        (CARD, "suspended", True),
        (CARD, "suspended", False),
        (CARD, "active", True),
        (CARD, "active", False),
        (CARD, "outgoing_barred", True),
        (CARD, "active", True),
        (OTHER, "suspended", True),
    ]
    assert dict(FakeElement("e", tmp_path / "journal").restricted()) == {OTHER: NetworkState.SUSPENDED}


def test_what_was_acknowledged_before_kill_9_is_there(tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    with subprocess.Popen(
        [sys.executable, "-c", _ENDLESS, str(journal)], stdout=subprocess.PIPE, text=True, env=_HERE
    ) as run:
        assert run.stdout
        done = [run.stdout.readline().strip() for _ in range(200)]
        run.kill()
        done += run.stdout.read().split("\n")[:-1]
    element = FakeElement("e", journal)
    assert set(done) <= set(dict(element.restricted()))
    with journal.open("ab") as torn:
        torn.write(b'{"at": 1, "card": "86139')  # killed in the middle of a line
    element.restore(done[0])
    assert FakeElement("e", journal).state_of(done[0]) is NetworkState.ACTIVE
    assert len(dict(FakeElement("e", journal).restricted())) == len(dict(element.restricted()))


def test_two_processes_change_each_card_once_and_number_notices_apart(tmp_path: Path) -> None:
    journal, notices = tmp_path / "journal", tmp_path / "notices"
    here = FakeElement("e", journal)
    runs = [
        subprocess.Popen(
            [sys.executable, "-c", _MANY, str(journal), str(notices), text],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=_HERE,
        )
        for text in ("one", "two")
    ]
    try:
        for run in runs:
            assert run.stdout
            assert run.stdout.readline() == b"ready\n"
        for run in runs:
            assert run.stdin
            run.stdin.write(b"go\n")
            run.stdin.flush()
        assert [run.wait(HANG) for run in runs] == [0, 0]
    finally:
        for run in runs:
            run.kill()
            run.communicate()
    acts = read_journal(journal)
    assert len(acts) == 600
    assert set(Counter(line["card"] for line in acts if line["changed"]).values()) == {1}
    assert len(dict(here.restricted())) == 300, "another value sees what they did"
    sent = FakeSender("s", notices).sent
    assert [one.message_id for one in sent] == [f"m{number}" for number in range(1, 601)]
    assert Counter(one.text for one in sent) == {"one": 300, "two": 300}


def test_receipts_come_by_themselves_or_on_demand() -> None:
    sender = FakeSender(auto=False, now=NOW)
    first, second, third = (
        sender.send(CARD, "请核验"),
        sender.send(OTHER, "please verify"),
        sender.send(CARD, "again"),
    )
    assert list(sender.receipts()) == []
    sender.deliver(CARD)
    sender.deliver(CARD)  # each notice has one receipt
    sender.fail(OTHER, "UNDELIV")
    told = [(one.message_id, one.delivered, one.at, one.detail) for one in sender.receipts()]
    assert told == [(first, True, NOW, ""), (third, True, NOW, ""), (second, False, NOW, "UNDELIV")]
    assert list(sender.receipts()) == []
    sender.auto = True
    fourth = sender.send(CARD, "more")
    assert [one.message_id for one in sender.receipts()] == [fourth]
    assert [(one.card, one.text) for one in sender.sent][:2] == [(CARD, "请核验"), (OTHER, "please verify")]


def test_a_centre_that_is_down_or_refuses_takes_nothing(tmp_path: Path) -> None:
    sender = FakeSender(journal=tmp_path / "notices")
    sender.down = True
    with pytest.raises(Unreachable):
        sender.send(CARD, "x")
    sender.down = False
    sender.refusing.add(CARD)
    with pytest.raises(ElementRefused):
        sender.send(CARD, "x")
    sender.refusing.clear()
    assert sender.send(CARD, "x") == "m1"
    sender.close()
    sender.close()
    assert sender.send(CARD, "y") == "m2", "closed is not lost"
    assert [one.text for one in FakeSender(journal=tmp_path / "notices").sent] == ["x", "y"]
