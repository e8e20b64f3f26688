"""The truth about victims, and the columns of the registers that a world with victims has besides."""

from __future__ import annotations

import numpy as np
import polars as pl

from duanka.domain.age_band import AgeBand
from duanka.domain.fraud_kind import FraudKind
from duanka.simulator.chance import Ints, Rng, generator, words
from duanka.simulator.province import foreign_to_us
from duanka.simulator.register import WindowClock
from duanka.simulator.victims.settlement import Preyed

NEVER = -(1 << 40)
KIND_KNOWN = 0.85  # share of the police's cases that say the kind
NAMES_SOMETHING = 0.5  # share of the complaints that name what the fraud asked its victim to use
_HOSTS = ("pay", "shop", "loan", "help", "vip", "task", "bank", "police")
_KINDS = ("host", "number", "account")


def victim_tables(
    preyed: Preyed, numbers: Ints, gang_names: list[str], clock: WindowClock
) -> dict[str, pl.DataFrame]:
    """Return truth_victims and truth_contacts, see docs/WORLDS.md."""
    victims = sorted(preyed.victims, key=lambda victim: (victim.worked_on_at, victim.person.number))
    pays = np.array([victim.would_pay_at is not None for victim in victims], dtype=np.bool_)
    paid = np.array([victim.would_pay_at or 0 for victim in victims], dtype=np.int64)
    worked = np.array([victim.worked_on_at for victim in victims], dtype=np.int64)
    cards = [[str(numbers[card]) for card in victim.cards] for victim in victims]
    known = pl.DataFrame({"at": clock.times("at", paid), "pays": pays})
    truth = pl.DataFrame(
        {
            "victim": pl.Series([str(victim.person.number) for victim in victims], dtype=pl.String),
            "ours": pl.Series([victim.person.card >= 0 for victim in victims], dtype=pl.Boolean),
            "gang": pl.Series([gang_names[victim.gang] for victim in victims], dtype=pl.String),
            "fraud_kind": pl.Series([victim.kind.value for victim in victims], dtype=pl.String),
            "fraud_cards": pl.Series(cards, dtype=pl.List(pl.String)),
            "worked_on_at": clock.times("worked_on_at", worked),
            "would_pay_at": known.select(pl.when("pays").then("at"))["at"],
            "how": pl.Series([victim.how for victim in victims], dtype=pl.String),
        }
    )
    contacts = pl.DataFrame(
        {
            "card": pl.Series([str(numbers[one.card]) for one in preyed.mistaken], dtype=pl.String),
            "fraud_card": pl.Series(
                [str(numbers[one.fraud_card]) for one in preyed.mistaken], dtype=pl.String
            ),
            "why": pl.Series([one.why for one in preyed.mistaken], dtype=pl.String),
        }
    )
    return {"truth_victims": truth, "truth_contacts": contacts.sort("card", "fraud_card")}


def with_ages(cards: pl.DataFrame, preyed: Preyed, numbers: Ints) -> pl.DataFrame:
    """Return the register of cards with the holders' bands of age."""
    bands = pl.Series("age_band", [*(band.value for band in AgeBand), None], dtype=pl.String)
    which = np.where(preyed.ages < 0, len(AgeBand), preyed.ages)
    ages = pl.DataFrame({"card": pl.Series(numbers).cast(pl.String), "age_band": bands.gather(which)})
    return cards.join(ages, on="card", how="left", maintain_order="left")


def with_kinds(cases: pl.DataFrame, kinds: dict[str, FraudKind], seed: int) -> pl.DataFrame:
    """Return the police's cases with the kind of fraud; `kinds`: by card. All cards of a case say the same."""
    rng = generator(seed, 65)
    named = {case: bool(rng.random() < KIND_KNOWN) for case in sorted(cases["case_id"].unique())}
    said = [
        kinds[card].value if named[case] and card in kinds else None
        for card, case in cases.select("card", "case_id").iter_rows()
    ]
    return cases.with_columns(pl.Series("fraud_kind", said, dtype=pl.String))


def with_indicators(complaints: pl.DataFrame, kinds: dict[str, FraudKind], seed: int) -> pl.DataFrame:
    """Return the complaints with what they name; only those about cards of gangs (in `kinds`) name something."""
    rng = generator(seed, 66)
    said: list[tuple[str | None, str | None]] = []
    for card in complaints["card"]:
        names = card in kinds and rng.random() < NAMES_SOMETHING
        said.append(_indicator(rng) if names else (None, None))
    kind, name = zip(*said, strict=True) if said else ((), ())
    return complaints.with_columns(
        pl.Series("indicator_kind", kind, dtype=pl.String), pl.Series("indicator", name, dtype=pl.String)
    )


def _indicator(rng: Rng) -> tuple[str, str]:
    kind = _KINDS[int(rng.choice(3, p=(0.5, 0.3, 0.2)))]
    number = int(rng.integers(1_000))
    if kind == "host":
        return kind, f"{_HOSTS[number % len(_HOSTS)]}-{number:03d}.example"
    if kind == "number":
        return kind, str(foreign_to_us(words(rng, 1))[0])
    return kind, f"invented-{number:03d}-{int(rng.integers(10**6)):06d}"
