"""What a graph answers, as people ask for it: a ring, or a table, with the period that it is about."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import date
from itertools import zip_longest
from pathlib import Path
from typing import Self

import polars as pl

from duanka.domain.phone_masking import masked_card, masked_device, masked_text
from duanka.domain.private_files import private_folder, put_in_place
from duanka.domain.ring_lookups import NotLinked, RingFile, SeedName
from duanka.domain.rings import LinkKind
from duanka.domain.text import Language
from duanka.links.graph.stored import GraphPeriod
from duanka.links.page.drawn import drawn
from duanka.links.page.page import page_of
from duanka.links.page.standalone import standalone_svg
from duanka.links.ring.files import cards_csv, devices_csv, outlets_csv
from duanka.links.ring.register import FIRM
from duanka.links.ring.ring import Ring

_CARD = "\ua642"  # stands for a card in a text: a letter, so that digits beside it are no part of one number


@dataclass(frozen=True)
class FoundTable:
    """Rows of `frame` about `period`. `edition`: of the graph; "" of one that was built for this once."""

    frame: pl.DataFrame
    period: GraphPeriod
    edition: str = ""

    @property
    def first(self) -> date:
        """First day of the records."""
        return self.period.first

    @property
    def last(self) -> date:
        """Last day of the records."""
        return self.period.last

    @property
    def zone(self) -> str:
        """Time zone of the records."""
        return self.period.zone

    @property
    def rows(self) -> int:
        """Of the whole table."""
        return self.frame.height

    def page(self, begin: int, limit: int) -> Sequence[Mapping[str, object]]:
        """Rows from `begin` on, `limit` at most, by column."""
        return self.frame.slice(begin, limit).to_dicts()

    def masked(self) -> Self:
        """The same with devices masked."""
        return replace(self, frame=self.frame.with_columns(_shown("imei", masked_device)))


@dataclass(frozen=True)
class FoundRing:
    """A ring, and the period of the records that it was found in; `edition` as in `FoundTable`.

    `turn`: held while a file is made, where many people ask at the same time; TooManyRings.
    """

    ring: Ring
    period: GraphPeriod
    edition: str = ""
    turn: Callable[[], AbstractContextManager[None]] = field(default=nullcontext, compare=False)

    @property
    def seed(self) -> str:
        """What the search began at."""
        return self.ring.seed.name

    @property
    def joined(self) -> int:
        """Cards that the evidence carries."""
        return self.ring.joined.height

    @property
    def at_risk(self) -> int:
        """Of these, cards against which rules speak."""
        return int(self.ring.joined["at_risk"].sum())

    @property
    def confirmed(self) -> int:
        """Of these, cards that the police confirmed."""
        return int(self.ring.joined["confirmed"].sum())

    @property
    def firm(self) -> bool:
        """Whether these are a firm's, as `links.ring.register.FIRM` says."""
        return bool(self.ring.joined.select(FIRM).item())

    @property
    def cards(self) -> FoundTable:
        """Its cards, as `Ring.cards`."""
        return FoundTable(self.ring.cards, self.period, self.edition)

    @property
    def devices(self) -> FoundTable:
        """Its devices, as `Ring.devices`."""
        return FoundTable(self.ring.devices, self.period, self.edition)

    @property
    def outlets(self) -> FoundTable:
        """The outlets that supply it, as `Ring.outlets`."""
        return FoundTable(self.ring.outlets, self.period, self.edition)

    def masked(self) -> Self:
        """The same with numbers and devices masked, as people see them who do not call them."""
        ring = self.ring
        masked = _with_devices({*ring.devices["imei"], *_devices_in(ring)})
        cards = ring.cards.with_columns(
            _shown("card", masked_card),
            pl.when(pl.col("by") != "").then(_shown("by", masked_card)).otherwise(pl.lit("")),
            *(_reasons_shown(ring.cards, name, masked) for name in ("reason_zh", "reason_en")),
        )
        label = (
            pl.when(pl.col("kind") == LinkKind.DEVICE.value)
            .then(_shown("label", masked_device))
            .when(pl.col("kind") == LinkKind.ACCOUNT.value)
            .then(_shown("label", _masked_account))
            .otherwise(_shown("label", masked_text))
        )
        ties = replace(ring.ties, groups=ring.ties.groups.with_columns(label))
        devices = ring.devices.with_columns(_shown("imei", masked_device))
        seed = replace(ring.seed, name=masked(ring.seed.name))
        return replace(self, ring=replace(ring, seed=seed, cards=cards, devices=devices, ties=ties))

    def file(self, which: RingFile, language: Language) -> str:
        """The text of one of its files. TooManyRings."""
        with self.turn():
            match which:
                case RingFile.PAGE:
                    return page_of(self.ring, self.period, language)
                case RingFile.CARDS:
                    return cards_csv(self.ring, language)
                case RingFile.DEVICES:
                    return devices_csv(self.ring, language)
                case RingFile.OUTLETS:
                    return outlets_csv(self.ring, language)

    def drawn(self) -> Mapping[str, object]:
        """Its picture as data. TooManyRings."""
        with self.turn():
            return drawn(self.ring, self.period)

    def seed_at(self, mark: str) -> SeedName:
        """The card, device or outlet that a mark stands for: c and g with the row of a card or group. NotLinked."""
        kind, row = mark[:1], int(mark[1:]) if mark[1:].isdecimal() else -1
        groups = self.ring.ties.groups
        if kind == "c" and 0 <= row < self.ring.cards.height:
            return SeedName("card", self.ring.cards["card"][row])
        if kind == "g" and 0 <= row < groups.height:
            found = groups.row(row, named=True)
            if found["kind"] == LinkKind.DEVICE.value:
                return SeedName("device", found["label"])
            if found["kind"] == LinkKind.BATCH.value:
                return SeedName("outlet", found["outlet"])
        raise NotLinked(
            f"mark {mark} of that picture is no card, device or batch: a search begins at one of these"
        )

    def picture(self, language: Language) -> str:
        """Its picture as an SVG file of its own. TooManyRings."""
        with self.turn():
            return standalone_svg(self.ring, language)

    def write(self, folder: Path, language: Language) -> None:
        """Write all of its files to `folder`, each atomically, readable by their owner only. OSError."""
        private_folder(folder)
        for which in RingFile:
            with put_in_place(folder / which) as aside:
                # names from records may contain lone surrogates, which must not fail a file
                aside.write_text(self.file(which, language), "utf-8", errors="replace", newline="")


