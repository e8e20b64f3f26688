"""From a seized device to the rest of a ring, as a person types it: the R11 gang among honest look-alikes."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

from duanka.simulator import RingOptions, simulate
from support.desk import duanka

DAYS, CARDS = 12, 8_000


@pytest.fixture(scope="module")
def province(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small province with the gang of the R11 case."""
    folder = tmp_path_factory.mktemp("province") / "records"
    simulate(folder, cards=CARDS, days=DAYS, seed=3, rings=RingOptions(gangs="r11"))
    return folder


@pytest.fixture(scope="module")
def graph(province: Path) -> Path:
    """Its graph, built of the records in one go."""
    folder, upheld = province.parent / "links", province.parent / "upheld.csv"
    upheld.write_text(f"card\n{wronged(province)}\n")
    typed = duanka("--language", "en", "links", "build", province, "--out", folder, "--upheld", upheld)
    assert typed.code == 0, typed.err
    assert "in turn in one device" in typed.out
    return folder


def read(folder: Path, file: str) -> pl.DataFrame:
    return pl.read_csv(
        folder / file, schema_overrides={"card": pl.String, "imei": pl.String, "outlet": pl.String}
    )


def wronged(province: Path) -> str:
    """A card in a box about which an objection was upheld."""
    boxed = truth(province, "truth").filter(pl.col("role") == "box_card")
    return str(boxed["card"][-1])


def truth(province: Path, table: str) -> pl.DataFrame:
    return pl.read_parquet(province / f"{table}.parquet").filter(pl.col("gang") == "R11")


@pytest.mark.requirement("R11")
def test_from_one_device_to_boxes_cards_people_and_stalls(
    province: Path, graph: Path, tmp_path: Path
) -> None:
    devices = truth(province, "truth_devices")
    seized = devices["imei"][0]
    typed = duanka("--language", "en", "links", "around", graph, "--imei", seized, "--out", tmp_path / "ring")
    assert typed.code == 0, typed.err
    assert f"From {seized[:14]}: " in typed.out

    ring, gang = read(tmp_path / "ring", "ring.csv"), truth(province, "truth")
    found = gang.join(ring.select("card", "certainty", said="role"), on="card", how="left")
    shops = pl.read_parquet(province / "cards.parquet").select("card", "outlet")
    things = found.join(shops, on="card").filter(pl.col("role").is_in(["box_card", "stock"]))
    used = (
        things.filter(pl.col("role") == "box_card")
        .group_by("outlet")
        .len()
        .filter(pl.col("len") > 1)["outlet"]
    )
    # a drawer filled at a stall of which hardly a card was ever used: nothing leads there
    things = things.filter(pl.col("outlet").is_in(used.implode()))
    assert things["said"].is_not_null().mean() >= 0.95  # type: ignore[operator]
    assert (things["said"] == things["role"]).mean() >= 0.95  # type: ignore[operator]
    assert things.filter(pl.col("role") == "stock")["said"].is_not_null().mean() >= 0.95  # type: ignore[operator]
    minders = found.filter((pl.col("role") == "minder") & pl.col("said").is_not_null())
    assert set(minders["said"]) == {"minder"}
    assert wronged(province) not in ring["card"]
    strangers = ring.join(gang, on="card", how="anti")
    assert strangers.filter(pl.col("certainty") > 0.5).height <= 0.02 * ring.height

    named = read(tmp_path / "ring", "devices.csv")
    assert set(named["imei"]) == {imei[:14] for imei in devices["imei"]}
    assert set(named["role"]) == {"box"}
    assert named["site"].n_unique() == devices["site"].n_unique() == 2
    stalls = set(truth(province, "truth_outlets")["outlet"])
    assert set(read(tmp_path / "ring", "outlets.csv")["outlet"]) <= stalls
    assert (tmp_path / "ring" / "ring.csv").stat().st_mode & 0o077 == 0


def test_the_ring_is_among_those_worth_a_look_and_honest_groups_are_not(province: Path, graph: Path) -> None:
    told = json.loads((graph / "links.json").read_text())
    communities = pl.read_parquet(graph / str(told["number"]) / "communities.parquet")
    typed = duanka("--language", "en", "links", "rings", graph, "--rows", "99")
    assert typed.code == 0, typed.err
    listed = [line.split()[0] for line in typed.out.splitlines() if line.startswith("R")]
    fraud = pl.read_parquet(province / "truth.parquet").filter("fraud").select(pl.col("card").cast(pl.Int64))
    for ring in listed:
        cards = communities.filter(pl.col("ring") == ring)
        assert cards.join(fraud, on="card").height >= 0.95 * cards.height, ring
    largest = communities.filter(pl.col("ring") == listed[0])["card"].cast(pl.String)
    assert largest.is_in(truth(province, "truth")["card"].implode()).all()
    around = duanka("--language", "en", "links", "around", graph, "--ring", listed[0])
    assert around.code == 0, around.err
    assert "minder" in around.out


def test_only_the_gangs_shops_stand_out(province: Path, graph: Path) -> None:
    typed = duanka("--language", "en", "links", "outlets", graph)
    assert typed.code == 0, typed.err
    named = {line.split()[0] for line in typed.out.splitlines() if line.startswith("S0")}
    assert named
    assert named <= set(pl.read_parquet(province / "truth_outlets.parquet")["outlet"])


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ((), "give one of --imei, --card, --outlet and --ring"),
        (("--card", "8613800000000", "--imei", "1"), "give one of"),
        (("--card", "8613800000000"), "card 8613800000000 is in none of these records"),
        (("--imei", "35693803564380"), "no two cards of these records took turns in device 35693803564380"),
        (("--outlet", "S999999"), "outlet S999999 opened no cards in bulk"),
        (("--ring", "R99999"), "there is no ring R99999"),
    ],
)
def test_what_cannot_be_found_is_said(graph: Path, asked: tuple[str, ...], said: str) -> None:
    typed = duanka("--language", "en", "links", "around", graph, *asked)
    assert typed.code == 2
    assert said in " ".join(typed.err.split())


def test_where_files_may_not_be_written(province: Path, graph: Path, tmp_path: Path) -> None:
    seized = truth(province, "truth_devices")["imei"][0]
    inside = duanka("--language", "en", "links", "around", graph, "--imei", seized, "--out", graph / "ring")
    assert inside.code == 2
    assert "lies inside" in inside.err
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "one.txt").write_text("mine")
    other = duanka("--language", "en", "links", "build", province, "--out", tmp_path / "letters")
    assert other.code == 2
    assert "holds no graph" in other.err
    assert (tmp_path / "letters" / "one.txt").read_text() == "mine"
