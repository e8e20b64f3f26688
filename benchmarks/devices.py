"""What devices of many cards are said to be, by what they are: the table of docs/DETECTION.md.

Two worlds are invented, taken into a store, and their graphs built: the gang of R11 with boxes of one IMEI each and
careful gangs of level 2; and with an IMEI for each port, careful gangs of level 3, and three of ten members bridged to
honest cards. What a device is say the truths of devices; of those that are in neither, the role of most of its cards.

    python benchmarks/devices.py [--cards 50000] [--days 30] [--seed 77] [--keep FOLDER]
"""

from __future__ import annotations

import argparse
import tempfile
from contextlib import nullcontext
from pathlib import Path

import polars as pl
from rings import graph_of

from duanka.bootstrap.links.building import Built
from duanka.domain.rings import DeviceRole
from duanka.links.devices import judged_devices
from duanka.simulator import RingOptions

_WORLDS = (
    RingOptions(gangs="r11", adversary=2),
    RingOptions(gangs="r11", imei_per="port", adversary=3, bridged=0.3),
)
_DIGITS, _HALF = 14, 0.5
_RECORDS = ("calls", "messages", "sightings")


def what_it_is(world: Path, built: Built) -> pl.DataFrame:
    """device, kind: of every device that the graph knows more of than that two cards sat in it."""
    gangs = pl.read_parquet(world / "truth_devices.parquet").select("imei", kind=pl.lit("gang's box"))
    honest = pl.read_parquet(world / "truth_honest_devices.parquet").select("imei", "kind")
    known = (
        pl.concat([gangs, honest]).with_columns(device=pl.col("imei").str.slice(0, _DIGITS)).unique("device")
    )
    seen = [pl.scan_parquet(world / table / "*.parquet").select("card", "imei") for table in _RECORDS]
    sat = (
        pl.concat(seen)
        .drop_nulls()
        .unique()
        .collect()
        .with_columns(device=pl.col("imei").str.slice(0, _DIGITS))
    )
    truth = pl.read_parquet(world / "truth.parquet").select("card", "role", "fraud")
    of_cards = (
        sat.join(truth, on="card")
        .group_by("device")
        .agg(
            pl.when(pl.col("fraud").mean() >= _HALF)
            .then(pl.col("role").filter("fraud").mode().sort().first())
            .otherwise(pl.lit("others' phones"))
            .alias("by_cards")
        )
    )
    found = built.graph.devices.select("device").join(known, on="device", how="left")
    return found.join(of_cards, on="device", how="left").select(
        "device", pl.coalesce("kind", "by_cards").alias("kind")
    )


def main() -> None:
    """Print the table in Markdown."""
    given = argparse.ArgumentParser(description=__doc__)
    given.add_argument("--cards", type=int, default=50_000)
    given.add_argument("--days", type=int, default=30)
    given.add_argument("--seed", type=int, default=77)
    given.add_argument("--keep", type=Path)
    asked = given.parse_args()
    said = list[pl.DataFrame]()
    with nullcontext(asked.keep) if asked.keep else tempfile.TemporaryDirectory(dir=".") as top:
        for place, options in enumerate(_WORLDS):
            folder = Path(top) / f"devices-{place}-{asked.seed}"
            built = graph_of(folder, options, asked)
            judged = judged_devices(built.graph.devices).select("device", "role")
            said.append(what_it_is(folder / "world", built).join(judged, on="device"))
    roles = [role.value for role in DeviceRole]
    counts = (
        pl.concat(said).group_by("kind").agg(*((pl.col("role") == role).sum().alias(role) for role in roles))
    )
    print("| | " + " | ".join(roles) + " |\n|---|" + "---:|" * len(roles))
    for kind, *numbers in counts.sort("kind").iter_rows():
        print(f"| {kind} | " + " | ".join(map(str, numbers)) + " |")


if __name__ == "__main__":
    main()
