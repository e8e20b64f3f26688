"""Whatever the audit trail and notices tell has words in both languages."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from duanka.domain.order import TRANSITIONS, Event, Kind
from duanka.domain.text import BilingualText
from duanka.ledger.audit.trail_texts import row_words
from duanka.ledger.people.requests import PersonProposal
from duanka.orders.dispatch import notice_texts

SOURCE = Path(notice_texts.__file__).parents[2]
# How code tells the trail: a name with a dot; of changes of an order only what stands behind its kind.
_TOLD = re.compile(r'(?:Entry\(|\.note\(|_note\(|_change\(|_read\()[^"]*?"([a-z_]+\.[a-z_]+)"')
_CHANGED = re.compile(r'unit\.change\([^"]*?"([a-z_]+)"|self\.change\([^"]*?"([a-z_]+)"')
_PROPOSALS = re.compile(r'\b(?:proposed|approved|removed)="([a-z_]+\.[a-z_]+)"')
_BY_STATE = re.compile(r'^    [A-Z]\w+\.[A-Z]+: "([a-z_]+\.[a-z_]+)",$', re.MULTILINE)
_CONSTANT = re.compile(r'^[A-Z]+ = "((?:audit|trail)\.[a-z_]+)"', re.MULTILINE)


def _names() -> Iterator[str]:
    for file in [
        one
        for room in ("ledger", "orders", "casework", "assessment", "bootstrap", "api")
        for one in SOURCE.glob(f"{room}/**/*.py")
    ]:
        text = file.read_text(encoding="utf-8")
        yield from _TOLD.findall(text)
        yield from _CONSTANT.findall(text)
        yield from _PROPOSALS.findall(text)
        yield from _BY_STATE.findall(text)
        for one, other in _CHANGED.findall(text):
            yield from (f"{kind}.{one or other}" for kind in Kind)
    yield from (f"{asked}.{decided}" for asked in PersonProposal for decided in ("approve", "reject"))
    yield from (f"{row.kind}.{row.event}" for row in TRANSITIONS)
    yield from (f"{kind}.{Event.OPEN}" for kind in Kind)


def _both(words: BilingualText) -> bool:
    return bool(re.search("[\u4e00-\u9fff]", words.zh)) and words.en.isascii() and "_" not in words.en


def test_each_row_that_the_code_tells_has_words() -> None:
    names = set(_names())
    assert len(names) > 90
    assert {
        "read.dossier",
        "case_source.remove",
        "verification.attach",
        "audit.end_spoilt",
        "clue.send",
    } <= names
    assert not [name for name in sorted(names) if not _both(row_words(name))]


def test_a_row_of_a_later_version_keeps_its_name() -> None:
    assert row_words("verification.dream") == BilingualText("verification.dream", "verification.dream")


def test_each_notice_has_a_title() -> None:
    assert notice_texts.TITLES.keys() == notice_texts.TEMPLATES.keys()
    assert all(map(_both, notice_texts.TITLES.values()))
