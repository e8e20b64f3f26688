"""How each kind of fraud is worked: calls, lengths, messages, whom it suits. All shares are assumptions (K)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from duanka.domain.age_band import AgeBand
from duanka.domain.fraud_kind import FraudKind
from duanka.simulator.chance import Floats, Ints, Rng

# Time to pay after the first working contact: lognormal with this median and 90% point.
MEDIAN_TO_PAY, P90_TO_PAY = 4.0, 48.0  # hours
_SIGMA = float(np.log(P90_TO_PAY / MEDIAN_TO_PAY)) / 1.2815515655
_LONGEST = 30 * 24.0  # hours

WOULD_PAY = 0.5  # of those worked on; the others have doubts, or the family stops them
STOPPED_BY_FAMILY = 0.35  # of the others


@dataclass(frozen=True)
class Script:
    """One kind of fraud. `weight`: share of gangs; `more_calls`: mean, besides the first working call.

    `minutes`: median of a working call; `spread`: sigma of its logarithm. `text_first`, `at_payment`, `hidden`:
    shares of victims that get a message first, are on the line while they pay, answer nobody else. `ages`: how apt
    people of each band are.
    """

    weight: float
    more_calls: float
    minutes: float
    spread: float
    text_first: float
    at_payment: float
    hidden: float
    ages: tuple[float, float, float, float, float]


SCRIPTS: dict[FraudKind, Script] = {
    FraudKind.TASK_REBATE: Script(0.22, 1.5, 5.0, 0.7, 0.5, 0.2, 0.0, (0.5, 3, 2, 1, 0.4)),
    FraudKind.FAKE_SERVICE: Script(0.18, 3.0, 14.0, 0.7, 0.1, 0.7, 0.15, (0.3, 2, 2, 1, 0.6)),
    FraudKind.INVESTMENT: Script(0.14, 3.0, 9.0, 0.8, 0.2, 0.2, 0.0, (0.0, 1, 2, 3, 2)),
    FraudKind.FAKE_POLICE: Script(0.1, 4.0, 28.0, 0.7, 0.05, 0.8, 0.6, (0.2, 2, 1, 1.5, 2.5)),
    FraudKind.LOAN: Script(0.12, 2.5, 7.0, 0.7, 0.5, 0.4, 0.0, (0.0, 3, 2.5, 1, 0.2)),
    FraudKind.ACQUAINTANCE: Script(0.06, 1.5, 3.0, 0.6, 0.2, 0.5, 0.05, (0.1, 1, 1.5, 2, 1)),
    FraudKind.SHOPPING: Script(0.05, 1.0, 4.0, 0.6, 0.3, 0.2, 0.0, (1, 2, 1.5, 1, 0.5)),
    FraudKind.ROMANCE: Script(0.05, 4.0, 15.0, 0.8, 0.2, 0.1, 0.0, (0.1, 1.5, 2, 2, 1)),
    FraudKind.CREDIT: Script(0.05, 2.5, 16.0, 0.7, 0.15, 0.7, 0.1, (0.0, 3, 2, 0.7, 0.2)),
    FraudKind.GAME: Script(0.03, 1.0, 4.0, 0.6, 0.3, 0.3, 0.0, (3, 3, 0.7, 0.2, 0.0)),
}

AGE_SHARES = {  # of persons who hold a card (K)
    AgeBand.MINOR: 0.05,
    AgeBand.YOUNG: 0.2,
    AgeBand.MIDDLE: 0.33,
    AgeBand.LATER: 0.26,
    AgeBand.OLD: 0.16,
}
AGE_UNKNOWN = 0.12  # of persons: cards registered before documents were read by machine


def kinds_of(gangs: int, rng: Rng) -> list[FraudKind]:
    """Draw one kind of fraud for each gang."""
    kinds = list(SCRIPTS)
    weights = np.array([script.weight for script in SCRIPTS.values()])
    return [kinds[which] for which in rng.choice(len(kinds), gangs, p=weights / weights.sum())]


def hours_to_pay(count: int, rng: Rng) -> Floats:
    """Draw times to pay (h)."""
    drawn = MEDIAN_TO_PAY * np.exp(_SIGMA * rng.standard_normal(count))
    return np.minimum(drawn, _LONGEST)


def age_bands(elderly: np.ndarray[tuple[int, ...], np.dtype[np.bool_]], rng: Rng) -> Ints:
    """Draw a band for each card, as an index into AgeBand; `elderly`: is in the last one."""
    drawn = rng.choice(len(AgeBand), len(elderly), p=list(AGE_SHARES.values()))
    return np.where(elderly, len(AgeBand) - 1, drawn)
