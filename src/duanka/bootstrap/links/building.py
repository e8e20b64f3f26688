"""Builds the graph of a store; of a directory of records by way of a store for the time being."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa

from duanka.bootstrap.links import delivery
from duanka.bootstrap.links.delivery import LinkTables
from duanka.bootstrap.links.ownership import seal_of
from duanka.bootstrap.links.source_path import must_be_there, must_hold_records, neither
from duanka.bootstrap.links.statements import NOBODY, StatedCards, Statements
from duanka.bootstrap.scan import engine_memory, scan, working_folder
from duanka.bootstrap.settings import Settings
from duanka.bootstrap.store.folders import must_lie_outside
from duanka.domain.errors import DuankaError, NoRecords
from duanka.domain.findings import Findings
from duanka.domain.judgement import Judgement
from duanka.domain.local_time import OperatorZone
from duanka.domain.policy import Policy
from duanka.domain.ports import Progress
from duanka.domain.record_keys import key_of
from duanka.domain.rule import Action
from duanka.domain.text import BilingualText
from duanka.engine.links import card_facts, device_runs, device_use, shared_things
from duanka.engine.links.gathered_days import GatheredDays
from duanka.engine.links.source import LinkSource
from duanka.engine.store.manifest import is_store
from duanka.links.graph.evidence import LinkEvidence
from duanka.links.graph.graph import LinkGraph, build_graph
from duanka.links.graph.stored import (
    Divisions,
    GraphPeriod,
    KeptRings,
    begun,
    holds_graph,
    inside,
    load,
    load_rings,
    save,
    writing_alone,
)
from duanka.links.ring.growth import KnownCards
from duanka.links.ring.outlet_batches import outlet_batches
from duanka.links.ring.register import MEMBERS, TABLE, named_rings, ranked, ring_table
from duanka.rules import RULES

_NOTHING = KeptRings(pl.DataFrame(schema=MEMBERS), pl.DataFrame(schema=TABLE))
_DAYS = "days"  # folder of what was gathered of each day
_BY_LINKS = {"rings", "outlet_batches"}  # what links found is no evidence for links


@dataclass(frozen=True)
class DaysRead:
    """How many days there are, and of how many the records were read; `why`: all of them, and for which reason."""

    days: int
    read: int
    why: BilingualText | None


@dataclass(frozen=True)
class _Before:
    """The graph of the night before, its rings, and the folder of what was gathered of its days."""

    rings: KeptRings = _NOTHING
    graph: LinkGraph | None = None
    days: Path | None = None


_NO_NIGHT = _Before()


@dataclass(frozen=True)
class Built:
    """A graph, what it was built of, and its communities: card, ring, since.

    `held`: what earlier builds delivered and the store took; without rows where a graph was only read.
    `divisions`: of its components; `read`: what was read of a store whose graph is kept. `findings`: of the
    scan of a directory of records, by which a store was made of it.
    """

    graph: LinkGraph
    period: GraphPeriod
    rings: pl.DataFrame
    held: LinkTables = field(default_factory=LinkTables)
    divisions: Divisions = field(default_factory=dict)
    read: DaysRead | None = None
    findings: Findings | None = None


def build(
    settings: Settings,
    data: Path,
    out: Path,
    policy: Policy,
    mapping: Path | None,
    progress: Progress,
    *,
    deliver: Path | None = None,
    stated: Statements = NOBODY,
) -> Built:
    """Build the graph of a store, or of records in `data`, and write it to `out`.

    `deliver`: file for the table `rings` of the next scan, such as INBOX/rings.parquet; beside it stands
    outlet_batches.parquet.
    """
    must_hold_records(data)
    must_lie_outside(out, "--out")
    if deliver:
        delivery.may_deliver(deliver, settings)
    with (
        writing_alone(out),
        _stored(settings, data, out, policy, mapping, progress) as (store, findings),
    ):
        before = _before(out)
        with begun(out) as new:
            keep = new / _DAYS if store == data else None  # a store for the time being is not met again
            built = _of_store(settings, store, out.parent, policy, progress, before, stated, keep)
            built = replace(built, findings=findings)
            progress.step("writing the graph", 0)
            known = known_cards(built.graph, settings.passes_in(OperatorZone(built.period.zone)).read())
            rings = KeptRings(built.rings, _table(built, known, before.rings), built.divisions)
            save(built.graph, rings, built.period, new, seal_of(store))
    if deliver:
        period = built.period
        batches = outlet_batches(built.graph, known, period.first, period.last, built.held.batches)
        delivery.deliver(LinkTables(rings.table, batches), deliver)
    return built


def _before(out: Path) -> _Before:
    """What `out` holds of the night before; nothing that can be used, where its graph cannot be read."""
    try:
        return _Before(load_rings(out), load(out)[0], inside(out) / _DAYS) if holds_graph(out) else _Before()
    except DuankaError:  # damaged, or of another version: the way out is to build it anew
        return _Before(days=out)  # no kept days are there, so all are read, and the user is told why


def _table(built: Built, known: KnownCards, earlier: KeptRings) -> pl.DataFrame:
    """The table `rings`: every ring that is worth a look, grown; and who has left of what was built or delivered."""
    before = pl.concat([built.held.rings, earlier.table]).unique("card", keep="last", maintain_order=True)
    return ring_table(built.graph, known, ranked(built.graph, built.rings), built.rings, before)


def known_cards(graph: LinkGraph, passes: Mapping[str, datetime]) -> KnownCards:
    """What police and verifications said of the cards of `graph`; `passes`: card -> time of its last pass."""
    confirmed = np.flatnonzero(graph.cards["confirmed"].to_numpy())
    upheld = np.flatnonzero(graph.cards["upheld"].to_numpy())
    passed = graph.rows_of([key_of(card) for card in passes])
    return KnownCards(confirmed=confirmed, passed=passed, upheld=upheld)


def opened(
    settings: Settings, where: Path, work: Path, policy: Policy, mapping: Path | None, progress: Progress
) -> Built:
    """The graph in `where`, or that of the store or the records there, which is built for this once."""
    if holds_graph(where):
        return load_built(where)
    must_be_there(where)
    with _stored(settings, where, work, policy, mapping, progress) as (store, findings):
        return replace(_of_store(settings, store, work, policy, progress), findings=findings)


def load_built(folder: Path) -> Built:
    """The graph in `folder`. DuankaError: none, damaged, or of another version."""
    return Built(*load(folder), load_rings(folder).members)


@contextmanager
def _stored(
    settings: Settings, data: Path, out: Path, policy: Policy, mapping: Path | None, progress: Progress
) -> Iterator[tuple[Path, Findings | None]]:
    """The store `data`; or a store made of the records there, removed afterwards, and what their scan found."""
    if is_store(data):
        yield data, None
        return
    with working_folder(settings.work or out.parent) as work:
        store = work / "store"
        try:
            findings = scan(
                settings, data, work / "lists", policy=policy, progress=progress, mapping=mapping, store=store
            )
        except NoRecords:
            raise neither(data) from None
        yield store, findings


def _of_store(
    settings: Settings,
    store: Path,
    work: Path,
    policy: Policy,
    progress: Progress,
    before: _Before = _NO_NIGHT,
    stated: Statements = NOBODY,
    keep: Path | None = None,
) -> Built:
    """`keep`: folder for what is gathered of each day; `before` is used only with it."""
    with working_folder(settings.work or work) as spill:
        source = LinkSource(store, spill, memory=engine_memory(settings.memory), threads=settings.threads)
        try:
            method = card_facts.METHOD + shared_things.METHOD
            kept = GatheredDays(source, keep or spill / _DAYS, before.days if keep else None, method)
            evidence = _evidence(source, kept, policy, stated.all, progress)
            kept.finish()
            held = delivery.held_by(source)
        finally:
            source.close()
    progress.step("weighing links", 0)
    graph = build_graph(evidence, onto=before.graph if kept.before else None)
    progress.step("dividing the graph into communities", 0)
    from duanka.links.ring.communities import communities  # noqa: PLC0415  # networkit takes a second

    found = communities(graph, before=before.rings.divisions)
    days, manifest = source.days, source.manifest
    rings = named_rings(graph, found.of_card, before.rings.members, days[-1])
    period = GraphPeriod(days[0], days[-1], manifest.generation, manifest.zone)
    read = DaysRead(len(days), len(kept.came), kept.why) if keep else None
    return Built(graph, period, rings, held, found.divisions, read)


def _evidence(
    source: LinkSource, kept: GatheredDays, policy: Policy, stated: StatedCards, progress: Progress
) -> LinkEvidence:
    card_facts.gather(source, kept, progress)
    cards = _frame(card_facts.cards(source))
    progress.step("comparing devices and documents", 0)
    return LinkEvidence(
        cards=cards.with_columns(
            at_risk=_at_risk(cards, _frame(card_facts.tripped(source)), policy),
            disowned=pl.col("card").is_in([key_of(card) for card in stated.disowned]),
            upheld=pl.col("card").is_in([key_of(card) for card in stated.upheld]),
            confirmed=pl.col("confirmed") | pl.col("card").is_in([key_of(card) for card in stated.confirmed]),
        ),
        devices=_frame(shared_things.devices(source)),
        runs=_frame(device_runs.device_runs(source)),
        agreement=_frame(shared_things.device_agreement(source)),
        switched=_frame(shared_things.switched(source, kept, progress)),
        contacts=_frame(card_facts.contacts(source, kept)),
        lists=_frame(card_facts.lists(source, kept)),
        accounts=_frame(shared_things.accounts(source)),
        use=_frame(device_use.device_use(source)),
        sat=_frame(device_use.device_cards(source)),
    )


def _at_risk(cards: pl.DataFrame, tripped: pl.DataFrame, policy: Policy) -> pl.Series:
    """Whether `policy` asks for more than a watch of each of `cards`; by its rules, not by what links found."""
    rules = [rule for rule in policy.running(RULES) if not _BY_LINKS.intersection(rule.reads)]
    judgement = Judgement(policy, rules, {rule.id: policy.limits(rule) for rule in rules})
    known = {rule.id for rule in rules}
    asked = {
        hit: (judgement.asked(frozenset(hit.split(",")) & known, confirmed=False) or Action.WATCH)
        > Action.WATCH
        for hit in tripped["rules"].unique()
    }
    rules_of = cards.select("card").join(tripped, on="card", how="left", maintain_order="left")["rules"]
    by_rules = rules_of.replace_strict(asked, default=False, return_dtype=pl.Boolean)
    return by_rules | cards["confirmed"]


def _frame(rows: pa.Table) -> pl.DataFrame:
    return pl.DataFrame(rows)
