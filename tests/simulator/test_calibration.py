"""The generated quantiles against the measured ones.

Measured: 6,106 real users of Sichuan, August 2019 to March 2020, of whom 1,962 were fraud. That source holds billed
calls only (its shortest call is 1 s), so connected calls are compared. An active month is a period of 30 days with at
least one connected call; contacts, IMEIs and counties are counted over the whole time.
"""

from __future__ import annotations

import polars as pl
import pytest

from duanka.simulator import World, simulate
from support.simulator.simulated import number, read

QUANTILES = (0.05, 0.5, 0.95)

# measure: (measured P5, P50, P95), (allowed factor at P5, P50, P95; 1.0 = equal). Whole small numbers (IMEIs,
# counties) are compared by distance instead, see DISTANCE.
HONEST = {
    "calls_per_month": ((4, 62, 380), (1.4, 1.2, 1.25)),
    "out_per_month": ((2, 32, 201), (1.4, 1.3, 1.3)),
    "contacts": ((7, 61, 370), (2.0, 1.2, 1.35)),
    "contacts_per_call": ((0.05, 0.15, 0.61), (1.3, 1.25, 1.25)),
    "out_share": ((0.19, 0.52, 1.0), (1.3, 1.15, 1.02)),
    "mean_seconds": ((35, 77, 230), (1.25, 1.15, 1.25)),
}
FRAUD = {
    "calls_per_month": ((5, 109, 1006), (2.5, 1.35, 1.5)),
    "out_per_month": ((3, 91, 878), (2.0, 1.35, 1.5)),
    "contacts": ((6, 138, 1713), (2.2, 1.35, 2.3)),
    "contacts_per_call": ((0.10, 0.81, 1.0), (1.4, 1.15, 1.05)),
    "out_share": ((0.36, 0.97, 1.0), (1.35, 1.06, 1.02)),
    "mean_seconds": ((25, 92, 291), (1.3, 1.2, 1.25)),
}
DISTANCE = {  # measure: (measured), (allowed distance)
    (False, "imeis"): ((1, 1, 3), (0, 0, 1)),
    (True, "imeis"): ((1, 2, 11), (0, 1, 4)),
    (False, "counties"): ((1, 3, 15), (0, 1, 4)),
    (True, "counties"): ((0, 1, 11), (0, 1, 4)),
}
SHARES = {  # (fraud, what): (measured share, allowed distance)
    (False, "three_imeis"): (0.13, 0.03),
    (True, "three_imeis"): (0.46, 0.10),
    (False, "crowded_document"): (0.016, 0.008),
    (True, "crowded_document"): (0.21, 0.06),
}


@pytest.fixture(scope="module")
def long_world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """The eight months that the measured users were watched; more fraud than usual, for steadier quantiles."""
    return simulate(
        tmp_path_factory.mktemp("world") / "long", cards=4_500, days=240, seed=5, fraud_share=0.25
    )


@pytest.fixture(scope="module")
def habits(long_world: World) -> pl.DataFrame:
    """One row per card with connected calls: the measures, and whether it is fraud."""
    calls = pl.scan_parquet(long_world.out / "calls" / "*.parquet").filter("answered")
    first = pl.date(2021, 5, 3)
    period = (pl.col("started_at").dt.date() - first).dt.total_days() // 30
    cards = (
        calls.group_by("card")
        .agg(
            n=pl.len(),
            out=(pl.col("direction") == "out").sum(),
            months=period.n_unique(),
            contacts=pl.col("peer").n_unique(),
            mean_seconds=pl.col("seconds").mean(),
            imeis=pl.col("imei").n_unique(),
            counties=pl.col("city").drop_nulls().n_unique(),
        )
        .collect()
    )
    truth = read(long_world, "truth")
    return cards.join(truth, on="card").with_columns(
        calls_per_month=pl.col("n") / pl.col("months"),
        out_per_month=pl.col("out") / pl.col("months"),
        contacts_per_call=pl.col("contacts") / pl.col("n"),
        out_share=pl.col("out") / pl.col("n"),
    )


def _quantiles(habits: pl.DataFrame, fraud: bool, measure: str) -> list[float]:
    values = habits.filter(pl.col("fraud") == fraud)[measure]
    return [float(values.quantile(q) or 0.0) for q in QUANTILES]


@pytest.mark.parametrize(
    ("fraud", "measure"), [(False, name) for name in HONEST] + [(True, name) for name in FRAUD]
)
def test_quantiles_lie_near_the_measured_ones(habits: pl.DataFrame, fraud: bool, measure: str) -> None:
    measured, factors = (FRAUD if fraud else HONEST)[measure]
    found = _quantiles(habits, fraud, measure)
    for quantile, goal, factor, value in zip(QUANTILES, measured, factors, found, strict=True):
        assert goal / factor <= value <= goal * factor, (
            f"P{quantile * 100:.0f} of {measure}: {value} for {goal}"
        )


@pytest.mark.parametrize(("fraud", "measure"), list(DISTANCE))
def test_small_counts_lie_near_the_measured_ones(habits: pl.DataFrame, fraud: bool, measure: str) -> None:
    measured, distances = DISTANCE[fraud, measure]
    found = _quantiles(habits, fraud, measure)
    for goal, distance, value in zip(measured, distances, found, strict=True):
        assert abs(value - goal) <= distance, f"{measure}: {found} for {measured}"


def test_shares_of_many_phones_and_of_crowded_documents(habits: pl.DataFrame, long_world: World) -> None:
    cards = read(long_world, "cards").join(read(long_world, "truth"), on="card")
    # The source counts persons: cards of organisations are left out.
    persons = cards.filter(holder_kind="person").with_columns(on_document=pl.len().over("holder"))
    for fraud in (False, True):
        found = {
            "three_imeis": (habits.filter(pl.col("fraud") == fraud)["imeis"] >= 3).mean(),
            "crowded_document": (persons.filter(pl.col("fraud") == fraud)["on_document"] >= 5).mean(),
        }
        for what, value in found.items():
            goal, distance = SHARES[fraud, what]
            assert abs(number(value) - goal) <= distance, f"{what}: {value!r} for {goal}"


def test_hours_honest_calls_have_two_peaks_and_fraud_is_flat(long_world: World) -> None:
    truth = pl.scan_parquet(long_world.out / "truth.parquet")
    hours = (
        pl.scan_parquet(long_world.out / "calls" / "*.parquet")
        .join(truth, on="card")
        .group_by("fraud", hour=pl.col("started_at").dt.hour())
        .len()
        .collect()
    )
    honest = dict(hours.filter(~pl.col("fraud")).select("hour", "len").iter_rows())
    fraud = dict(hours.filter("fraud").select("hour", "len").iter_rows())
    assert set(sorted(honest, key=lambda h: -honest[h])[:4]) == {10, 11, 17, 18}
    assert min(honest[14], honest[15]) < 0.8 * min(honest[10], honest[17])
    flat = [fraud[hour] for hour in range(10, 18)]
    assert min(flat) > 0.6 * max(flat)
    assert max(fraud[hour] for hour in (0, 1, 2, 3, 4, 5, 6, 22, 23)) < 0.2 * max(flat)


def test_call_lengths_are_skewed_and_cut(long_world: World) -> None:
    seconds = (
        pl.scan_parquet(long_world.out / "calls" / "*.parquet").filter("answered").select("seconds").collect()
    )["seconds"]
    assert number(seconds.mean()) > 1.6 * number(seconds.median())
    assert number(seconds.min()) >= 1
    assert number(seconds.max()) <= 7_300
