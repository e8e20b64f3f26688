"""The graph of cards at 10 M edges: weighed, pruned and divided; the sweep; a night's new edges; a ring from a seed.

The evidence is invented, not simulated: three million cards; contacts within circles, documents of families,
second-hand phones, shops, cards that begin their day in one minute by chance, and 60 gangs, the largest of 13,000 cards
in 15 boxes. Each step runs in a process of its own. Goals are CPU seconds on one thread, the seed's by the clock.

    python benchmarks/links.py [--cards 3000000]
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path

import numpy as np
import polars as pl

from duanka.domain.rings import LinkKind
from duanka.links.graph.contacts import changed_contacts
from duanka.links.graph.evidence import LinkEvidence
from duanka.links.graph.graph import LinkGraph, build_graph, put_together
from duanka.links.graph.groups import all_groups
from duanka.links.graph.stored import Divisions, GraphPeriod, KeptRings, begun, load, load_rings, save
from duanka.links.ring.communities import communities
from duanka.links.ring.growth import KnownCards
from duanka.links.ring.register import MEMBERS, TABLE
from duanka.links.ring.ring import Seed, ring_around

GOALS = {"weigh, prune, divide": 40.0, "sweep": 200.0, "add, divide": 2.0, "seed": 1.0, "peak GB": 4.0}
NEW_CARDS, NEW_CONTACTS, NEW_PHONES = 10_000, 70_000, 15_000  # of a night: 100,000 edges
GANGS, LARGEST, BOXES = 60, 13_000, 15
_DAY = 86_400
_NUMBERS = ("card", "run", "last", "devices", "of_type", "around", "events", "pairs", "together")
_RUNS = {**dict.fromkeys(_NUMBERS, pl.Int64), "type": pl.String}
_PERIOD = GraphPeriod(date(2021, 5, 3), date(2021, 6, 1), 1, "Asia/Shanghai")


def invented(cards: int, seed: int = 7) -> LinkEvidence:
    """Evidence with about 3.4 edges a card."""
    rng = np.random.default_rng(seed)
    sizes = np.maximum(LARGEST // np.arange(1, GANGS + 1), 40)
    gang = np.full(cards, -1)
    members = rng.permutation(cards)[: sizes.sum()]
    gang[members] = np.repeat(np.arange(GANGS), sizes)
    honest = np.flatnonzero(gang < 0)
    return LinkEvidence(
        cards=_cards(cards, gang, rng),
        devices=_devices(gang, honest, rng),
        runs=pl.DataFrame(schema=_RUNS),
        agreement=pl.DataFrame(schema={"imei": pl.Int64, "pairs": pl.Int64, "together": pl.Int64}),
        switched=_switched(gang, honest, rng),
        contacts=_contacts(honest, rng),
        lists=pl.DataFrame(schema={"card": pl.Int64, "callee": pl.Int64}),
        accounts=pl.DataFrame(schema={"card": pl.Int64, "account": pl.String}),
    )


def _cards(cards: int, gang: np.ndarray, rng: np.random.Generator) -> pl.DataFrame:
    fraud = gang >= 0
    opened = rng.integers(0, 1_000 * _DAY, cards)
    outlet = rng.integers(0, cards // 500, cards)
    order = np.argsort(gang, kind="stable")[
        (~fraud).sum() :
    ]  # the gangs' cards: batches of 40 at their stalls
    batch = np.arange(len(order)) // 40
    outlet[order] = gang[order] * 3 + batch % 3
    opened[order] = (batch * 7_919 % 900) * _DAY + 36_000 + np.arange(len(order)) % 40 * 120
    family = rng.random(cards) < 0.25
    holder = np.where(family, np.arange(cards) // 3, np.arange(cards) + cards)
    use = {
        "calls_in": np.where(fraud, 0, 60),
        "regular": np.where(fraud, 0, 12),
        "peers": np.where(fraud, 300, 40),
    }
    day = pl.Series(opened * 1_000_000).cast(pl.Datetime("us"))
    return pl.DataFrame(
        {
            "card": np.arange(cards) + 8613000000000,
            "holder": pl.Series(holder).cast(pl.String),
            "outlet": pl.Series(outlet).cast(pl.String),
            "opened_at": day,
            "calls_out": np.full(cards, 60),
            **use,
            "callees": np.full(cards, 20),
            "days": np.full(cards, 20),
            "confirmed": fraud & (rng.random(cards) < 0.01),
            "at_risk": fraud,
            "disowned": np.zeros(cards, dtype=np.bool_),
            "upheld": np.zeros(cards, dtype=np.bool_),
        }
    ).with_columns(
        name=pl.col("card").cast(pl.String),
        organisation=pl.lit(value=False),
        iccid=pl.lit(None, dtype=pl.String),
        iot=pl.lit(value=False),
        outlet_city=(pl.col("outlet").cast(pl.Int64) % 100 + 990_100).cast(pl.String),
        outlet_name=pl.lit(None, dtype=pl.String),
        city=pl.lit("990101"),
        home_city=pl.lit("990101"),
        cell=pl.lit(1, dtype=pl.Int64),
        strangers=pl.lit(0, dtype=pl.Int64),
        codes_in=pl.lit(0, dtype=pl.Int64),
        messages_out=pl.lit(0, dtype=pl.Int64),
        first_used=pl.lit(datetime(2021, 5, 3)),
        last_used=pl.lit(datetime(2021, 6, 1)),
    )


def _devices(gang: np.ndarray, honest: np.ndarray, rng: np.random.Generator) -> pl.DataFrame:
    handed = rng.permutation(honest)[: len(honest) // 4 // 2 * 2]
    fraud = np.flatnonzero(gang >= 0)
    box = gang[fraud] * BOXES + rng.integers(0, BOXES, len(fraud))
    card, imei = np.concatenate([handed, fraud]), np.concatenate([np.arange(len(handed)) // 2 + 10_000, box])
    text = pl.Series(imei).cast(pl.String).str.zfill(14)
    return pl.DataFrame({"card": card + 8613000000000, "imei": imei, "device": text}).with_columns(
        events=pl.lit(30, dtype=pl.Int64)
    )


def _switched(gang: np.ndarray, honest: np.ndarray, rng: np.random.Generator) -> pl.DataFrame:
    """The largest gang's boxes every day; and threes of honest cards that happen to begin in one minute."""
    boxed = np.flatnonzero(gang == 0)
    together = [(boxed, day, np.full(len(boxed), 60), 0.5, boxed % BOXES) for day in range(30)]
    by_chance = rng.permutation(honest)[:600_000]
    rows = [
        pl.DataFrame(
            {
                "card": card + 8613000000000,
                "place": place,
                "minute": np.full(len(card), 1_440 * day),
                "cards": many,
            }
        ).with_columns(usual=pl.lit(usual))
        for card, day, many, usual, place in together
    ]
    threes = np.arange(len(by_chance)) // 3
    rows.append(
        pl.DataFrame(
            {"card": by_chance + 8613000000000, "place": threes + 100, "minute": threes % 40_000}
        ).with_columns(cards=pl.lit(3, dtype=pl.Int64), usual=pl.lit(0.05))
    )
    found = pl.concat(rows)
    return found.with_columns(
        switched_on=pl.lit(value=True),
        cell=pl.col("place").cast(pl.String),
        present=pl.lit(1_000, dtype=pl.Int64),
        moments=pl.lit(2, dtype=pl.Int64),
    )


