"""Builds the graph of a store; of a directory of records by way of a store for the time being."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import pyarrow as pa

from duanka.bootstrap.links.ownership import keep_owner
from duanka.bootstrap.scan import engine_memory, scan, working_folder
from duanka.bootstrap.settings import Settings
from duanka.domain.policy import Policy
from duanka.domain.ports import Progress
from duanka.engine.links import card_facts, shared_things
from duanka.engine.links.source import LinkSource
from duanka.engine.store.manifest import is_store
from duanka.links.graph.evidence import LinkEvidence
from duanka.links.graph.graph import LinkGraph, build_graph
from duanka.links.graph.stored import GraphPeriod, holds_graph, load, save


@dataclass(frozen=True)
class Built:
    """A graph and what it was built of."""

    graph: LinkGraph
    period: GraphPeriod


def build(
    settings: Settings, data: Path, out: Path, policy: Policy, mapping: Path | None, progress: Progress
) -> Built:
    """Build the graph of a store, or of records in `data`, and write it to `out`."""
    with _stored(settings, data, out, policy, mapping, progress) as store:
        built = _of_store(settings, store, out.parent, progress)
        progress.step("writing the graph", 0)
        save(built.graph, built.period, out)
        keep_owner(store, out)
    return built


def opened(
    settings: Settings, where: Path, work: Path, policy: Policy, mapping: Path | None, progress: Progress
) -> Built:
    """The graph in `where`, or that of the store or the records there, which is built for this once."""
    if holds_graph(where):
        return Built(*load(where))
    with _stored(settings, where, work, policy, mapping, progress) as store:
        return _of_store(settings, store, work, progress)


@contextmanager
def _stored(
    settings: Settings, data: Path, out: Path, policy: Policy, mapping: Path | None, progress: Progress
) -> Iterator[Path]:
    """The store `data`; or a store made of the records there, removed afterwards."""
    if is_store(data):
        yield data
        return
    with working_folder(settings.work or out.parent) as work:
        scan(
            settings,
            data,
            work / "lists",
            policy=policy,
            progress=progress,
            mapping=mapping,
            store=work / "store",
        )
        yield work / "store"


def _of_store(settings: Settings, store: Path, work: Path, progress: Progress) -> Built:
    with working_folder(settings.work or work) as spill:
        source = LinkSource(store, spill, memory=engine_memory(settings.memory), threads=settings.threads)
        try:
            evidence = _evidence(source, progress)
        finally:
            source.close()
    progress.step("weighing links", 0)
    graph = build_graph(evidence)
    days, manifest = source.days, source.manifest
    return Built(graph, GraphPeriod(days[0], days[-1], manifest.generation, manifest.zone))


def _evidence(source: LinkSource, progress: Progress) -> LinkEvidence:
    card_facts.gather(source, progress)
    progress.step("comparing devices and documents", 0)
    return LinkEvidence(
        cards=_frame(card_facts.cards(source)),
        devices=_frame(shared_things.devices(source)),
        agreement=_frame(shared_things.device_agreement(source)),
        switched=_frame(shared_things.switched(source, progress)),
        contacts=_frame(card_facts.contacts(source)),
        lists=_frame(card_facts.lists(source)),
        accounts=_frame(shared_things.accounts(source)),
    )


def _frame(rows: pa.Table) -> pl.DataFrame:
    return pl.DataFrame(rows)
