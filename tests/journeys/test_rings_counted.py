"""From a night to the next by way of the graph: rings are built, delivered, and count."""

from __future__ import annotations

import stat
from pathlib import Path

import polars as pl
import pytest

from duanka.bootstrap.links import building
from duanka.bootstrap.policies import policy_named
from duanka.simulator import simulate
from support import ROOT
from support.desk import cards_at_risk, duanka, flagged, hits

STRAY = "8613800000000"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the records `data` of an invented town and their `store`; its rings are delivered to `data`."""
    folder = tmp_path_factory.mktemp("rings")
    data, store = folder / "data", folder / "store"
    simulate(data, cards=800, days=5, seed=7, fraud_share=0.08)
    first = duanka("--language", "en", "scan", data, "--store", store, "--out", folder / "before")
    assert first.code == 0, first.err
    assert "Not run: in_ring, the data lack rings" in first.out
    assert "in shadow" not in first.out, "a rule that could not run has no table"
    typed = duanka("links", "build", store, "--out", folder / "links", "--deliver", data / "rings.parquet")
    assert typed.code == 0, typed.err
    return folder


def test_rings_that_count_ask_for_the_counter_and_never_stop(built: Path) -> None:
    rings = pl.read_parquet(built / "data" / "rings.parquet")
    sure = set(rings.filter(pl.col("certainty") > 50)["card"])
    fraud = set(pl.read_parquet(built / "data" / "truth.parquet").filter("fraud")["card"])
    assert len(sure) > 10
    assert sure <= fraud
    assert STRAY not in sure
    assert stat.S_IMODE((built / "data" / "rings.parquet").stat().st_mode) == 0o600

    row = rings.head(1).with_columns(card=pl.lit(STRAY), certainty=pl.lit(90))
    pl.concat([rings, row.cast(rings.schema)]).write_parquet(built / "data" / "rings.parquet")
    sure.add(STRAY)  # somebody who has no part in it
    calls = pl.read_parquet(built / "data" / "calls" / "*.parquet").filter(pl.col("direction") == "out")
    days = calls.group_by("card").agg(pl.col("started_at").dt.date().n_unique())
    busy = days.filter(pl.col("started_at") == 5)["card"].min()
    batches = pl.read_parquet(built / "data" / "outlet_batches.parquet")
    found = {"outlet": "S1", "lift": 5, "together": 20, "since": rings["since"][0]}
    opened = pl.DataFrame([{"card": card, **found} for card in (STRAY, busy)], schema=batches.schema)
    pl.concat([batches, opened]).write_parquet(built / "data" / "outlet_batches.parquet")

    text = (ROOT / "policies" / "national.toml").read_text(encoding="utf-8")
    mine = built / "mine.toml"
    before_it, rule, of_rule = text.partition("[rules.in_ring]")
    shadow = "shadow = true     # first watched"
    assert shadow in of_rule.partition("[rules.")[0]
    counted = of_rule.replace(shadow, "# counts now: no more watched", 1)
    mine.write_text(before_it + rule + counted, encoding="utf-8")
    out = built / "counted"
    typed = duanka("scan", built / "data", "--store", built / "store", "--policy", mine, "--out", out)
    assert typed.code == 0, typed.err
    assert flagged(out, "in_ring") == sure
    assert flagged(out, "outlet_ring") == {*batches["card"], STRAY}, "who uses the card is asked nothing"
    listed = {row["card"]: row for row in cards_at_risk(out)}
    stopped = {card for card, row in listed.items() if row["action"] == "stop"}
    assert {listed[card]["tier"] for card in sure - stopped} == {"high"}
    assert {listed[card]["action"] for card in sure - stopped} == {"verify_at_counter"}
    before = {row["card"] for row in cards_at_risk(built / "before") if row["action"] == "stop"}
    assert stopped == before, "a ring stops nobody"
    card = min(sure - stopped)
    assert "一组正在核查的号码（R00001）有关联，这不说明登记人有过错" in listed[card]["reasons"]
    [hit] = [row for row in hits(out) if row["card"] == card and row["rule"] == "in_ring"]
    assert str(hit["seen_at"]) == f"{rings['since'][0]} 00:00:00"


def test_who_was_delivered_and_is_in_no_ring_is_told_with_certainty_0(built: Path, tmp_path: Path) -> None:
    """Also without the graph of before: the store knows what was delivered."""
    again = tmp_path / "again.parquet"
    typed = duanka("links", "build", built / "store", "--out", tmp_path / "links", "--deliver", again)
    assert typed.code == 0, typed.err
    delivered = pl.read_parquet(built / "data" / "rings.parquet")
    stray = pl.col("card") == STRAY
    expected = delivered.with_columns(pl.when(stray).then(0).otherwise("certainty").alias("certainty"))
    assert pl.read_parquet(again).equals(expected.sort("card"))


def test_a_ring_is_no_witness_of_itself() -> None:
    """A card that only in_ring hits is not at risk for links, where the rule counts too."""
    cards = pl.DataFrame({"card": [1, 2, 3], "confirmed": False})
    tripped = pl.DataFrame({"card": [1, 2], "rules": ["in_ring,outlet_ring", "fan_out,in_ring"]})
    counting = policy_named("national").counting(["in_ring", "outlet_ring"])
    assert building._at_risk(cards, tripped, counting).to_list() == [False, True, False]


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("data/cards.parquet", "is there already"),
        ("data/rings.csv", "a table in Parquet is written"),
        ("data/outlet_batches.parquet", "name it rings.parquet"),
        ("nowhere/rings.parquet", "there is no folder"),
        ("store/rings.parquet", "store"),
    ],
)
def test_where_rings_cannot_be_delivered_nothing_is_lost(built: Path, name: str, says: str) -> None:
    there = (built / name).read_bytes() if (built / name).exists() else None
    typed = duanka(
        *("--language", "en", "links", "build", built / "store", "--out", built / "other"),
        *("--deliver", built / name),
    )
    assert typed.code == 2
    assert says in typed.err
    assert not (built / "other").exists(), "before anything is built"
    assert there is None or (built / name).read_bytes() == there