def _devices_in(ring: Ring) -> pl.Series:
    """The devices among what the cards of a ring share."""
    return ring.ties.groups.filter(pl.col("kind") == LinkKind.DEVICE.value)["label"]


def _with_devices(devices: set[str]) -> Callable[[str], str]:
    """Masks numbers in a text, and these devices as everywhere: another part of each would give it away."""
    known = re.compile("|".join(sorted(map(re.escape, devices), key=len, reverse=True)) or "(?!)")

    def masked(text: str) -> str:
        parts = known.split(text)
        found = map(masked_device, known.findall(text))
        return "".join(
            one + device for one, device in zip_longest(map(masked_text, parts), found, fillvalue="")
        )

    return masked


def _shown(column: str, mask: Callable[[str], str]) -> pl.Expr:
    """`column` as `mask` shows it; each text once, as many cards of a ring have one reason."""
    return pl.col(column).map_batches(lambda texts: _masked(texts, mask), return_dtype=pl.String)


def _reasons_shown(cards: pl.DataFrame, column: str, mask: Callable[[str], str]) -> pl.Series:
    """Reasons as `mask` shows them. Most differ only in the card of `by`, so each is masked once without it."""
    shown, found = dict[str, str](), list[str]()
    for reason, by in cards.select(column, "by").iter_rows():
        text = reason.replace(by, _CARD, 1) if by else reason
        if text not in shown:
            shown[text] = mask(text)
        found.append(shown[text].replace(_CARD, masked_card(by), 1) if _CARD in text else shown[text])
    return pl.Series(column, found, dtype=pl.String)


def _masked(texts: pl.Series, mask: Callable[[str], str]) -> pl.Series:
    shown = {text: mask(text) for text in texts.unique()}
    return pl.Series(texts.name, [shown[text] for text in texts], dtype=pl.String)


def _masked_account(label: str) -> str:
    platform, mark, account = label.rpartition(chr(31))
    return f"{platform}{mark}{masked_card(account)}"
