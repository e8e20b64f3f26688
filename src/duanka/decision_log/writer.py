"""hits.jsonl and decisions.jsonl of a live run, decisions.jsonl of a scan. See docs/OUTPUT.md."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

from duanka.decision_log.json_lines_file import JsonLinesFile
from duanka.domain.errors import DuankaError
from duanka.domain.findings import CardAtRisk
from duanka.domain.private_files import private_file, private_folder
from duanka.domain.rule import Hit
from duanka.domain.sealing import Sealer, encoded, run_of
from duanka.domain.streaming import HitChange
from duanka.domain.take import Coverage
from duanka.domain.text import BilingualText

HITS, DECISIONS = "hits.jsonl", "decisions.jsonl"
DECIDED = (
    ".decided.jsonl"  # what decisions.jsonl says of each card; only where mornings into a store write that
)


class DecisionLogWriter:
    """Two append-only files in `folder`, created if missing; one writer at a time.

    A line torn by a crash or a full disk is cut off when the files are opened, and is written again with the
    changes after `last_seq`. DuankaError if the files cannot be written, or are not a decision log. `key`:
    seals the decisions; without a seal, a later stop takes a second person.
    """

    def __init__(self, folder: Path, key: bytes | None = None) -> None:
        make_folder(folder)
        if (folder / DECIDED).exists():  # its numbers are not those of a live state
            raise DuankaError(
                f"{folder}: mornings into a store write the decisions there; choose another folder with --out"
            )
        self._hits = JsonLinesFile(folder / HITS)
        try:
            self._decisions = JsonLinesFile(folder / DECISIONS)
        except BaseException:
            self._hits.close()
            raise
        sync_folder(folder)
        # an existing file is continued as the same run, if this installation sealed it
        self._sealer = Sealer(key, run_of(key, self._decisions.last_line)) if key else None

    def __enter__(self) -> DecisionLogWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the files."""
        self._hits.close()
        self._decisions.close()

    def last_seq(self) -> int:
        """Sequence number of the last change on disk (0: none); the next must follow it."""
        return min(self._hits.last, self._decisions.last)

    def highest_seq(self) -> int:
        """Highest sequence number in either file (0: none); behind it, a number is new to both."""
        return max(self._hits.last, self._decisions.last)

    def decided(self) -> dict[str, tuple[str, str]]:
        """Return card -> latest tier and action; reads all of decisions.jsonl."""
        return {line["card"]: (line["tier"], line["action"]) for line in self._decisions.all()}

    def write(
        self,
        changes: Sequence[HitChange],
        words: Callable[[Hit], BilingualText],
        cards: Iterable[CardAtRisk],
        covers: Coverage | None = None,
    ) -> None:
        """Append `changes`, and the resulting decision about each of their cards.

        `words`: explains a hit. `cards`: at least the cards of `changes`, also those without a hit left. `covers`:
        present coverage of the records. Changes that are written already are skipped. On return the data is on disk;
        after a DuankaError the same changes may be passed again.
        """
        ordered = sorted(changes, key=lambda change: change.seq)
        latest = {change.hit.card: change.seq for change in ordered}
        decided = {card.card: card for card in cards if card.card in latest}
        if missing := latest.keys() - decided.keys():
            raise ValueError(f"no decision about {len(missing)} of the changed cards")
        by_seq = sorted((seq, decided[card]) for card, seq in latest.items())
        # decisions last: a decision on disk implies that its hits are
        self._hits.add((change.seq, encoded(_change(change, words(change.hit)))) for change in ordered)
        self._decisions.add((seq, decision_line(seq, card, self._sealer, covers)) for seq, card in by_seq)


class DecisionList:
    """Writes a line for the decision about each card on a scan's work list.

    `key`: seals the lines; without a seal, a stop that follows from a line needs a second person.
    """

    def __init__(self, path: Path, key: bytes | None = None) -> None:
        self._path, self._seq = path, 0
        self._sealer = Sealer(key) if key else None
        self._covers: Coverage | None = None

    def covers(self, coverage: Coverage) -> None:
        """Set the coverage that every line contains: that of the records behind the decisions."""
        self._covers = coverage

    def __enter__(self) -> DecisionList:
        self._file = private_file(self._path).open("wb")
        return self

    def add(self, card: CardAtRisk) -> None:
        """Write one card."""
        self._seq += 1
        self._file.write(decision_line(self._seq, card, self._sealer, self._covers))

    def __exit__(self, *_: object) -> None:
        self._file.close()


def make_folder(folder: Path) -> None:
    """Make a private folder if missing. DuankaError: it cannot be made."""
    try:
        private_folder(folder)
    except OSError as error:
        raise DuankaError(f"{folder}: cannot be made ({error.strerror}); choose another folder") from error


def sync_folder(folder: Path) -> None:
    """Fsync the folder, so that the file names are durable."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _change(change: HitChange, words: BilingualText) -> dict[str, object]:
    hit = change.hit
    return {
        "seq": change.seq,
        "kind": change.kind.value,
        "card": hit.card,
        "rule": hit.rule,
        "seen_at": hit.seen_at.isoformat(),
        "evidence": {name: _plain(value) for name, value in hit.evidence.items()},
        "reason": {"zh": words.zh, "en": words.en},
    }


def _reason(rule: str, words: BilingualText, hit: Hit | None) -> dict[str, object]:
    """Return a reason in words; for a rule's hit with its days."""
    reason: dict[str, object] = {"rule": rule, "zh": words.zh, "en": words.en}
    if hit:
        last = hit.last_at or hit.seen_at
        reason |= {
            "first_day": hit.seen_at.date().isoformat(),
            "last_day": last.date().isoformat(),
            "days": hit.days,
        }
    return reason


def decision_facts(seq: int, card: CardAtRisk) -> dict[str, object]:
    """What a line of decisions.jsonl says of a card, without the coverage and the seal."""
    hits = {hit.rule: hit for hit in card.hits}
    line: dict[str, object] = {
        "seq": seq,
        "card": card.card,
        "operator": card.operator,
        "city": card.city,
        "tier": card.tier.word,
        "action": card.action.word,
        "points": _plain(card.points),
        "reasons": [_reason(rule, words, hits.get(rule)) for rule, words in card.reasons.items()],
    }
    if card.hits:
        line["seen_until"] = max(hit.last_at or hit.seen_at for hit in card.hits).isoformat()
    if card.cases:
        line["cases"] = list(card.cases)
        line["signed_by"] = list(card.signed_by)
    if card.would_be is not None and card.would_be != card.action:
        line["would_be"] = card.would_be.word
    return line


def decision_line(
    seq: int, card: CardAtRisk, sealer: Sealer | None = None, covers: Coverage | None = None
) -> bytes:
    """Return a line of decisions.jsonl. `covers`: coverage of the records behind it."""
    facts = decision_facts(seq, card)
    if covers:
        facts["covers"] = covers.facts()
    return sealer.line(facts) if sealer else encoded(facts)


def _plain(value: object) -> object:
    """Convert a value to a JSON type."""
    if isinstance(value, Decimal):
        value = float(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, datetime | date):
        return value.isoformat()
    return value if value is None or isinstance(value, str | int) else str(value)