def _contacts(honest: np.ndarray, rng: np.random.Generator) -> pl.DataFrame:
    """Circles of neighbours in a ring of people, half of the contacts far away."""
    one = np.repeat(honest, 1)
    near = honest[(np.arange(len(honest)) + rng.integers(1, 9, len(honest))) % len(honest)]
    pairs = np.concatenate([np.stack([one, near]), np.stack([one, rng.permutation(honest)])], axis=1)
    pairs = np.concatenate([pairs, pairs[::-1]], axis=1) + 8613000000000
    calls = pl.lit(5, dtype=pl.Int64)
    found = pl.DataFrame({"card": pairs[0], "peer": pairs[1]}).sort(
        "card", "peer"
    )  # as the engine gives them
    return found.with_columns(days=calls, out=calls, inward=calls, regular=pl.lit(value=True))


def weigh(folder: Path, cards: int) -> dict[str, float]:
    """Weigh, prune and divide at a given resolution; keep the graph."""
    evidence = invented(cards)
    begin = time.process_time()
    graph = build_graph(evidence)
    weighed = time.process_time()
    found = communities(graph, 0.1)
    done = time.process_time()
    _save(graph, {}, folder)
    return {
        "given edges": sum(map(len, (evidence.devices, evidence.switched, evidence.contacts))) + 2.0 * cards,
        "edges": graph.edges,
        "weigh, prune, divide": done - begin,
        "of it dividing": done - weighed,
        "communities": int(found.of_card.max()) + 1,
    }


