"""Who is listed for rectification in invented worlds with a known truth: 31 units over 24 months, and outlets.

Each month each unit has confirmed cards by chance: Poisson of cards x 1 in 10,000 x what all months have in common x
the unit's case mix. Units are of unequal size (50,000 to 10 million cards), their case mix differs by a fifth of the
rate (standard deviation) and is of one of these kinds:

- lasting: drawn once for each unit, as customers of a place are a lasting mix
- drifting: wanders, with a correlation of 0.97 from month to month
- fresh: drawn anew each month, so that no past says anything

Or a unit's mix of cards by age is known, as in runs: shares of four ages are drawn from a Dirichlet distribution, so
that honest rates differ by the same fifth. That too is lasting or drawn anew each month, alone or with a hidden rest
of 5% that behaves alike. The criterion is then given what runs count by age (`standardised`), and a bad unit has so
many times what other units' cards of the same ages have.

One unit turns bad in a month after the eighth: from then on its rate is so many times that of the others (of the base,
whatever its own mix was before), or of its own; or it is bad from the first month on. The criterion is asked after
each month, with `AssessmentPolicy()`; months in which a unit was listed teach it nothing.

Outlets: 3,000 of them, most of them tiny, over 12 months, whose rates differ as much as they are large (standard
deviation 100%). Beside them one with many cards and an average rate, one with few cards and one confirmed, and the
gang's stall, of whose few cards some are confirmed in each of the last two months. Where the mix is known, rates differ
by 80% for the ages of cards and by 50% beside, and all cards of the stall are of the youngest age.

    python benchmarks/listing.py [--runs 100] [--seed 20270101] [--seed-known 20280101]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from duanka.assessment.comparison.criterion import judge
from duanka.assessment.comparison.standardisation import CaseMix, standardised
from duanka.domain.assessment_policy import AssessmentPolicy

Floats = NDArray[np.float64]
Chance = np.random.Generator

POLICY = AssessmentPolicy()
SEED, SEED_KNOWN = 20_270_101, 20_280_101
UNITS, MONTHS = 31, 24
BASE = 1e-4
SPREAD = 0.2  # of honest units, relative
LEAST, MOST = 5e4, 1e7  # cards of a unit
COMMON = 0.1  # by how much months differ for all units
AGES = np.array([0.04, 0.08, 0.28, 0.60])  # shares of cards, the youngest first
RATES = np.array([7.0, 3.0, 1.0, 0.4])  # of each age, relative
HIDDEN = 0.05  # what units differ by beside their mix, relative
FIRST, LAST = 8, 18  # month in which a unit turns bad, from 0
OUTLETS, OUTLET_MONTHS = 3_000, 12
OUTLET_CARDS, OUTLET_SPREAD = 150, 1.0
OUTLET_AGES, OUTLET_REST = 0.8, 0.5  # spread by the ages of cards, and beside
MANY, FEW, STALL = 0, 1, 2  # outlets that are not like the others
MANY_CARDS, FEW_CARDS, STALL_CARDS = 200_000, 60, 80


class Mix(Enum):
    """How the case mix of an honest unit behaves."""

    LASTING = "lasting"
    DRIFTING = "drifting"
    FRESH = "fresh"


class Known(Enum):
    """Whether the mix of a unit's cards by age is known, and what is left to differ beside it."""

    NO = "unknown"
    ALL = "known"
    MOST = "known, 5% hidden"


class Tail(Enum):
    """How case mixes are distributed around 1."""

    GAMMA = "gamma"
    NORMAL = "normal"
    LOGNORMAL = "lognormal"


@dataclass(frozen=True)
class Bad:
    """The bad unit, number 0: `times` the rate of the others; `own`: of its own; `always`: from the first month on."""

    cards: float
    times: float
    own: bool = False
    always: bool = False


@dataclass(frozen=True)
class Played:
    """What came of some worlds.

    `honest`: units listed at least once, of `honest_years`; `after_two`: runs in which the bad unit is listed after
    two bad months, `after_six`: after two to six.
    """

    runs: int
    honest: int
    honest_years: float
    after_two: int
    after_six: int

    @property
    def honest_a_year(self) -> float:
        """Share of honest units that are listed in a year."""
        return self.honest / self.honest_years


