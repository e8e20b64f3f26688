"""What is true of rings: cards with site and batch, devices, stalls."""

from __future__ import annotations

import numpy as np
import polars as pl

from duanka.simulator.chance import Ints, generator
from duanka.simulator.look_alikes import LookAlikes
from duanka.simulator.province import Places
from duanka.simulator.register import outlet_names
from duanka.simulator.rings.boxes import PER_CARD, PER_PORT, BoxSchedule, imeis_of, own_imeis
from duanka.simulator.rings.bridges import KINDS
from duanka.simulator.rings.serials import check_digits, draw_serials
from duanka.simulator.rings.settlement import Rings
from duanka.simulator.traits import Traits

DEVICE_KINDS = ("box", "port", "card")


def ring_columns(rings: Rings, others: LookAlikes, numbers: Ints) -> pl.DataFrame:
    """Return card, site, box, batch, bridge, group of all cards; empty where a card has none.

    box: where the card sat on the first day of its use.
    """
    count, site = len(numbers), list[str | None]([None])
    where, bridge = np.zeros(count, dtype=np.int64), np.zeros(count, dtype=np.int64)
    batch, box = np.full(count, -1), np.full(count, -1)
    batches = 0
    for gang in rings.gangs:
        where[gang.cards] = len(site) + gang.site
        where[gang.crew.people.minders] = len(site) + gang.crew.people.minder_site
        site += [site_name(gang.name, k) for k in range(len(gang.crew.site_county))]
        batch[gang.opened.card] = batches + gang.opened.batch
        batches += int(gang.opened.batch.max()) + 1
        bridge[gang.bridges.card] = 1 + gang.bridges.kind
    box[rings.boxes.card] = rings.boxes.box
    return pl.DataFrame(
        {
            "card": pl.Series(numbers).cast(pl.String),
            "site": pl.Series(site, dtype=pl.String).gather(where),
            "box": _number(box),
            "batch": _number(batch),
            "bridge": pl.Series([None, *KINDS], dtype=pl.String).gather(bridge),
            "group": others.group_names(count),
        }
    )


def site_name(gang: str, site: int) -> str:
    """Return the name of a gang's site, counted from 0: R11-A, R11-B."""
    return f"{gang}-{'ABCDEFGH'[site]}"


def _number(values: Ints) -> pl.Series:
    return pl.Series(values).set(pl.Series(values < 0), None)


def devices_table(rings: Rings, traits: Traits, places: Places) -> pl.DataFrame:
    """Return imei (15 digits), gang, site, kind, box, city, cell of every IMEI that the boxes show.

    kind: box, port or card (an IMEI that goes with the card; its site is the first one).
    """
    frames = []
    boxes = rings.boxes
    for gang in rings.gangs:
        crew = gang.crew
        if gang.imei_per == PER_CARD:
            own = np.isin(boxes.card, crew.boxed)
            box, imei = boxes.box[own], own_imeis(traits, boxes.card[own])
        else:
            box, imei = _fixed(boxes, crew.first_box + np.arange(len(crew.site_of_box)), gang.imei_per)
        site = crew.site_of_box[box - crew.first_box]
        county = crew.site_county[site]
        frames.append(
            pl.DataFrame(
                {
                    "imei": pl.Series(imei).cast(pl.String),
                    "gang": gang.name,
                    "site": pl.Series([site_name(gang.name, int(k)) for k in site]),
                    "kind": DEVICE_KINDS[gang.imei_per],
                    "box": box,
                    "city": places.codes.gather(county),
                    "cell": places.cell_names.gather(places.first_cell[county] + crew.site_cell[site]),
                }
            )
        )
    return pl.concat(frames).sort("imei")


def _fixed(boxes: BoxSchedule, box: Ints, imei_per: int) -> tuple[Ints, Ints]:
    """Return box and IMEI of every device or port of the boxes `box`."""
    first, ports = np.zeros((2, len(boxes.box_county)), dtype=np.int64)
    first[boxes.box], ports[boxes.box] = boxes.first_box, boxes.ports
    block = ports[box] if imei_per == PER_PORT else np.ones(len(box), dtype=np.int64)
    place = np.concatenate([np.arange(n) for n in block])
    each = np.repeat(box, block)
    return each, imeis_of(first[each], (each - first[each]) * np.repeat(block, block) + place)


def stalls_table(rings: Rings, traits: Traits, gang_names: list[str]) -> pl.DataFrame:
    """Return outlet, gang, cards: the gangs' stalls, and how many of their cards each opened.

    Only outlets that opened a batch for a gang with a ring, or at least five cards for another, are stalls of a gang.
    """
    frames = [
        pl.DataFrame({"outlet": traits.outlet[gang.opened.card], "gang": gang.name})
        for gang in rings.gangs
        if len(gang.stalls)
    ]
    mine = np.flatnonzero(traits.gang >= 0)
    names = pl.Series(gang_names, dtype=pl.String).gather(traits.gang[mine])
    known = {gang.name for gang in rings.gangs}
    others = pl.DataFrame({"outlet": traits.outlet[mine], "gang": names})
    table = pl.concat([*frames, others.filter(~pl.col("gang").is_in(known))])
    counted = table.group_by("outlet", "gang").agg(cards=pl.len()).sort("outlet", "gang")
    counted = counted.filter(pl.col("gang").is_in(known) | (pl.col("cards") >= 5))
    return counted.with_columns(outlet_names(counted["outlet"].to_numpy()).alias("outlet"))


def ring_serials(rings: Rings, others: LookAlikes, traits: Traits, start_year: int, seed: int) -> pl.Series:
    """Return the ICCID of every card, 20 digits: neighbours of a delivery have consecutive numbers before the last."""
    bulk = np.zeros(traits.count, dtype=np.bool_)
    for gang in rings.gangs:
        bulk[gang.opened.card] = not gang.crew.care.people_like
    bulk[others.bulk] = True
    nineteen = draw_serials(traits, bulk, start_year, generator(seed, 34))
    return pl.Series(nineteen).cast(pl.String) + pl.Series(check_digits(nineteen)).cast(pl.String)


def ring_tables(
    rings: Rings, others: LookAlikes, numbers: Ints, gang_names: list[str], truth: pl.DataFrame
) -> dict[str, pl.DataFrame]:
    """Return the truth with more columns, and the truths of devices and outlets."""
    more, ground = ring_columns(rings, others, numbers), others.ground
    return {
        "truth": truth.join(more, on="card", how="left", maintain_order="left"),
        "truth_devices": devices_table(rings, ground.traits, ground.places),
        "truth_honest_devices": others.devices(),
        "truth_outlets": stalls_table(rings, ground.traits, gang_names),
    }