def sweep(folder: Path, _: int) -> dict[str, float]:
    """Find the most stable resolution."""
    graph, _period = load(folder)
    begin = time.process_time()
    found = communities(graph)
    done = time.process_time()
    _save(graph, found.divisions, folder)
    return {"sweep": done - begin, "resolution": found.resolution}


def night(folder: Path, cards: int) -> dict[str, float]:
    """Add the evidence of a night to the kept graph, divide what it changed, and keep it."""
    evidence = _with_a_night(invented(cards))
    graph, _period = load(folder)
    begin = time.process_time()
    contacts = changed_contacts(graph.contacts, graph.cards, evidence)
    put_in = time.process_time()
    groups = list(all_groups(evidence, contacts))
    weighed = time.process_time()
    added = put_together(evidence, contacts, groups)
    built = time.process_time()
    found = communities(added, before=load_rings(folder).divisions)
    done = time.process_time()
    _save(added, found.divisions, folder)
    return {
        "new edges": added.edges - graph.edges,
        "weigh all memberships": weighed - put_in,
        "add, divide": done - weighed + put_in - begin,
        "of it dividing": done - built,
        "write": time.process_time() - done,
    }


def _with_a_night(evidence: LinkEvidence) -> LinkEvidence:
    """The same with new cards, and phones handed on; of contacts the new ones alone."""
    rng, height = np.random.default_rng(8), evidence.cards.height
    last = int(evidence.cards["card"][-1])
    new = evidence.cards.tail(NEW_CARDS).with_columns(
        card=pl.int_range(last + 1, last + 1 + NEW_CARDS), holder=None, outlet=None, at_risk=False
    )
    cards = pl.concat([evidence.cards, new.cast(evidence.cards.schema)])
    card, peer = rng.integers(0, height + NEW_CARDS, (2, NEW_CONTACTS)) + 8613000000000
    called = pl.lit(2, dtype=pl.Int64)
    contacts = pl.DataFrame({"card": card, "peer": peer}).unique(maintain_order=True)
    imei = np.arange(NEW_PHONES * 2) // 2 + 80_000_000_000_000
    seen = rng.choice(height, NEW_PHONES * 2, replace=False) + 8613000000000
    phones = pl.DataFrame({"card": seen, "imei": imei, "device": pl.Series(imei).cast(pl.String)})
    devices = phones.with_columns(events=pl.lit(30, dtype=pl.Int64)).select(evidence.devices.columns)
    return replace(
        evidence,
        cards=cards,
        contacts=contacts.with_columns(days=called, out=called, inward=called, regular=pl.lit(value=True)),
        devices=pl.concat([evidence.devices, devices]),
    )


def _save(graph: LinkGraph, divisions: Divisions, folder: Path) -> None:
    rings = KeptRings(pl.DataFrame(schema=MEMBERS), pl.DataFrame(schema=TABLE), divisions)
    with begun(folder) as new:
        save(graph, rings, _PERIOD, new)


def seed(folder: Path, _: int) -> dict[str, float]:
    """Open the graph and grow the ring of one box of the largest gang."""
    begin = time.perf_counter()
    graph, _period = load(folder)
    opened = time.perf_counter()
    groups = graph.groups_labelled(LinkKind.DEVICE, f"{3:014}")
    ring = ring_around(graph, Seed("box", np.empty(0, dtype=np.int64), groups), KnownCards())
    return {"open": opened - begin, "seed": time.perf_counter() - opened, "ring": ring.joined.height}


STEPS = {"weigh": weigh, "sweep": sweep, "night": night, "seed": seed}


def main() -> None:
    """Run each step in a process of its own and print figures beside goals."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--cards", type=int, default=3_000_000)
    asked.add_argument("--step", choices=STEPS)
    asked.add_argument("--folder", type=Path)
    given = asked.parse_args()
    if given.step:
        figures = STEPS[given.step](given.folder, given.cards)
        figures["peak GB"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
        print(json.dumps(figures))
        return
    with tempfile.TemporaryDirectory(dir=".") as folder:
        for step in STEPS:
            command = [sys.executable, __file__, "--step", step, "--folder", f"{folder}/links"]
            found = subprocess.run([*command, "--cards", str(given.cards)], check=True, capture_output=True)
            for name, value in json.loads(found.stdout).items():
                goal = f"  (goal {GOALS[name]:g})" if name in GOALS else ""
                print(f"{step:8} {name:22} {value:14,.2f}{goal}", flush=True)


if __name__ == "__main__":
    main()
