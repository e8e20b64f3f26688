"""Cards opened in a batch at an outlet that stands out: which are named, and who is asked nothing."""

from __future__ import annotations

from datetime import date, datetime

import numpy as np
import polars as pl
import pytest

from duanka.links.graph.graph import LinkGraph, build_graph
from duanka.links.ring.growth import KnownCards
from duanka.links.ring.outlet_batches import TABLE, outlet_batches
from support.link_worlds import LIVED, UNUSED, FactWorld

FIRST, TODAY, NIGHT_BEFORE = date(2021, 3, 1), date(2021, 5, 12), date(2021, 5, 11)
SHOP = "S-BAD"
DAY = datetime(2021, 4, 20, 14)
NOTHING = pl.DataFrame(schema=TABLE)
USED, DRAWER = list(range(100, 116)), list(range(200, 208))


def town(lift: bool = True) -> FactWorld:
    """40 honest shops with 60 customers each, and one whose batch of sixteen is at risk; eight more lie in a drawer."""
    world = FactWorld()
    for shop in range(40):
        world.shop(f"S{shop}", 10_000 + 100 * shop, 30, 2)
    world.shop(SHOP, 9_000, 30, 2)
    world.cards(USED[0], len(USED), at_risk=lift)
    world.cards(DRAWER[0], len(DRAWER), **UNUSED)
    world.opened([*USED, *DRAWER], SHOP, DAY, 2)
    return world


def named(graph: LinkGraph, before: pl.DataFrame = NOTHING, known: KnownCards = KnownCards()) -> pl.DataFrame:  # noqa: B008  # frozen
    return outlet_batches(graph, known, FIRST, TODAY, before)


def cards(found: pl.DataFrame) -> set[int]:
    return set(found.filter(pl.col("lift") > 0)["card"].cast(pl.Int64))


def test_the_drawer_of_an_outlet_that_stands_out_and_no_customer_of_it() -> None:
    found = named(build_graph(town().evidence()))
    assert cards(found) == set(DRAWER)
    assert set(found.select("outlet", "together", "since").rows()) == {(SHOP, 24, TODAY)}
    assert found["lift"].min() >= 2  # type: ignore[operator]


def test_nobody_of_an_outlet_that_is_like_its_peers() -> None:
    world = town(lift=False)
    world.opened(world.cards(300, 12, **UNUSED), "S3", DAY, 2)
    assert named(build_graph(world.evidence())).is_empty()


def test_one_card_left_of_a_batch_is_somebodys_spare() -> None:
    world = town()
    world.opened(
        [*world.cards(300, 11, at_risk=True), *world.cards(320, 1, **UNUSED)], SHOP, DAY.replace(day=22), 2
    )
    assert cards(named(build_graph(world.evidence()))) == set(DRAWER)


def test_a_card_that_has_hardly_begun_is_named_until_somebody_lives_with_it() -> None:
    world = town()
    world._cards[DRAWER[0]] |= {"last_used": DAY, "first_used": DAY, "days": 2, "calls_out": 1}
    world._cards[DRAWER[1]] |= {"last_used": DAY, "first_used": DAY, "days": 3, "calls_out": 1}
    world._cards[DRAWER[2]] |= {**LIVED, "last_used": DAY, "first_used": DAY, "days": 2}
    assert cards(named(build_graph(world.evidence()))) == set(DRAWER) - set(DRAWER[1:3])


def test_a_crew_a_firm_and_single_customers_of_the_outlet_are_asked_nothing() -> None:
    world = town()
    crew, spare = world.cards(300, 12, **LIVED), world.cards(320, 3, **UNUSED)
    world.opened([*crew, *spare], SHOP, datetime(2021, 4, 22, 14), 2)
    firm = world.cards(400, 12, **UNUSED, organisation=True)
    world.opened(firm, SHOP, datetime(2021, 4, 23, 14), 2)
    alone = world.cards(500, 1, **UNUSED)
    world.opened(alone, SHOP, datetime(2021, 4, 24, 14), 2)
    assert cards(named(build_graph(world.evidence()))) == set(DRAWER)


def test_cards_opened_before_the_records_begin_are_not_judged() -> None:
    world = town()
    old = world.cards(600, 12, **UNUSED)
    world.opened(old, SHOP, datetime(2021, 2, 10, 14), 2)
    assert cards(named(build_graph(world.evidence()))) == set(DRAWER)


@pytest.mark.parametrize("how", ["passed", "upheld"])
def test_who_passed_a_verification_or_was_found_right_is_asked_no_more(how: str) -> None:
    graph = build_graph(town().evidence())
    cleared = KnownCards(**{how: graph.rows_of([DRAWER[0]])})
    assert cards(named(graph, known=cleared)) == set(DRAWER[1:])


def test_a_card_keeps_its_day_and_one_that_has_left_has_lift_0() -> None:
    graph = build_graph(town().evidence())
    earlier = named(graph).with_columns(since=pl.lit(NIGHT_BEFORE)).filter(pl.col("card") != str(DRAWER[0]))
    gone = earlier.head(1).with_columns(card=pl.lit("99"))
    found = named(graph, pl.concat([earlier, gone]))
    since = dict(found.select("card", "since").rows())
    assert since.pop(str(DRAWER[0])) == TODAY
    assert set(since.values()) == {NIGHT_BEFORE}
    assert found.filter(pl.col("card") == "99")["lift"].to_list() == [0]
    again = named(graph, found)
    assert again.equals(found), "a row of lift 0 is delivered each time: one may have been missed"
    assert np.array_equal(np.array(again["card"]), np.sort(np.array(again["card"])))
