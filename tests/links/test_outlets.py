"""Shops against their peers: gangs' shops are named, honest ones are not, however small or large."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest

from duanka.links.outlets import OutletDataError, OutletLimits, outlet_reasons, rank_outlets
from duanka.links.peers import Floats, Ints, compare_with_peers

_MONDAY = datetime(2021, 5, 3, 9, 0)


def _sizes(cards: Ints) -> Ints:
    return np.digitize(cards, [10, 100, 1000]).astype(np.int64)


def _honest(seed: int, base: float, spread: str) -> tuple[Floats, Ints, Ints]:
    """10,000 shops of all sizes in 300 cities with rates of their own."""
    rng = np.random.default_rng(seed)
    cards = np.clip(np.exp(rng.normal(3.2, 1.4, 10_000)).astype(np.int64) + 1, 1, 20_000)
    city = np.minimum((rng.pareto(0.8, len(cards)) * 10).astype(np.int64), 299)
    rate = np.clip(base * np.exp(rng.normal(0, 0.6, 300)), 0, 0.5)[city]
    if spread == "beta":
        rate = rng.beta(rate * 99, (1 - rate) * 99)
    elif spread == "uneven":  # a heavier tail than that of the model
        rate = np.clip(rate * np.exp(rng.normal(-0.18, 0.6, len(cards))), 0, 0.9)
    return rng.binomial(cards, rate).astype(np.float64), cards, city


@pytest.mark.parametrize("spread", ["none", "beta", "uneven"])
@pytest.mark.parametrize("base", [0.005, 0.03, 0.15])
def test_of_ten_thousand_honest_shops_none_stands_out(base: float, spread: str) -> None:
    risk, cards, city = _honest(3, base, spread)
    found = compare_with_peers(risk, cards, city, _sizes(cards), 0.05)
    assert not found.stands_out.any()
    assert found.peer.mean() > 0.99  # the expectation is that of all, not of the best


def test_expected_numbers_add_up_to_those_of_honest_shops() -> None:
    risk, cards, city = _honest(4, 0.03, "none")
    found = compare_with_peers(risk, cards, city, _sizes(cards), 0.05)
    large = np.bincount(city, cards) > 2000
    expected, seen = np.bincount(city, found.rate * cards), np.bincount(city, risk)
    assert np.abs(expected[large] / seen[large] - 1).max() < 0.35
    assert abs(expected.sum() / seen.sum() - 1) < 0.03


def test_gangs_shops_do_not_raise_what_is_expected_of_each_other() -> None:
    rng = np.random.default_rng(5)
    city = np.repeat(np.arange(21), [5] * 20 + [7])
    cards = rng.integers(20, 300, len(city))
    risk = rng.binomial(cards, 0.02).astype(np.float64)
    # a small city where three of seven shops are the gang's, with most of the city's cards
    cards[100:] = [300, 250, 400, 40, 60, 25, 80]
    risk[100:] = [120, 150, 160, 1, 1, 0, 2]
    found = compare_with_peers(risk, cards, city, _sizes(cards), 0.05)
    assert np.flatnonzero(found.stands_out).tolist() == [100, 101, 102]
    assert found.rate[100:].max() < 0.05
    assert not found.peer[100:103].any()
    assert found.peer[103:].all()


def _shop(outlet: str, cards: int, at_risk: int, city: str = "990100", **more: Any) -> pl.DataFrame:
    """Cards of a shop, one each 100 minutes of its ten hours a day, used at once where they were opened."""
    opened = [_MONDAY + timedelta(days=i // 6 % 28, minutes=i % 6 * 100 + i // 168) for i in range(cards)]
    columns = {
        "outlet": [outlet] * cards,
        "city": [city] * cards,
        "opened_at": opened,
        "first_used_at": [at + timedelta(hours=1) for at in opened],
        "first_city": [city] * cards,
        "at_risk": [i < at_risk for i in range(cards)],
        "holder": [f"{outlet}-{i}" for i in range(cards)],
    }
    return pl.DataFrame(columns | more)


def _town(*more: pl.DataFrame) -> pl.DataFrame:
    """40 honest shops of a city, one card in fifty at risk, and `more`."""
    sizes = [20, 50, 120, 300] * 10
    return pl.concat([*(_shop(f"H{i:02}", n, n // 50) for i, n in enumerate(sizes)), *more], how="diagonal")


def test_gangs_shops_do_not_become_each_others_peers_one_after_another() -> None:
    """Of shops with ten cards or more nearly all are gangs'; small ones with two at risk must not let them in."""
    rng = np.random.default_rng(4)
    theirs = [70, 72, 60, 59, 53, 45, 41, 46, 32, 19, 13, 15, 10, 8, 4, 6]
    cards = np.concatenate([rng.geometric(0.6, 800), [*theirs, 21, 12, 14, 11]]).astype(np.int64)
    risk = rng.binomial(cards, 0.012).astype(np.float64)
    risk[800:816] = [69, 65, 51, 50, 47, 42, 40, 39, 26, 17, 13, 12, 6, 4, 2, 2]
    city = np.concatenate([rng.integers(0, 40, 800), rng.integers(0, 12, 20)])
    found = compare_with_peers(risk, cards, city, _sizes(cards), 0.05)
    assert set(range(800, 812)) <= set(np.flatnonzero(found.stands_out)) <= set(range(800, 816))


