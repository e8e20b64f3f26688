"""Effect of a rule change: cards and hits gained and lost, with truth if known."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from duanka.domain.errors import UnreadableInput
from duanka.domain.rule import Action, Hit
from duanka.evaluation.measure import MeasureRow, read_truth, rows_of

Asked = Action | None
_HIT = ["card", "seen_at"]


@dataclass(frozen=True)
class Flagged:
    """Numbers of cards and hits of the rule; `known`: measures by the truth, if given."""

    name: str
    cards: int
    hits: int
    known: MeasureRow | None


@dataclass(frozen=True)
class Move:
    """`cards` whose action changes; `fraud`, `honest`: how many of each, if known.

    None in `before` or `after`: not on the work list, which ranks like watching.
    """

    before: Asked
    after: Asked
    cards: int
    fraud: int | None
    honest: int | None

    @property
    def more(self) -> int:
        """Positive if the action becomes heavier, negative if lighter."""
        return (self.after or Action.WATCH) - (self.before or Action.WATCH)


@dataclass(frozen=True)
class Example:
    """A card gained or lost, with its first hit.

    `moved`: action before and after; None if unchanged. `truth`: who it is, in words; "" if unknown.
    """

    hit: Hit
    moved: tuple[Asked, Asked] | None
    truth: str


@dataclass(frozen=True)
class RuleChangeEffect:
    """Effect of a change of one rule.

    `strategies`: fraud strategies in the truth, sorted. `moves`: the largest rise first.
    """

    before: Flagged
    after: Flagged
    gained: Flagged
    lost: Flagged
    moves: tuple[Move, ...]
    strategies: tuple[str, ...]
    examples_gained: tuple[Example, ...]
    examples_lost: tuple[Example, ...]


def compare(
    before: Path,
    after: Path,
    rule: str,
    moved: Mapping[str, tuple[Asked, Asked]],
    truth: Path | None,
    examples: int = 0,
) -> RuleChangeEffect:
    """Compare the hits of `rule` (id) in two files with the format of hits.parquet.

    `moved`: card -> action before and after, where it changes. `truth`: Parquet file as in `evaluate`. `examples`:
    number of gained and of lost cards to show; those whose action changes most come first.
    """
    then, now = (_hits(path, rule) for path in (before, after))
    known = read_truth(truth) if truth else None
    row = rows_of(known) if known is not None else None
    if known is not None and then.height + now.height:
        both = pl.concat([then["card"], now["card"]])
        if not both.is_in(known["card"].implode()).any():
            raise UnreadableInput(
                f"{truth}: names none of the cards that {rule} hits; give the truth of these records"
            )

    def flagged(name: str, hits: int, cards: pl.Series) -> Flagged:
        if row is None or known is None:
            return Flagged(name, len(cards), hits, None)
        return Flagged(name, len(cards), hits, row(name, known.filter(pl.col("card").is_in(cards.implode()))))

    cards_then, cards_now = then["card"].unique(), now["card"].unique()
    new_cards = cards_now.filter(~cards_now.is_in(cards_then.implode()))
    old_cards = cards_then.filter(~cards_then.is_in(cards_now.implode()))
    return RuleChangeEffect(
        flagged("before", then.height, cards_then),
        flagged("after", now.height, cards_now),
        flagged("gained", _more(now, then), new_cards),
        flagged("lost", _more(then, now), old_cards),
        _moves(moved, known),
        tuple(known.filter("fraud")["strategy"].unique().sort()) if known is not None else (),
        _examples(now, new_cards, rule, moved, known, examples),
        _examples(then, old_cards, rule, moved, known, examples),
    )


def _hits(path: Path, rule: str) -> pl.DataFrame:
    """Return one row per card and moment, with the evidence of the first hit."""
    found = pl.scan_parquet(path).filter(pl.col("rule") == rule).sort(*_HIT, "evidence")
    return found.unique(_HIT, keep="first", maintain_order=True).collect()


def _more(hits: pl.DataFrame, others: pl.DataFrame) -> int:
    """Sum over cards of the hits that exceed those in `others`.

    A hit that only changed its time does not count.
    """
    counts = (one.group_by("card").agg(pl.len().cast(pl.Int64).alias("hits")) for one in (hits, others))
    both = next(counts).join(next(counts), on="card", how="left", suffix="_other")
    return int((both["hits"] - both["hits_other"].fill_null(0)).clip(lower_bound=0).sum())


def _moves(moved: Mapping[str, tuple[Asked, Asked]], known: pl.DataFrame | None) -> tuple[Move, ...]:
    if not moved:
        return ()
    frame = pl.DataFrame(
        [(card, *(None if a is None else int(a) for a in asked)) for card, asked in moved.items()],
        schema={"card": pl.String, "before": pl.Int64, "after": pl.Int64},
        orient="row",
    )
    counts: list[pl.Expr] = [pl.len().alias("cards")]
    if known is not None:
        frame = frame.join(known.select("card", "fraud"), on="card", how="left")
        counts += [pl.col("fraud").sum(), (~pl.col("fraud")).sum().alias("honest")]
    found = frame.group_by("before", "after").agg(counts)
    moves = [
        Move(
            None if one["before"] is None else Action(one["before"]),
            None if one["after"] is None else Action(one["after"]),
            one["cards"],
            one.get("fraud"),
            one.get("honest"),
        )
        for one in found.iter_rows(named=True)
    ]
    return tuple(sorted(moves, key=lambda m: (-m.more, _weight(m.before), _weight(m.after))))


def _weight(asked: Asked) -> int:
    return -1 if asked is None else int(asked)


def _examples(
    hits: pl.DataFrame,
    cards: pl.Series,
    rule: str,
    moved: Mapping[str, tuple[Asked, Asked]],
    known: pl.DataFrame | None,
    most: int,
) -> tuple[Example, ...]:
    def change(card: str) -> tuple[int, str]:
        before, after = moved.get(card, (None, None))
        return -abs((after or 0) - (before or 0)), card

    chosen = sorted(cards, key=change)[:most]
    rows = hits.filter(pl.col("card").is_in(chosen))
    of_card = {card: part for (card,), part in rows.group_by("card", maintain_order=True)}
    who = _who(known, chosen)
    examples = []
    for card in chosen:
        first = of_card[card].row(0, named=True)
        hit = Hit(card, rule, first["seen_at"], json.loads(first["evidence"]), of_card[card].height)
        examples.append(Example(hit, moved.get(card), who.get(card, "")))
    return tuple(examples)


def _who(known: pl.DataFrame | None, cards: Sequence[str]) -> dict[str, str]:
    if known is None:
        return {}
    theirs = known.filter(pl.col("card").is_in(cards)).select("card", "fraud", "role", "strategy")
    return {
        card: f"fraud: {role}, {strategy}" if fraud else f"honest: {role}"
        for card, fraud, role, strategy in theirs.iter_rows()
    }