def world(chance: Chance, mix: Mix, tail: Tail, bad: Bad | None) -> tuple[Floats, Floats, int]:
    """Return events and cards, shape (units, months), and the month in which unit 0 turns bad; `MONTHS`: never."""
    cards = np.exp(chance.uniform(np.log(LEAST), np.log(MOST), (UNITS, 1)))
    if bad:
        cards[0] = bad.cards
    cards = cards * np.exp(chance.normal(0, 0.01, (UNITS, MONTHS)).cumsum(axis=1))
    own = _mixes(chance, mix, tail)
    common = np.exp(chance.normal(0, COMMON, MONTHS))
    onset = MONTHS
    if bad:
        onset = 0 if bad.always else int(chance.integers(FIRST, LAST + 1))
        own[0, onset:] = bad.times * (own[0, onset:] if bad.own else 1.0)
    return chance.poisson(cards * BASE * common * own).astype(np.float64), cards, onset


def _mixes(chance: Chance, mix: Mix, tail: Tail) -> Floats:
    if mix is Mix.DRIFTING:
        z = chance.normal(0, 1, (UNITS, MONTHS))
        for month in range(1, MONTHS):
            z[:, month] = 0.97 * z[:, month - 1] + (1 - 0.97**2) ** 0.5 * z[:, month]
        return np.maximum(1 + SPREAD * z, 0.1)
    drawn = _drawn(chance, tail, SPREAD, (UNITS, MONTHS if mix is Mix.FRESH else 1))
    return np.broadcast_to(drawn, (UNITS, MONTHS)).copy()


def _drawn(chance: Chance, tail: Tail, spread: float, shape: tuple[int, ...]) -> Floats:
    """Factors of mean 1 and standard deviation `spread`."""
    if tail is Tail.GAMMA:
        return chance.gamma(1 / spread**2, spread**2, shape)
    if tail is Tail.NORMAL:
        return np.maximum(chance.normal(1, spread, shape), 0.1)
    log = np.log(1 + spread**2)
    return np.exp(chance.normal(-log / 2, log**0.5, shape))


def world_by_age(
    chance: Chance, mix: Mix, rest: float, bad: Bad | None
) -> tuple[Floats, Floats, int, CaseMix]:
    """As `world`, with the mix as runs count it. `rest`: what honest units differ by beside their ages, relative."""
    cards = np.exp(chance.uniform(np.log(LEAST), np.log(MOST), (UNITS, 1)))
    if bad:
        cards[0] = bad.cards
    cards = cards * np.exp(chance.normal(0, 0.01, (UNITS, MONTHS)).cumsum(axis=1))
    drawn = (UNITS, MONTHS if mix is Mix.FRESH else 1)
    by_age = cards[..., np.newaxis] * ages_of_units(chance, drawn)
    own = np.broadcast_to(_drawn(chance, Tail.GAMMA, rest, drawn) if rest else 1.0, (UNITS, MONTHS)).copy()
    onset = MONTHS
    if bad:
        onset = 0 if bad.always else int(chance.integers(FIRST, LAST + 1))
        own[0, onset:] = bad.times
    common = np.exp(chance.normal(0, COMMON, MONTHS))
    rates = BASE * RATES / (AGES @ RATES) * (common * own)[..., np.newaxis]
    counts = chance.poisson(by_age * rates).astype(np.float64)
    return counts.sum(axis=2), cards, onset, mix_of(counts, by_age)


def ages_of_units(chance: Chance, shape: tuple[int, ...], spread: float = SPREAD) -> Floats:
    """Shares of ages, shape (*shape, ages), by which honest rates differ by `spread`."""
    mean = AGES @ RATES
    alike = AGES @ (RATES - mean) ** 2 / (spread * mean) ** 2 - 1
    return chance.dirichlet(AGES * alike, shape)


def mix_of(counts: Floats, cards: Floats) -> CaseMix:
    """What a run of each month counts; counts of shape (units, months, ages)."""
    found = [standardised(counts[:, at], cards[:, at]) for at in range(counts.shape[1])]
    return CaseMix(
        *(np.stack(side, 1) for side in zip(*((one.exposure, one.basis) for one in found), strict=True))
    )