def test_the_shop_with_two_thirds_at_risk_is_first_and_a_small_one_is_not_named() -> None:
    shops = rank_outlets(
        _town(_shop("GANG", 300, 200), _shop("TINY", 1, 1), _shop("SMALL", 8, 1), _shop("FEW", 3, 2))
    )
    assert shops.filter("named")["outlet"].to_list() == ["GANG"]
    first = shops.row(0, named=True)
    assert first["outlet"] == "GANG"
    assert (first["cards"], first["at_risk"]) == (300, 200)
    assert 2 < first["expected"] < 12
    assert 8 < first["lift_bound"] < first["lift"]
    assert first["lift"] == pytest.approx(200 / first["expected"])
    # all its cards at risk, one card: first by the share, not by the bound
    tiny = shops.filter(outlet="TINY").row(0, named=True)
    assert tiny["at_risk"] / tiny["cards"] > first["at_risk"] / first["cards"]
    assert tiny["lift_bound"] < 1
    assert shops["lift_bound"].to_list() == sorted(shops["lift_bound"], reverse=True)


def test_certainties_count_as_much_as_they_say() -> None:
    half = _shop("HALF", 300, 0).with_columns(at_risk=pl.lit(0.5))
    town = _town().with_columns(pl.col("at_risk").cast(pl.Float64))
    shops = rank_outlets(pl.concat([town, half]))
    assert shops.row(0, named=True)["outlet"] == "HALF"
    assert shops.row(0, named=True)["at_risk"] == 150


def test_size_and_city_say_who_the_peers_are() -> None:
    usual = [_shop(f"B{i}", 60, 30, city="990200") for i in range(30)]  # a city where half are at risk
    shops = rank_outlets(_town(*usual))
    assert not shops["named"].any()
    assert 20 < shops.filter(outlet="B3")["expected"].item() < 40
    moved = _shop("B3", 60, 30, city="990100")
    shops = rank_outlets(_town(*usual[:3], *usual[4:], moved))
    assert shops.filter("named")["outlet"].to_list() == ["B3"]


