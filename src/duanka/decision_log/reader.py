"""Reads decisions.jsonl, from which orders are made. See docs/OUTPUT.md."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

from duanka.decision_log.writer import DECISIONS
from duanka.domain.errors import UnreadableInput
from duanka.domain.hit_summary import summaries_of
from duanka.domain.order_decision import OrderDecision, RequestedAction
from duanka.domain.person import place_name
from duanka.domain.police_reasons import CLAIMED, CONFIRMED
from duanka.domain.sealing import run_of
from duanka.domain.text import BilingualText

_BLOCK_BYTES = 1 << 20
_MAX_REASONS = 3  # maximum reasons told to a holder, heaviest first; the dossier has all
# Told if only an unsigned police list names the card: the holder must not learn of the list.
_IN_PERSON = {"zh": "号码使用情况须本人到场核实", "en": "its use has to be verified in person"}
_ASKED = {"watch": RequestedAction.NOTHING, **{asked.value: asked for asked in RequestedAction}}


class DecisionFile:
    """Reads decisions.jsonl of a scan or live run; the file may still grow.

    `key`: verifies the seals; a line without our seal, or out of sequence, gives a decision without an id.
    """

    def __init__(self, folder: Path, key: bytes | None = None) -> None:
        self.path = folder / DECISIONS if folder.is_dir() or not folder.suffix else folder
        self.source = str(self.path.resolve())
        self._read, self._to = hashlib.sha256(), 0
        self._key = key
        self._run, self._last = "", 0  # run id and last number of the sealed lines before byte _known
        self._known = 0

    def digest(self, position: int) -> str:
        """Digest of all bytes before `position`, to detect that the file was replaced."""
        if position < self._to:
            self._read, self._to = hashlib.sha256(), 0
        try:
            with self.path.open("rb") as file:
                file.seek(self._to)
                while left := position - self._to:
                    if not (block := file.read(min(left, _BLOCK_BYTES))):
                        return "shorter"
                    self._read.update(block)
                    self._to += len(block)
        except FileNotFoundError:
            return "gone"
        return self._read.hexdigest()

    def read(self, position: int, limit: int) -> tuple[Sequence[OrderDecision], int]:
        """Return up to `limit` decisions after byte `position`, and where to continue.

        Only complete lines are read. UnreadableInput if a line is not a decision.
        """
        found: list[OrderDecision] = []
        try:
            with self.path.open("rb") as file:
                self._come_to(file, position)
                while len(found) < limit and (line := file.readline()).endswith(b"\n"):
                    found.append(self._decision(line, position))
                    position += len(line)
                    self._known = position
        except FileNotFoundError:
            return [], position
        return found, position

    def run(self) -> str:
        """Return the run id of the first line; "" without a file or without our seal."""
        try:
            with self.path.open("rb") as file:
                return (run_of(self._key, file.readline()) or "") if self._key else ""
        except FileNotFoundError:
            return ""

    def behind(self, position: int) -> int:
        """Return where the line after the one at byte `position` begins."""
        with self.path.open("rb") as file:
            file.seek(position)
            return position + len(file.readline())

    def _come_to(self, file: BinaryIO, position: int) -> None:
        """Read up to `position`, to know run id and last sequence number; continue there."""
        if position < self._known:
            self._run, self._last, self._known = "", 0, 0
        file.seek(self._known)
        while self._known < position and (line := file.readline()):
            self._sealed(line)
            self._known += len(line)
        file.seek(position)

    def _sealed(self, line: bytes) -> str:
        """Return the id of a decision with our seal and in sequence, else ""."""
        run = run_of(self._key, line) if self._key else None
        if run is None or (self._run and run != self._run):
            return ""
        seq = json.loads(line)["seq"]
        if not isinstance(seq, int) or seq <= self._last:
            return ""  # repeated or out of order
        self._run, self._last = run, seq
        return f"{run}:{seq}"

    def _decision(self, line: bytes, position: int) -> OrderDecision:
        try:
            said = json.loads(line)
            return _decision_of(said, line, self._sealed(line))
        except (ValueError, KeyError, TypeError) as error:
            raise UnreadableInput(
                f"{self.path}: the line at byte {position} is no decision ({type(error).__name__}: {error});"
                " give the folder that `duanka scan` or `duanka live` wrote"
            ) from error


class KeptLines:
    """Reads single decisions that were kept because no order was made of them.

    `key`: verifies the seals; a line without our seal gives a decision without an id.
    """

    def __init__(self, key: bytes | None = None) -> None:
        self._key = key

    def __call__(self, line: str, *, sealed: bool) -> OrderDecision:
        """Parse a decision, or raise UnreadableInput. `sealed`: its seal was valid when first read."""
        text = line.encode(errors="replace")
        try:
            said = json.loads(text)
            run = run_of(self._key, text) if self._key and sealed else None
            return _decision_of(said, text, f"{run}:{said['seq']}" if run else "")
        except (ValueError, KeyError, TypeError) as error:
            raise UnreadableInput(
                f"a decision that was kept cannot be read ({type(error).__name__})"
            ) from error


def _decision_of(said: dict[str, Any], line: bytes, decision_id: str) -> OrderDecision:
    """Parse a line; `decision_id`: if sealed. ValueError, KeyError, TypeError if malformed."""
    reasons = said["reasons"]
    police = [one for one in reasons if one["rule"] in (CONFIRMED, CLAIMED)]
    told = [one for one in reasons if one not in police][:_MAX_REASONS]
    told = told or [_IN_PERSON if one["rule"] == CLAIMED else one for one in police] or reasons
    points, covers = said.get("points"), said.get("covers")
    return OrderDecision(
        card=str(said["card"]),
        asked=_ASKED[said["action"]],
        tier=str(said["tier"]),
        reason=BilingualText("；".join(one["zh"] for one in told), "; ".join(one["en"] for one in told)),
        rules=tuple(str(one["rule"]) for one in reasons),
        cases=tuple(str(case) for case in said.get("cases", ())),
        id=decision_id,
        seen_until=datetime.fromisoformat(said["seen_until"]) if said.get("seen_until") else None,
        signed_by=tuple(str(source) for source in said.get("signed_by", ())) if decision_id else (),
        # operator and city decide who may see the order, so only lines with our seal can set them
        operator=place_name(str(said.get("operator", ""))) if decision_id else "",
        city=place_name(str(said.get("city", ""))) if decision_id else "",
        hit_summaries=summaries_of(reasons),
        points=float(points) if isinstance(points, int | float) else 0.0,
        covers=covers if isinstance(covers, dict) else None,
        line=line.decode(errors="replace"),
    )
