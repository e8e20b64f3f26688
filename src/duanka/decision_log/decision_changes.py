"""decisions.jsonl of mornings into a store: a line for each card about which today's list decides otherwise."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from duanka.decision_log.json_lines_file import JsonLinesFile
from duanka.decision_log.writer import (
    DECIDED,
    DECISIONS,
    decision_facts,
    decision_line,
    make_folder,
    sync_folder,
)
from duanka.domain.decision import Tier
from duanka.domain.findings import CardAtRisk
from duanka.domain.private_files import private_file, put_in_place
from duanka.domain.rule import Action
from duanka.domain.sealing import Sealer, encoded, run_of
from duanka.domain.take import Coverage

_PENDING = ".decisions.pending"
_NOT_COMPARED = ("seq", "run", "seal", "covers")  # differ from line to line of the same decision


@dataclass(frozen=True)
class _Told:
    """What the file says of a card: digest of the decision, and where the card is."""

    digest: str
    operator: str
    city: str


class DecisionChanges:
    """Goes on with decisions.jsonl in `folder`, as a live run does: one writer at a time, and lines are only added.

    A card that the file decides about, and that is on the list no more, gets a line that asks nothing. Lines are
    compared with the file itself, so after an interruption none is missing and none stands in it twice. `key`: seals
    the lines. DuankaError: another run writes to it, not a decision log, cannot be written.
    """

    def __init__(self, folder: Path, key: bytes | None = None) -> None:
        make_folder(folder)
        self._folder = folder
        self._file = JsonLinesFile(folder / DECISIONS)
        sync_folder(folder)
        self._sealer = Sealer(key, run_of(key, self._file.last_line)) if key else None
        self._covers: Coverage | None = None
        self._told = self._read()
        self._now: dict[str, _Told] = {}
        self._seq = self._file.last

    def close(self) -> None:
        """Let others write to the file."""
        self._file.close()
        (self._folder / _PENDING).unlink(missing_ok=True)

    def covers(self, coverage: Coverage) -> None:
        """Set the coverage that every new line contains: that of the records behind the decisions."""
        self._covers = coverage

    def __enter__(self) -> DecisionChanges:
        self._now, self._seq = {}, self._file.last
        self._pending = private_file(self._folder / _PENDING).open("wb")
        return self

    def add(self, card: CardAtRisk) -> None:
        """Note the decision about one card of the list."""
        told = _told(json.loads(encoded(decision_facts(0, card))))
        self._now[card.card] = told
        if self._told.get(card.card) != told:
            self._write(card)

    def __exit__(self, failed: type[BaseException] | None, *_: object) -> None:
        if failed is None:
            for card in self._told.keys() - self._now.keys():
                was = self._told[card]
                self._write(
                    CardAtRisk(
                        card, Tier.LOW, Action.WATCH, 0.0, {}, (), operator=was.operator, city=was.city
                    )
                )
        self._pending.close()

    def tell(self) -> int:
        """Add the new lines to the file, once the lists are in place; return how many."""
        new = self._seq - self._file.last
        if new:
            self._file.append(self._folder / _PENDING, self._seq)
        self._told = self._now
        self._keep()
        return new

    def _write(self, card: CardAtRisk) -> None:
        self._seq += 1
        self._pending.write(decision_line(self._seq, card, self._sealer, self._covers))

    def _read(self) -> dict[str, _Told]:
        """Card -> what the file says of it last: as noted by the last morning, and the lines since."""
        position, told = 0, dict[str, _Told]()
        for line in self._noted():
            if "position" in line:
                position = line["position"]
                if position > self._file.size or self._file.digest_before(position) != line["digest"]:
                    position = 0  # another file
                    break
            else:
                told[line["card"]] = _Told(line["digest"], line["operator"], line["city"])
        for line in self._file.all(position):
            if line["reasons"]:
                told[line["card"]] = _told(line)
            else:
                told.pop(line["card"], None)
        return told

    def _noted(self) -> Iterator[dict[str, Any]]:
        try:
            with (self._folder / DECIDED).open("rb") as file:
                yield from map(json.loads, file)
        except FileNotFoundError:
            return

    def _keep(self) -> None:
        """Note what the file says, so that the next morning need not read all of it."""
        position = self._file.size
        with put_in_place(self._folder / DECIDED) as aside, aside.open("wb") as file:
            file.write(encoded({"position": position, "digest": self._file.digest_before(position)}))
            for card, told in self._told.items():
                file.write(encoded({"card": card, **vars(told)}))


def _told(line: Mapping[str, Any]) -> _Told:
    said = {name: value for name, value in line.items() if name not in _NOT_COMPARED}
    text = json.dumps(said, sort_keys=True).encode()
    return _Told(
        hashlib.blake2b(text, digest_size=12).hexdigest(), line.get("operator", ""), line.get("city", "")
    )
