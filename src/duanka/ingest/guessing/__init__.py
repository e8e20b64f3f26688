"""Mapping inference: proposes a mapping for delivered files, checked on a sample."""

from __future__ import annotations

from collections.abc import Mapping as Values
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import polars as pl

from duanka.domain.display import display_name
from duanka.domain.errors import UnreadableInput
from duanka.domain.text import BilingualText
from duanka.ingest.delivery.discovery import delivered_files, folder_columns
from duanka.ingest.formats.asn1 import reader as asn1_blocks
from duanka.ingest.formats.open_reader import open_reading
from duanka.ingest.guessing import parties, tables
from duanka.ingest.guessing.checking import Tried, try_mapping
from duanka.ingest.guessing.picking import Columns, Knowledge
from duanka.ingest.guessing.proposal import Guess, GuessAnswers, SourceGuess
from duanka.ingest.guessing.shapes import Shape, shapes_of, with_names
from duanka.ingest.guessing.toml_text import toml_text
from duanka.ingest.mapping_files.loader import mapping_of
from duanka.ingest.model.header_names import Meaning
from duanka.ingest.model.value_text import as_text, trimmed
from duanka.ingest.normalise.phone_numbers import Numbers

ENOUGH = 0.99  # share of the sample that must fit
_SAMPLE_ROWS = 20_000  # rows of a file that are sampled


@dataclass(frozen=True)
class Guessed:
    """A proposed mapping: TOML, guess, and result on a sample (None: no proposal)."""

    text: str
    guess: Guess
    tried: Tried | None

    @property
    def whole(self) -> bool:
        """Whether every file has a source and at least ENOUGH of the sample fits."""
        known = not self.guess.unknown and not self.guess.unread
        ready = len(self.guess.ready) == len(self.guess.sources)
        return bool(known and ready and self.tried and self.tried.fits >= ENOUGH and not self.tried.errors)


def guess_mapping(
    paths: Sequence[Path],
    *,
    name: str,
    zone: str,
    region: str,
    answers: GuessAnswers,
    shipped: Values[str, Values[str, Any]],
    rows: int,
) -> Guessed:
    """Propose a mapping for the files and directories `paths`.

    `shipped`: parsed TOML of the shipped mappings for binary formats, by format. Raises UnreadableInput without files.
    """
    files = [one for path in paths for one in delivered_files(path)]
    if not files:
        raise UnreadableInput(f"{display_name(str(paths[0]))}: no files here; check the path")
    shapes, unread = shapes_of(files)
    guess = Guess(unread=unread)
    known = Knowledge(Numbers(region), zone, answers)
    looked = [_looked(shape, known) for shape in shapes]
    cards: set[str] = set()
    for _, columns in looked:
        if columns is not None and tables.is_register(columns):
            cards |= _cards(columns)
    known = replace(known, register=frozenset(cards))
    for shape, columns in looked:
        if columns is None:
            form = shape.form.format
            why = BilingualText(f"同随附的映射 {form}", f"as the shipped mapping {form}")
            guess.sources += [
                SourceGuess(shape, one["table"], {}, why, raw=one)
                for one in shipped[form]["source"]
                if one.get("format") == form
            ]
            continue
        columns.knowledge = known
        found = tables.sources_of(shape, columns)
        guess.sources += found
        if not found:
            guess.unknown.append(shape)
            there = "、".join(columns.frame.columns[:30])
            columns.ask(
                f"这些文件是什么？看不出属于哪张表（docs/FORMAT.md）。列有：{there}",
                "what do these files hold? No table was recognised (docs/FORMAT.md)."
                f" Their columns are {there}",
            )
        for question in columns.questions:
            if question not in guess.questions:
                guess.questions.append(question)
    text = toml_text(guess, name, zone, region)
    if not guess.ready:
        return Guessed(text, guess, None)
    sample = [(file.path, file.name) for source in guess.sources for file in source.shape.sample]
    tried = try_mapping(list(dict.fromkeys(sample)), mapping_of(text, Path(f"{name}.toml")), rows=rows)
    return Guessed(text, guess, tried)


def _looked(shape: Shape, known: Knowledge) -> tuple[Shape, Columns | None]:
    """The shape, with names of a switchboard's columns, and a sample; None if binary."""
    if shape.form.format in asn1_blocks.FORMATS:
        return shape, None
    shape = with_names(shape)
    frames = []
    for file in shape.sample:
        layout = shape.form.layout
        reading = open_reading(file.path, layout)
        readable = [name for name in dict.fromkeys(reading.columns) if name not in reading.other_types]
        for block in reading.blocks(readable):
            frame = block.frame.head(_SAMPLE_ROWS)
            extra = folder_columns(file.name, reading.columns)
            frames.append(frame.with_columns(pl.lit(v, pl.String).alias(k) for k, v in extra.items()))
            break
    frame = _together(frames)
    columns = Columns(", ".join(shape.patterns[:3]), frame, known, header=shape.form.header)
    for name in shape.form.columns if shape.form.twice else ():
        if name.endswith(" (2)"):
            columns.ask(
                f"列 {name[:-4]!r} 有两个：第二个叫 {name!r}；请核对读的是哪一个",
                f"column {name[:-4]!r} is there twice, and the second is called {name!r}: see which one is read",
            )
    return shape, columns


def _together(frames: Sequence[pl.DataFrame]) -> pl.DataFrame:
    if not frames:
        return pl.DataFrame()
    try:
        return pl.concat(frames, how="diagonal_relaxed")
    except pl.exceptions.PolarsError:  # types of a column without a common supertype
        texts = [frame.select(as_text(frame[name]).alias(name) for name in frame.columns) for frame in frames]
        return pl.concat(texts, how="diagonal")


def _cards(columns: Columns) -> set[str]:
    own = parties.number_of(columns, Meaning.OWN, card=True)
    if own is None:
        return set()
    text = trimmed(columns.frame[own.name])
    return set(columns.knowledge.numbers.normalise(text, peer=False).drop_nulls().to_list())
