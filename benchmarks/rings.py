"""How much of a gang is found from one of its cards, by how careful it is: the table of docs/DETECTION.md.

Of each level 1 to 5 of the simulator's adversary (docs/WORLDS.md) a world with four gangs of 200 cards is invented,
three of ten members bridged to honest cards, taken into a store, and its graph built. From each of twenty cards of each
gang that were used, as the police might confirm one, the ring is grown. `found`: share of the gang, cards in the drawer
and people included; `strangers`: honest cards in the ring, `above 0.5`: their number with so much certainty. R11: from
one device.

    python benchmarks/rings.py [--cards 50000] [--days 30] [--seed 11] [--levels 1 2 3 4 5] [--keep FOLDER]
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import polars as pl

from duanka.bootstrap.links.asking import ring_of
from duanka.bootstrap.links.building import Built, build, load_built
from duanka.bootstrap.policies import policy_named
from duanka.bootstrap.settings import Settings
from duanka.domain.ports import Silent
from duanka.domain.ring_lookups import SeedName
from duanka.domain.rings import PEOPLE, RingRole
from duanka.links.graph.stored import holds_graph
from duanka.simulator import RingOptions, simulate

_SEEDS = 20  # cards of each gang
_NOT_SEEN = [
    RingRole.STOCK.value,
    *(role.value for role in PEOPLE),
]  # roles of no card that is confirmed first


def graph_of(folder: Path, options: RingOptions, asked: argparse.Namespace) -> Built:
    """The graph of an invented world; `folder` keeps both."""
    world, links = folder / "world", folder / "links"
    if not (world / "truth.parquet").exists():
        simulate(world, cards=asked.cards, days=asked.days, seed=asked.seed, rings=options)
    if not holds_graph(links):
        build(Settings(work=folder), world, links, policy_named("national"), None, Silent())
    return load_built(links)


def seeds_of(truth: pl.DataFrame, world: Path, level: int) -> Iterator[tuple[str, SeedName]]:
    """Each gang with the seeds to try."""
    if level == 0:
        devices = pl.read_parquet(world / "truth_devices.parquet").filter(pl.col("gang") == "R11")
        yield "R11", SeedName("device", str(devices["imei"][0])[:14])
        return
    added = truth.filter(pl.col("gang").str.starts_with(f"L{level}-"))
    for (gang,), cards in added.group_by("gang", maintain_order=True):
        used = cards.filter(~pl.col("role").is_in(_NOT_SEEN))["card"]
        for card in used.gather_every(max(1, len(used) // _SEEDS))[:_SEEDS]:
            yield str(gang), SeedName("card", card)


def measured(folder: Path, level: int, asked: argparse.Namespace) -> dict[str, object]:
    """One row of the table; level 0: the gang of R11."""
    options = RingOptions(gangs="r11") if level == 0 else RingOptions(adversary=level, bridged=0.3)
    built, settings = graph_of(folder, options, asked), Settings(work=folder)
    truth = pl.read_parquet(folder / "world" / "truth.parquet")
    rows = list[dict[str, float]]()
    for gang, seed in seeds_of(truth, folder / "world", level):
        ring = ring_of(settings, built, seed).cards.select("card", "certainty", said="role")
        found = ring.join(truth, on="card")
        own = found.filter(pl.col("gang") == gang)
        strangers = found.filter(~pl.col("fraud"))
        people = own.filter(pl.col("role").is_in(["operator", "minder"]))
        rows.append(
            {
                "found": own.height / truth.filter(pl.col("gang") == gang).height,
                "strangers": strangers.height / max(ring.height, 1),
                "sure": strangers.filter(pl.col("certainty") > 0.5).height,
                "people": float((people["said"] == people["role"]).mean() or 0.0),  # type: ignore[arg-type]
            }
        )
    table = pl.DataFrame(rows)
    return {
        "level": "R11" if level == 0 else level,
        "seeds": table.height,
        "found": table["found"].mean(),
        "least": table["found"].min(),
        "strangers": table["strangers"].mean(),
        "above 0.5": int(table["sure"].sum()),
        "people named rightly": table["people"].mean(),
    }


def main() -> None:
    """Print the table in Markdown."""
    given = argparse.ArgumentParser(description=__doc__)
    given.add_argument("--cards", type=int, default=50_000)
    given.add_argument("--days", type=int, default=30)
    given.add_argument("--seed", type=int, default=11)
    given.add_argument("--levels", type=int, nargs="*", default=[0, 1, 2, 3, 4, 5])
    given.add_argument("--keep", type=Path)
    asked = given.parse_args()
    with nullcontext(asked.keep) if asked.keep else tempfile.TemporaryDirectory(dir=".") as top:
        for place, level in enumerate(asked.levels):
            row = measured(Path(top) / f"level-{level}-{asked.seed}", level, asked)
            if place == 0:
                print("| " + " | ".join(row) + " |\n|" + "---|" * len(row))
            cells = (f"{cell:.3f}" if isinstance(cell, float) else str(cell) for cell in row.values())
            print("| " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