def play(
    seeds: Sequence[int],
    bad: Bad | None,
    mix: Mix = Mix.LASTING,
    tail: Tail = Tail.GAMMA,
    known: Known = Known.NO,
    policy: AssessmentPolicy = POLICY,
) -> Played:
    """Ask the criterion after each month of one world for each seed."""
    honest = after_two = after_six = 0
    for seed in seeds:
        chance, by_age = np.random.default_rng(seed), None
        if known is Known.NO:
            events, cards, onset = world(chance, mix, tail, bad)
        else:
            events, cards, onset, by_age = world_by_age(chance, mix, HIDDEN * (known is Known.MOST), bad)
        listed = np.zeros(events.shape, dtype=np.bool_)
        for month in range(policy.periods, MONTHS + 1):
            so_far = slice(0, month)
            of_then = by_age and by_age.periods(so_far)
            found = judge(events[:, so_far], cards[:, so_far], policy, listed[:, so_far], of_then)
            listed[:, month - 1] = found.listed
        after_two += bool(listed[0, onset + 1 : onset + 2].any())
        after_six += bool(listed[0, onset + 1 : onset + 6].any())
        honest += int(listed[1 if bad else 0 :].any(axis=1).sum())
    units = UNITS - 1 if bad else UNITS
    years = len(seeds) * units * (MONTHS - policy.periods + 1) / 12
    return Played(len(seeds), honest, years, after_two, after_six)


@dataclass(frozen=True)
class OutletsPlayed:
    """What came of worlds of outlets, of `runs`: how often the special ones were listed, and honest ones, of years."""

    runs: int
    many: int
    few: int
    stall: int
    honest: int
    honest_years: float


def play_outlets(
    seeds: Sequence[int],
    of_stall: int,
    tail: Tail = Tail.GAMMA,
    known: Known = Known.NO,
    policy: AssessmentPolicy = POLICY,
) -> OutletsPlayed:
    """Ask the criterion after each month; `of_stall`: cards of the stall that are confirmed in each of the last two."""
    counted = OutletsPlayed(len(seeds), 0, 0, 0, 0, 0.0)
    for seed in seeds:
        chance = np.random.default_rng(seed)
        cards = np.maximum(10, np.exp(chance.normal(np.log(OUTLET_CARDS), 1.2, (OUTLETS, 1)))).round()
        cards[[MANY, FEW, STALL], 0] = MANY_CARDS, FEW_CARDS, STALL_CARDS
        mix = _drawn(chance, tail, OUTLET_SPREAD if known is Known.NO else OUTLET_REST, (OUTLETS, 1))
        mix[[MANY, FEW, STALL], 0] = 1, 0, 0
        cards = np.broadcast_to(cards, (OUTLETS, OUTLET_MONTHS))
        events, by_age = _outlet_events(chance, cards, mix, of_stall, known)
        listed = np.zeros(events.shape, dtype=np.bool_)
        for month in range(policy.periods, OUTLET_MONTHS + 1):
            of_then = by_age and by_age.periods(slice(0, month))
            found = judge(events[:, :month], cards[:, :month], policy, listed[:, :month], of_then)
            listed[:, month - 1] = found.listed
        ever = np.asarray(listed.any(axis=1))
        counted = OutletsPlayed(
            counted.runs,
            counted.many + int(ever[MANY]),
            counted.few + int(ever[FEW]),
            counted.stall + int(ever[STALL]),
            counted.honest + int(ever[STALL + 1 :].sum()),
            counted.honest_years + (OUTLETS - 3) * (OUTLET_MONTHS - policy.periods + 1) / 12,
        )
    return counted


def _outlet_events(
    chance: Chance, cards: Floats, mix: Floats, of_stall: int, known: Known
) -> tuple[Floats, CaseMix | None]:
    if known is Known.NO:
        events = chance.poisson(cards * BASE * mix).astype(np.float64)
        events[FEW, -1] = 1
        events[STALL, -2:] = of_stall
        return events, None
    ages = ages_of_units(chance, (OUTLETS, 1), OUTLET_AGES)
    ages[MANY], ages[STALL] = AGES, np.eye(len(AGES))[0]
    by_age = cards[..., np.newaxis] * ages
    counts = chance.poisson(by_age * BASE * RATES / (AGES @ RATES) * mix[..., np.newaxis]).astype(np.float64)
    counts[FEW, -1, 0] = 1
    counts[STALL, -2:, 0] = of_stall
    return counts.sum(axis=2), mix_of(counts, np.maximum(by_age, counts))


@dataclass(frozen=True)
class Row:
    """One row of the table."""

    said: str
    bad: Bad | None
    mix: Mix = Mix.LASTING
    tail: Tail = Tail.GAMMA
    known: Known = Known.NO


