"""Cards that are switched on, or off, in one minute at one place: how much it tells of each of them.

That many do so at once tells that something switched them. That a card is among them may be chance: at a cell where
meters report each day at one minute, many a card is seen in that minute. So of each card it counts on how many of its
days it was switched with the others, and how unlikely that is for a card that shows itself as often. Who is switched
together again and again is a crew. One that is moved about, or parted, is known from its crew on more days than from
any of its minutes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl
from scipy.stats import beta

from duanka.domain.rings import LinkKind
from duanka.links.graph.neighbours import components
from duanka.links.graph.strength import Floats, Ints, in_bits, poisson_bits, strength

MOST_COMPANY = 64  # cards of a group, chosen by hash, with which each of it is compared
MOST_PAIRS = 4_000_000  # of cards and their company that are compared at once
AWAKE_MINUTES = 600.0  # of a day, within which most cards are switched on and off
IN_CREW = 0.3  # strength of a membership from which on it makes a crew


@dataclass(frozen=True)
class _Switched:
    """Rows of LinkEvidence.switched as arrays; `group`: the minute and place; `days`: on which the card was seen.

    `chance`: of a card to be switched so in a given minute of a day; `at_once`: surprise (bits) of so many at once.
    """

    frame: pl.DataFrame
    days: Floats
    chance: Floats
    at_once: Floats


def tells(switched: pl.DataFrame, days: pl.Series) -> Floats:
    """Strength of each row of `switched`, which has the columns of LinkEvidence.switched and `group`, from 0.

    `days`: on which its card was seen. What everybody at a place does tells nothing of those who do it.
    """
    chance = np.minimum((switched["moments"].to_numpy() + 1.0) / AWAKE_MINUTES, 1.0)
    at_once = poisson_bits(switched["cards"].to_numpy() - 1, switched["usual"].to_numpy())
    told = _Switched(switched, days.to_numpy().astype(np.float64), chance, at_once)
    with_others = _strength(told, _days_with_others(switched), chance)
    with_crew = _by_crew(told, with_others)
    apart = 1.0 - np.minimum(switched["cards"].to_numpy() / switched["present"].to_numpy(), 1.0)
    return np.asarray(np.maximum(with_others, with_crew) * np.sqrt(apart), dtype=np.float64)


def _strength(told: _Switched, many: Floats, chance: Floats) -> Floats:
    """Strength of what cards do on `many` of their days, which has the chance `chance` on each.

    Two cards of a group give the strength together.
    """
    of = np.maximum(told.days, many)
    # of a binomial distribution, at numbers of days that may end in a half
    bits = in_bits(beta.logcdf(np.minimum(chance, 1.0), np.maximum(many, 1e-9), of - many + 1.0))
    # of all cards at the place some are there by chance
    bits = np.maximum(bits - np.log2(told.frame["present"].to_numpy()), 0.0)
    return np.asarray(np.sqrt(strength(LinkKind.SWITCHED, np.minimum(told.at_once, bits))), dtype=np.float64)


def _days_with_others(switched: pl.DataFrame) -> Floats:
    """Per row: on how many days the median of the others of its group was switched with its card, here or elsewhere."""
    rows = switched.select("row", "card", "group", on="switched_on", day=pl.col("minute") // 1_440)
    order = pl.col("card").hash(seed=0)
    company = rows.select("row", "group", "card", order=order).sort("group", "order", "card")
    company = company.group_by("group", maintain_order=True).head(MOST_COMPANY)
    who, group, day = 2 * _ints(rows["row"]) + _ints(rows["on"]), _ints(rows["group"]), _ints(rows["day"])
    size = np.bincount(_ints(company["group"]), minlength=int(group.max()) + 1)
    first, other = np.cumsum(size) - size, _ints(company["row"])
    day = day - day.min()
    found = np.zeros(len(who))
    for at in _chunks(who, size[group]):
        many = size[group[at]]
        of = np.repeat(np.arange(len(at)), many)
        place = np.arange(len(of)) - (np.cumsum(many) - many)[of] + first[group[at]][of]
        with_other = other[place] != who[at][of] // 2
        of, place = of[with_other], place[with_other]
        found[at] = _medians(of, _days_together(who[at][of], other[place], day[at][of]), len(at))
    return found


def _chunks(who: Ints, pairs: Ints) -> Iterator[Ints]:
    """Indices of all rows, those of one card together, so many at a time as have MOST_PAIRS pairs."""
    order = np.argsort(who, kind="stable")
    ends = np.flatnonzero(np.diff(who[order], append=-1)) + 1
    number = np.cumsum(pairs[order])[ends - 1] // MOST_PAIRS
    cuts = ends[np.flatnonzero(np.diff(number, append=-1))]
    yield from (part for part in np.split(order, cuts) if len(part))


def _days_together(one: Ints, other: Ints, day: Ints) -> Ints:
    """For each pair of cards: the number of days on which the same pair is given; all arrays as long."""
    days = int(day.max(initial=0)) + 1
    key = ((one - one.min(initial=0)) * (int(other.max(initial=0)) + 1) + other) * days + day
    order = np.argsort(key)
    key = key[order]
    new_day = np.diff(key, prepend=-1) != 0
    pair = np.cumsum(np.diff(key // days, prepend=-1) != 0) - 1
    found = np.empty(len(key), dtype=np.int64)
    found[order] = np.bincount(pair, weights=new_day).astype(np.int64)[pair] if len(pair) else 0
    return found


def _medians(of: Ints, values: Ints, many: int) -> Floats:
    """The median of the `values` of each of `many` owners, 0 of one without; `of`: the owner of each."""
    wide = int(values.max(initial=0)) + 1
    inside = np.sort(of * wide + values) % wide
    size = np.bincount(of, minlength=many)
    begin = np.cumsum(size) - size
    found = np.zeros(many)
    some = size > 0
    low, high = (inside[(begin + (size - less) // 2)[some]] for less in (1, 0))
    found[some] = (low + high) / 2.0
    return found


def _ints(column: pl.Series) -> Ints:
    return column.cast(pl.Int64).to_numpy()


def _by_crew(told: _Switched, with_others: Floats) -> Floats:
    """Strength by the days on which each card was switched with any of the crew of its group, 0 without one."""
    strong = with_others >= IN_CREW
    found = np.zeros(len(strong))
    if not strong.any():
        return found
    frame = told.frame.select("row", "group", on="switched_on", day=pl.col("minute") // 1_440)
    crews = frame.filter(strong)
    card, group = (crews[name].to_numpy().astype(np.int64) for name in ("row", "group"))
    crews = crews.with_columns(crew=pl.Series(components(card, group)))
    of_group = crews.group_by("group").agg(pl.col("crew").mode().sort().first())
    frame = frame.with_row_index("at").join(of_group, on="group", maintain_order="left")
    minutes = frame.group_by("crew", "on").agg(
        (pl.col("group").n_unique() / pl.col("day").n_unique()).alias("minutes")
    )
    with_crew = frame.group_by("row", "crew", "on").agg(
        pl.col("day").n_unique().cast(pl.Float64).alias("many")
    )
    frame = frame.join(with_crew, on=["row", "crew", "on"]).join(minutes, on=["crew", "on"]).sort("at")
    at = frame["at"].to_numpy()
    many, chance = np.zeros(len(strong)), told.chance.copy()
    many[at], chance[at] = frame["many"].to_numpy(), chance[at] * frame["minutes"].to_numpy()
    found[at] = _strength(told, many, chance)[at]
    return found
