"""hits.jsonl and decisions.jsonl of a live run, decisions.jsonl of a scan. See docs/OUTPUT.md."""

from __future__ import annotations

import fcntl
import json
import math
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from duanka.domain.errors import DuankaError
from duanka.domain.findings import CardAtRisk
from duanka.domain.private_files import private_file, private_folder, tighten
from duanka.domain.rule import Hit
from duanka.domain.sealing import Sealer, encoded, run_of
from duanka.domain.streaming import HitChange
from duanka.domain.take import Coverage
from duanka.domain.text import BilingualText

HITS, DECISIONS = "hits.jsonl", "decisions.jsonl"
_BEGIN = b'{"seq": '  # of every line
_BLOCK_BYTES = 1 << 16
_NUL = b"\x00"


class DecisionLogWriter:
    """Two append-only files in `folder`, created if missing; one writer at a time.

    A line torn by a crash or a full disk is cut off when the files are opened, and is written again with the
    changes after `last_seq`. DuankaError if the files cannot be written, or are not a decision log. `key`:
    seals the decisions; without a seal, a later stop takes a second person.
    """

    def __init__(self, folder: Path, key: bytes | None = None) -> None:
        try:
            private_folder(folder)
        except OSError as error:
            raise DuankaError(
                f"{folder}: cannot be made ({error.strerror}); choose another folder"
            ) from error
        self._hits = _JsonLinesFile(folder / HITS)
        try:
            self._decisions = _JsonLinesFile(folder / DECISIONS)
        except BaseException:
            self._hits.close()
            raise
        _settle(folder)
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


class _JsonLinesFile:
    """JSON lines in rising order of seq.

    `last`: seq of the last complete line; 0: none. `last_line`: that line when the file was opened.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.last_line = b""
        try:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            tighten(path)
        except OSError as error:
            raise self._unwritable(error) from error
        try:
            self._lock()
            self._size, self.last = self._mended()
        except BaseException:
            os.close(self._file)
            raise

    def close(self) -> None:
        os.close(self._file)

    def add(self, lines: Iterable[tuple[int, bytes]]) -> None:
        """Append the lines after `last`, all or none, and fsync."""
        new = [(seq, line) for seq, line in lines if seq > self.last]
        if not new:
            return
        text = b"".join(line for _, line in new)
        try:
            os.ftruncate(self._file, self._size)  # remove the remainder of a failed write
            self._put(text)
            os.fsync(self._file)
        except OSError as error:
            with suppress(OSError):
                os.ftruncate(self._file, self._size)
            raise self._unwritable(error) from error
        self._size += len(text)
        self.last = new[-1][0]

    def all(self) -> Iterator[dict[str, Any]]:
        """Yield every complete line, in order."""
        with self._path.open("rb") as file:
            for text in file:
                if text.endswith(b"\n"):
                    line: dict[str, Any] = json.loads(text)
                    yield line

    def _put(self, text: bytes) -> None:
        done = 0
        while done < len(text):
            done += os.pwrite(self._file, text[done:], self._size + done)

    def _lock(self) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise DuankaError(
                f"{self._path}: another run writes to it; end that, or choose another folder"
            ) from error

    def _mended(self) -> tuple[int, int]:
        """Cut off a torn end; return the size and the seq of the last line."""
        size = end = os.fstat(self._file).st_size
        last = 0
        for begin, line in self._backwards(size):
            whole = line.endswith(b"\n")
            if whole and (seq := _seq(line)):
                last, self.last_line = seq, line
                break
            # After a power failure a disk may have zeros where the last lines should be.
            torn = not whole and (line.startswith(_BEGIN) or _BEGIN.startswith(line))
            if not torn and _NUL not in line:
                raise DuankaError(
                    f"{self._path}: its last line is none of ours; move the file away, or choose another folder"
                )
            end = begin
        if end < size:
            os.ftruncate(self._file, end)
            os.fsync(self._file)
        return end, last

    def _backwards(self, end: int) -> Iterator[tuple[int, bytes]]:
        """Yield lines with their offsets, last first, reading only what is consumed."""
        held = b""
        while end or held:
            cut = held.rfind(b"\n", 0, len(held) - 1)
            if cut < 0 and end:
                begin = max(0, end - _BLOCK_BYTES)
                held = os.pread(self._file, end - begin, begin) + held
                end = begin
                continue
            yield end + cut + 1, held[cut + 1 :]
            held = held[: cut + 1]

    def _unwritable(self, error: OSError) -> DuankaError:
        return DuankaError(
            f"{self._path}: cannot be written ({error.strerror}); make room or choose another folder, then"
            " start again: it goes on where it stopped"
        )


def _settle(folder: Path) -> None:
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


def _decision(seq: int, card: CardAtRisk) -> dict[str, object]:
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
    facts = _decision(seq, card)
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


def _seq(line: bytes) -> int:
    """Return the seq of a complete line; 0 if it is not one of ours."""
    try:
        seq = json.loads(line)["seq"]
    except (ValueError, KeyError, TypeError):
        return 0
    return seq if isinstance(seq, int) and seq > 0 else 0