ROWS = (
    Row("1.5 times the others, 1 M cards", Bad(1e6, 1.5)),
    Row("2 times the others, 200,000 cards", Bad(2e5, 2)),
    Row("1.5 times its own, 1 M cards", Bad(1e6, 1.5, own=True)),
    Row("2 times its own, 200,000 cards", Bad(2e5, 2, own=True)),
    Row("1.5 times the others, 1 M cards", Bad(1e6, 1.5), tail=Tail.NORMAL),
    Row("1.5 times the others, 1 M cards", Bad(1e6, 1.5), tail=Tail.LOGNORMAL),
    Row("1.5 times from the first month, 1 M cards", Bad(1e6, 1.5, always=True)),
    Row("2 times from the first month, 1 M cards", Bad(1e6, 2, always=True)),
    Row("2 times from the first month, 200,000 cards", Bad(2e5, 2, always=True)),
    Row("1.5 times the others, 1 M cards", Bad(1e6, 1.5), Mix.DRIFTING),
    Row("2 times the others, 200,000 cards", Bad(2e5, 2), Mix.DRIFTING),
    Row("1.5 times the others, 1 M cards", Bad(1e6, 1.5), Mix.FRESH),
    Row("2 times the others, 200,000 cards", Bad(2e5, 2), Mix.FRESH),
    Row("none is bad", None),
)
ROWS_KNOWN = tuple(
    Row(said, bad, mix, known=known)
    for known in (Known.ALL, Known.MOST)
    for mix in (Mix.LASTING, Mix.FRESH)
    for said, bad in (
        ("1.5 times the others, 1 M cards", Bad(1e6, 1.5)),
        ("2 times the others, 200,000 cards", Bad(2e5, 2)),
        ("1.5 times from the first month, 1 M cards", Bad(1e6, 1.5, always=True)),
        ("2 times from the first month, 200,000 cards", Bad(2e5, 2, always=True)),
        ("none is bad", None),
    )
)


def _lines(seeds: Sequence[int], seeds_known: Sequence[int]) -> Iterator[str]:
    yield "| bad unit | case mix | mix by age | after two months | within six | honest units listed a year |"
    yield "|---|---|---|---:|---:|---:|"
    for row in (*ROWS, *ROWS_KNOWN):
        of_row = seeds if row.known is Known.NO else seeds_known
        got = play(of_row, row.bad, row.mix, row.tail, row.known)
        mix = row.mix.value if row.tail is Tail.GAMMA else f"{row.mix.value}, {row.tail.value}"
        hits = [f"{one / got.runs:.2f}" if row.bad else "" for one in (got.after_two, got.after_six)]
        cells = (row.said, mix, row.known.value, *hits, f"{got.honest_a_year:.2%}")
        yield f"| {' | '.join(cells)} |"
    yield ""
    yield (
        "| of the stall's 80 cards confirmed in each of two months | rates of outlets | mix by age | stall"
        " | many cards | few, one confirmed | honest outlets listed a year |"
    )
    yield "|---:|---|---|---:|---:|---:|---:|"
    few, few_known = (of[: max(1, len(of) // 5)] for of in (seeds, seeds_known))
    for of_stall, tail, known in (
        (1, Tail.GAMMA, Known.NO),
        (2, Tail.GAMMA, Known.NO),
        (3, Tail.GAMMA, Known.NO),
        (6, Tail.GAMMA, Known.NO),
        (3, Tail.LOGNORMAL, Known.NO),
        *((of_stall, Tail.GAMMA, Known.MOST) for of_stall in (1, 2, 3, 6)),
    ):
        got_outlets = play_outlets(few if known is Known.NO else few_known, of_stall, tail, known)
        listed = (got_outlets.stall, got_outlets.many, got_outlets.few)
        honest = got_outlets.honest / got_outlets.honest_years
        told = " | ".join(f"{one} of {got_outlets.runs}" for one in listed)
        ages = "unknown" if known is Known.NO else "known"
        yield f"| {of_stall} | {tail.value} | {ages} | {told} | {honest:.3%} |"


def main(say: Callable[[str], None] = print) -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--seed-known", type=int, default=SEED_KNOWN, help="of worlds whose mix is known")
    asked = parser.parse_args()
    begun = time.process_time()
    for line in _lines(
        *([first + run for run in range(asked.runs)] for first in (asked.seed, asked.seed_known))
    ):
        say(line)
    say(f"\n{asked.runs} runs, {time.process_time() - begun:.0f} CPU s")


if __name__ == "__main__":
    main()
