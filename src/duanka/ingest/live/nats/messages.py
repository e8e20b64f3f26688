"""Parses messages into micro-batches, many small messages at once."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import polars as pl

from duanka.domain.schema import TABLES
from duanka.ingest.files.limits import MESSAGE_LINES
from duanka.ingest.formats import arrow_stream, json_lines
from duanka.ingest.formats.arrow_bounds import OversizedStream
from duanka.ingest.live.batch_builder import BatchBuilder
from duanka.ingest.model.blocks import Block, Rejected, raw_text
from duanka.ingest.model.mapping import NATIVE
from duanka.ingest.model.reasons import QuarantineReason
from duanka.ingest.normalise.columns import Tools
from duanka.ingest.validation.validator import Validator

ARROW = "application/vnd.apache.arrow.stream"
LINES = "application/x-ndjson"


class Message(NamedTuple):
    """A message; `number`: its sequence number, `kind`: content type, "" for none."""

    number: int
    subject: str
    kind: str
    data: bytes


class Messages:
    """Collects messages of the stream `origin`; `pattern`: subscribed subjects."""

    def __init__(self, origin: str, pattern: str, tools: Tools, pool: ThreadPoolExecutor) -> None:
        self.records = 0
        self._origin = origin
        self._prefix = _literal(pattern)
        self._last = 0
        self._validators = {
            source.table: Validator(origin, (source,), list(source.columns), tools, pool)
            for source in NATIVE.sources
        }
        self._lines: dict[tuple[str, str], tuple[list[bytes], list[int]]] = {}
        self._blocks: dict[tuple[str, str], list[Block]] = {}
        self._aside: list[Rejected] = []

    def add(self, message: Message) -> None:
        """Add one message: JSON lines, Arrow rows, or one rejected record."""
        self._last = message.number
        tokens = message.subject.split(".")
        table, place = tokens[-1], "/".join(tokens[self._prefix : -1])
        if table not in TABLES:
            self._set_aside(message, QuarantineReason.NO_TABLE, raw_text(message.data))
        elif _is_arrow(message):
            self._arrow(message, table, place)
        elif message.data.count(b"\n") > MESSAGE_LINES:
            self._set_aside(message, QuarantineReason.OVERSIZED, f"more than {MESSAGE_LINES:,} lines")
        else:
            lines = message.data.split(b"\n")
            if len(lines) > 1 and not lines[-1].strip():
                lines.pop()
            texts, numbers = self._lines.setdefault((table, place), ([], []))
            texts += lines
            numbers += [message.number] * len(lines)
            self.records += len(lines)

    def _arrow(self, message: Message, table: str, place: str) -> None:
        try:
            blocks = arrow_stream.blocks_of(message.data, message.number, self._validators[table].wanted())
        except OversizedStream as fault:
            self._set_aside(message, QuarantineReason.OVERSIZED, str(fault))
            return
        except arrow_stream.BrokenStream as fault:
            self._set_aside(message, QuarantineReason.BROKEN_ARROW, str(fault))
            return
        self._blocks.setdefault((table, place), []).extend(blocks)
        self.records += sum(block.records for block in blocks)

    def _set_aside(self, message: Message, reason: QuarantineReason, raw: str) -> None:
        self._aside.append(Rejected(message.number, reason, raw))
        self.records += 1

    def move_to(self, builder: BatchBuilder) -> None:
        """Move all records to `builder`; raises MissingKey, see Validator."""
        for (table, place), (lines, numbers) in self._lines.items():
            block = json_lines.block_of(lines, numbers, self._validators[table].wanted())
            builder.add(self._validators[table].validate(block), place, self._origin, self._origin)
        for (table, place), blocks in self._blocks.items():
            for block in _joined(blocks):
                builder.add(self._validators[table].validate(block), place, self._origin, self._origin)
        for record in self._aside:
            builder.set_aside(self._origin, record)
        if self._last:
            builder.reach({self._origin: self._last})
        self._lines, self._blocks, self._aside = {}, {}, []
        self.records = self._last = 0


def _literal(pattern: str) -> int:
    """Number of tokens before the first wildcard; without one, all but the table."""
    tokens = pattern.split(".")
    return next((at for at, token in enumerate(tokens) if token in {"*", ">"}), len(tokens) - 1)


def _is_arrow(message: Message) -> bool:
    kind = message.kind.partition(";")[0].strip().lower()
    return kind == ARROW or (kind != LINES and message.data.startswith(arrow_stream.MAGIC))


def _joined(blocks: list[Block]) -> list[Block]:
    """Concatenate blocks of equal columns, since the cost is mostly per block."""
    alike: dict[str, list[Block]] = {}
    for block in blocks:
        alike.setdefault(str(block.frame.schema), []).append(block)
    return [group[0] if len(group) == 1 else _one(group) for group in alike.values()]


def _one(blocks: list[Block]) -> Block:
    return Block(
        pl.concat([block.frame for block in blocks]),
        np.concatenate([block.lines for block in blocks]),
        sum(block.records for block in blocks),
        0,
        [bad for block in blocks for bad in block.bad],
    )


def kind_of(headers: Mapping[str, str] | None) -> str:
    """Content type in the headers, matched case-insensitively; "" for none."""
    kinds = (value for name, value in (headers or {}).items() if name.lower() == "content-type")
    return next(kinds, "")
