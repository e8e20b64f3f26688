"""What is true of rings: cards with site and batch, devices, stalls."""

from __future__ import annotations

import numpy as np
import polars as pl

from duanka.simulator.chance import Ints, generator
from duanka.simulator.province import Places
from duanka.simulator.register import outlet_names
from duanka.simulator.rings.boxes import PER_PORT, BoxSchedule, imeis_of
from duanka.simulator.rings.serials import check_digits, draw_serials
from duanka.simulator.rings.settlement import Rings
from duanka.simulator.traits import Traits


def ring_columns(rings: Rings, count: int, numbers: Ints) -> pl.DataFrame:
    """Return card, site, box, batch of all `count` cards; empty where a card has none.

    box: where the card sat on the first day of its use.
    """
    site: list[str | None] = [None]
    where, batch, box = np.zeros(count, dtype=np.int64), np.full(count, -1), np.full(count, -1)
    batches = 0
    for gang in rings.gangs:
        where[gang.cards] = len(site) + gang.site
        where[gang.crew.people.minders] = len(site) + gang.crew.people.minder_site
        site += [site_name(gang.name, k) for k in range(len(gang.crew.site_county))]
        batch[gang.opened.card] = batches + gang.opened.batch
        batches += int(gang.opened.batch.max()) + 1
    box[rings.boxes.card] = rings.boxes.box
    return pl.DataFrame(
        {
            "card": pl.Series(numbers).cast(pl.String),
            "site": pl.Series(site, dtype=pl.String).gather(where),
            "box": _number(box),
            "batch": _number(batch),
        }
    )


def site_name(gang: str, site: int) -> str:
    """Return the name of a gang's site, counted from 0: R11-A, R11-B."""
    return f"{gang}-{'ABCDEFGH'[site]}"


def _number(values: Ints) -> pl.Series:
    return pl.Series(values).set(pl.Series(values < 0), None)


def devices_table(rings: Rings, places: Places) -> pl.DataFrame:
    """Return imei (15 digits), gang, site, kind, box, city, cell of every IMEI that the boxes show."""
    frames = []
    for gang in rings.gangs:
        crew = gang.crew
        box = crew.first_box + np.arange(len(crew.site_of_box))
        place = np.zeros(len(box), dtype=np.int64)
        block = _ports(rings.boxes, box) if rings.imei_per == PER_PORT else place + 1
        box, place = np.repeat(box, block), np.concatenate([np.arange(n) for n in block])
        site = crew.site_of_box[box - crew.first_box]
        first = crew.first_box + np.searchsorted(crew.site_of_box, site)
        place += (box - first) * np.repeat(block, block)
        county = crew.site_county[site]
        frames.append(
            pl.DataFrame(
                {
                    "imei": pl.Series(imeis_of(first, place)).cast(pl.String),
                    "gang": gang.name,
                    "site": pl.Series([site_name(gang.name, int(k)) for k in site]),
                    "kind": "port" if rings.imei_per == PER_PORT else "box",
                    "box": box,
                    "city": places.codes.gather(county),
                    "cell": places.cell_names.gather(places.first_cell[county] + crew.site_cell[site]),
                }
            )
        )
    return pl.concat(frames).sort("imei")


def _ports(boxes: BoxSchedule, box: Ints) -> Ints:
    ports = np.zeros(len(boxes.box_county), dtype=np.int64)
    np.maximum.at(ports, boxes.box, boxes.ports)
    return ports[box]


def stalls_table(rings: Rings, traits: Traits, gang_names: list[str]) -> pl.DataFrame:
    """Return outlet, gang, cards: the gangs' stalls, and how many of their cards each opened.

    Only outlets that opened a batch for a gang with a ring, or at least five cards for another, are stalls of a gang.
    """
    frames = [
        pl.DataFrame({"outlet": traits.outlet[gang.opened.card], "gang": gang.name}) for gang in rings.gangs
    ]
    mine = np.flatnonzero(traits.gang >= 0)
    names = pl.Series(gang_names, dtype=pl.String).gather(traits.gang[mine])
    known = {gang.name for gang in rings.gangs}
    others = pl.DataFrame({"outlet": traits.outlet[mine], "gang": names})
    table = pl.concat([*frames, others.filter(~pl.col("gang").is_in(known))])
    counted = table.group_by("outlet", "gang").agg(cards=pl.len()).sort("outlet", "gang")
    counted = counted.filter(pl.col("gang").is_in(known) | (pl.col("cards") >= 5))
    return counted.with_columns(outlet_names(counted["outlet"].to_numpy()).alias("outlet"))


def ring_serials(rings: Rings, traits: Traits, start_year: int, seed: int) -> pl.Series:
    """Return the ICCID of every card, 20 digits: neighbours of a delivery have consecutive numbers before the last."""
    bulk = np.zeros(traits.count, dtype=np.bool_)
    for gang in rings.gangs:
        bulk[gang.opened.card] = True
    nineteen = draw_serials(traits, bulk, start_year, generator(seed, 34))
    return pl.Series(nineteen).cast(pl.String) + pl.Series(check_digits(nineteen)).cast(pl.String)


def ring_tables(
    rings: Rings, traits: Traits, numbers: Ints, places: Places, gang_names: list[str], truth: pl.DataFrame
) -> dict[str, pl.DataFrame]:
    """Return the truth with more columns, and the truths of devices and outlets."""
    more = ring_columns(rings, traits.count, numbers)
    return {
        "truth": truth.join(more, on="card", how="left", maintain_order="left"),
        "truth_devices": devices_table(rings, places),
        "truth_outlets": stalls_table(rings, traits, gang_names),
    }