def _bulk(outlet: str, cards: int, holders: int, minutes: int, **more: Any) -> pl.DataFrame:
    opened = [
        datetime(2021, 5, 12, 14, 35) + timedelta(seconds=60 * minutes * i // cards) for i in range(cards)
    ]
    return _shop(outlet, cards, 0, opened_at=opened, holder=[f"S{i % holders}" for i in range(cards)], **more)


def test_cards_opened_in_bulk_are_told_and_name_nobody() -> None:
    shops = rank_outlets(_town(_shop("GANG", 60, 0), _bulk("GANG", 48, 12, 20)))
    gang = shops.filter(outlet="GANG").row(0, named=True)
    assert (gang["bulk_cards"], gang["bulk_times"], gang["bulk_holders"], gang["bulk_most"]) == (
        48,
        1,
        12,
        48,
    )
    assert gang["bulk_usual"] < 1
    assert not gang["named"]
    assert shops.filter(pl.col("bulk_cards") > 0)["outlet"].to_list() == ["GANG"]
    (said,) = outlet_reasons(gang)
    assert said.en.startswith(
        "48 cards opened in bulk, 1 time, registered to 12 holders; at most 48 within 30 minutes"
    )
    assert said.zh.startswith("1 次集中开卡，共 48 张，登记在 12 人名下；最多一次 30 分钟内 48 张")


def test_a_family_a_firm_and_a_busy_shop_open_nothing_in_bulk() -> None:
    family = _bulk("FAMILY", 9, 1, 20)
    firm = _bulk("FIRM", 80, 1, 20, holder_kind=["organisation"] * 80)
    every_minute = [datetime(2021, 5, 3 + i // 600, 9, 0) + timedelta(minutes=i % 600) for i in range(12_000)]
    busy = _shop("BUSY", 12_000, 240, opened_at=every_minute)
    shops = rank_outlets(_town(_shop("FAMILY", 30, 0), family, _shop("FIRM", 30, 0), firm, busy))
    assert shops.filter(pl.col("bulk_cards") > 0).is_empty()


def test_honest_openings_by_chance_are_no_bulk() -> None:
    rng = np.random.default_rng(8)
    sizes = np.clip(np.exp(rng.normal(3.5, 1.5, 2000)).astype(np.int64), 1, 5000)
    outlet = np.repeat(np.arange(len(sizes)), sizes)
    # noon and the third Saturday have three times as many
    hour = rng.choice(10, len(outlet), p=np.array([1, 1, 2, 3, 1, 1, 1, 1, 1, 1]) / 13)
    day = rng.choice(28, len(outlet), p=np.where(np.arange(28) == 19, 3, 1) / 30)
    seconds = day * 86_400 + hour * 3600 + rng.integers(0, 3600, len(outlet))
    cards = pl.DataFrame({"outlet": outlet.astype(str), "at": seconds}).select(
        "outlet",
        city=pl.lit("990100"),
        opened_at=pl.lit(_MONDAY) + pl.duration(seconds="at"),
        first_used_at=pl.lit(None, dtype=pl.Datetime),
        first_city=pl.lit(None, dtype=pl.String),
        at_risk=pl.lit(value=False),
        holder=pl.lit(None, dtype=pl.String),
    )
    shops = rank_outlets(cards)
    assert shops["bulk_cards"].sum() == 0
    assert shops["unused"].sum() == len(outlet)
    assert not shops["elsewhere_named"].any()  # nobody was seen anywhere


def test_cards_used_elsewhere_are_told_against_peers() -> None:
    gone = _shop("GONE", 100, 0, first_city=["990300"] * 80 + ["990100"] * 20)
    shops = rank_outlets(_town(gone))
    row = shops.filter(outlet="GONE").row(0, named=True)
    assert (row["used"], row["elsewhere"], row["elsewhere_named"]) == (100, 80, True)
    assert shops["elsewhere_named"].sum() == 1
    (said,) = outlet_reasons(row)
    assert said.en.startswith("80 of 100 new cards in use were never seen in the outlet's city")
    back = gone.with_columns(seen_in_city=pl.lit(value=True))  # first used elsewhere, at home later
    assert not rank_outlets(_town(back))["elsewhere_named"].any()


def test_a_firms_contract_counts_as_one_card() -> None:
    more: dict[str, Any] = {"holder": ["FIRM"] * 90, "holder_kind": ["organisation"] * 90}
    shops = rank_outlets(_town(_shop("GATEWAY", 30, 1), _shop("GATEWAY", 90, 90, **more)))
    row = shops.filter(outlet="GATEWAY").row(0, named=True)
    assert (row["opened"], row["cards"], row["at_risk"]) == (120, 31, 2)
    assert not shops["named"].any()
    # as many cards of persons: the shop is named
    shops = rank_outlets(
        _town(_shop("GATEWAY", 30, 1), _shop("GATEWAY", 90, 90, holder_kind=["person"] * 90))
    )
    assert shops.filter("named")["outlet"].to_list() == ["GATEWAY"]


def test_reasons_of_a_named_shop_in_both_languages() -> None:
    shops = rank_outlets(_town(_shop("GANG", 300, 200)))
    (said,) = outlet_reasons(shops.row(0, named=True))
    assert said.en.startswith("200 of 300 new cards are at risk, ")
    assert "at least" in said.en
    assert said.zh.startswith("300 张新卡中 200 张有风险")
    assert outlet_reasons(shops.row(5, named=True)) == ()


def test_the_level_says_how_many_honest_shops_may_be_named() -> None:
    near = _shop("NEAR", 60, 8)
    assert not rank_outlets(_town(near))["named"].any()
    assert rank_outlets(_town(near), OutletLimits(level=0.999))["named"].any()


def test_what_cannot_be_judged_is_said() -> None:
    town = _town()
    with pytest.raises(OutletDataError, match="no column first_city"):
        rank_outlets(town.drop("first_city"))
    with pytest.raises(OutletDataError, match="at_risk of 1 new cards is not a certainty"):
        rank_outlets(
            pl.concat([town.cast({"at_risk": pl.Float64}), _shop("X", 1, 0).with_columns(at_risk=1.5)])
        )
    with pytest.raises(OutletDataError, match="at_risk of the new cards is String"):
        rank_outlets(town.cast({"at_risk": pl.String}))
    with pytest.raises(OutletDataError, match="a level of 0 says nothing"):
        OutletLimits(level=0)
    with pytest.raises(OutletDataError, match="opened_at of 1 new cards"):
        rank_outlets(pl.concat([town, _shop("X", 1, 0, opened_at=[None])]))


def test_no_shops_and_one_shop() -> None:
    assert rank_outlets(_town().clear()).is_empty()
    alone = rank_outlets(_shop("ALONE", 50, 25))
    assert not alone["named"].any()  # nobody to compare it with
    nobody = _town().with_columns(outlet=pl.lit(None, dtype=pl.String))
    assert rank_outlets(nobody).is_empty()
