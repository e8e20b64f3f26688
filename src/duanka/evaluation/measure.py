"""Scan output against a known truth: precision, recall, effect on honest people."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import polars as pl

from duanka.domain.errors import UnreadableInput

_ASKED = pl.col("action") != "watch"


@dataclass(frozen=True)
class MeasureRow:
    """Flagged `cards`, `fraud` among them, `of` all fraud cards; `recalls`: strategy or role -> share."""

    name: str
    cards: int
    fraud: int
    of: int
    recalls: Mapping[str, float] = field(default_factory=dict)

    @property
    def precision(self) -> float | None:
        """Share of flagged cards that are fraud; None if nothing is flagged."""
        return self.fraud / self.cards if self.cards else None

    @property
    def recall(self) -> float | None:
        """Share of fraud cards that are flagged; None if there are none."""
        return self.fraud / self.of if self.of else None

    @property
    def honest(self) -> int:
        """Honest cards among the flagged ones."""
        return self.cards - self.fraud


@dataclass(frozen=True)
class Evaluation:
    """Result of `duanka evaluate`. An order is an action beyond watch.

    `rules`: rules that decide; `shadows`: shadow rules. `roles`: fraud roles with their recall by orders;
    `honest_roles`: honest roles with the number of cards that get an order.
    """

    cards: int
    fraud: int
    asked: MeasureRow
    stopped: MeasureRow
    rules: tuple[MeasureRow, ...]
    shadows: tuple[MeasureRow, ...]
    tiers: tuple[MeasureRow, ...]
    strategies: tuple[MeasureRow, ...]
    roles: tuple[MeasureRow, ...]
    honest_roles: tuple[MeasureRow, ...]

    @property
    def honest_asked_per_100k(self) -> float:
        """Honest cards that get an order, per 100,000 honest cards."""
        honest = self.cards - self.fraud
        return 1e5 * self.asked.honest / honest if honest else 0.0

    @property
    def asked_per_100k(self) -> float:
        """Cards that get an order, per 100,000 cards."""
        return 1e5 * self.asked.cards / self.cards if self.cards else 0.0


def evaluate(out: Path, truth: Path) -> Evaluation:
    """Compare scan output in `out` with `truth`, Parquet: card, fraud, gang, role, strategy."""
    known = read_truth(truth)
    csv = out / "cards_at_risk.csv"
    at_risk = _read(
        csv, lambda: pl.read_csv(csv, infer_schema=False, columns=["card", "tier", "rules", "action"])
    )
    if at_risk.height and not at_risk["card"].is_in(known["card"].implode()).any():
        raise UnreadableInput(
            f"{truth}: names none of the cards in {csv}; give the truth of the scanned records"
        )
    parquet = out / "hits.parquet"
    hits = _read(parquet, lambda: pl.read_parquet(parquet, columns=["card", "rule"])).unique()

    judged = known.join(at_risk, on="card", how="left").with_columns(
        asked=(pl.col("action").is_not_null() & _ASKED).fill_null(value=False),
        flagged=pl.col("action").is_not_null(),
    )
    row = rows_of(known)
    by_rule = sorted(hits.join(known, on="card", how="inner").group_by("rule"))
    # the work list names the deciding rules that hit a card, and no shadow rule
    counting = set(at_risk["rules"].str.split(";").explode())
    return Evaluation(
        cards=known.height,
        fraud=int(known["fraud"].sum()),
        asked=row("asked", judged.filter("asked")),
        stopped=row("stop", judged.filter(pl.col("action") == "stop")),
        rules=tuple(row(str(rule), part) for (rule,), part in by_rule if rule in counting),
        shadows=tuple(row(str(rule), part) for (rule,), part in by_rule if rule not in counting),
        tiers=tuple(
            row(tier, judged.filter(pl.col("tier") == tier)) for tier in ("extreme", "high", "medium", "low")
        ),
        strategies=_groups(judged.filter("fraud"), "strategy"),
        roles=_groups(judged.filter("fraud"), "role"),
        honest_roles=tuple(replace(one, fraud=0) for one in _groups(judged.filter(~pl.col("fraud")), "role")),
    )


def rows_of(known: pl.DataFrame) -> Callable[[str, pl.DataFrame], MeasureRow]:
    """Return a function from a name and the flagged rows of `known` to a MeasureRow."""
    fraud = int(known["fraud"].sum())
    groups = {
        value: count
        for column in ("strategy", "role")
        for value, count in known.filter("fraud").group_by(column).len().sort(column).iter_rows()
    }

    def row(name: str, chosen: pl.DataFrame) -> MeasureRow:
        theirs = chosen.filter("fraud")
        found = dict(theirs.group_by("strategy").len().iter_rows())
        found |= dict(theirs.group_by("role").len().iter_rows())
        recalls = {value: found.get(value, 0) / count for value, count in groups.items()}
        return MeasureRow(name, chosen.height, theirs.height, fraud, recalls)

    return row


_TRUTH = {"card": pl.String, "fraud": pl.Boolean, "role": pl.String, "strategy": pl.String}


def read_truth(path: Path) -> pl.DataFrame:
    """Read a truth: one row per card, and no empty values.

    An empty `fraud` would count as honest.
    """
    known = _read(path, lambda: pl.read_parquet(path))
    for column, kind in _TRUTH.items():
        if column not in known.columns:
            raise UnreadableInput(f"{path}: has no column {column}; a truth has card, fraud, role, strategy")
        if known.schema[column] != kind or known[column].has_nulls():
            what = "true or false" if kind == pl.Boolean else "text"
            raise UnreadableInput(f"{path}: {column} must be {what} in every row")
    if known["card"].is_empty() or known["card"].is_duplicated().any():
        raise UnreadableInput(f"{path}: must have one row for each card, and has none or several")
    return known


def _groups(judged: pl.DataFrame, column: str) -> tuple[MeasureRow, ...]:
    """Per group: its cards (`of`), and those that get an order (`cards`)."""
    counts = judged.group_by(column).agg(pl.col("asked").sum(), pl.len()).sort(column).iter_rows()
    return tuple(MeasureRow(str(name), asked, asked, of) for name, asked, of in counts)


def _read(path: Path, read: Callable[[], pl.DataFrame]) -> pl.DataFrame:
    if not path.is_file():
        raise UnreadableInput(
            f"{path}: no such file; evaluate wants the output folder of a scan and a truth.parquet"
        )
    try:
        return read()
    except (pl.exceptions.PolarsError, OSError) as error:
        raise UnreadableInput(f"{path}: cannot be read: {str(error).splitlines()[0]}") from error
