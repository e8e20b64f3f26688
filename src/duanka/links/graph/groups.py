"""Groups: sets of cards that share something, each with its strength."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from duanka.domain.rings import LinkKind
from duanka.links.graph.cliques import pairs_at_risk
from duanka.links.graph.evidence import LinkEvidence
from duanka.links.graph.neighbours import Neighbours
from duanka.links.graph.numbering import device_run_bits, serial_runs
from duanka.links.graph.strength import Floats, Ints, poisson_bits, sharing_bits, strength
from duanka.links.graph.switched import tells

MIN_STRENGTH = 0.02  # weaker memberships cannot bring a card in, and are left out of the graph
MOST_GAP_MINUTES = 15.0  # between two openings of one batch at a shop with little to do
GAP_SHARE = 0.2  # of the shop's usual time between two openings, where that is shorter
OPENING_MINUTES = 600.0  # a shop's working day
MIN_BATCH = 4
MOST_HOLDER_CARDS = 200
_TRIED_EVENTS = 4.0  # in a device; a card with fewer was rather tried in it than used


@dataclass(frozen=True)
class Groups:
    """Groups of one kind. Per membership: group (index), card (row in LinkEvidence.cards), strength.

    label: what the group is, per group: an IMEI, an outlet and minute, a document, ...
    """

    kind: LinkKind
    label: pl.Series
    group: Ints
    card: Ints
    strength: Floats


def all_groups(evidence: LinkEvidence, contacts: Neighbours) -> Iterator[Groups]:
    """The groups of each kind, without memberships below MIN_STRENGTH; `contacts`: of all cards, as in LinkGraph."""
    rows = evidence.cards.select("card").with_row_index("row")
    for groups in (
        _devices(evidence, rows),
        _device_runs(evidence, rows),
        _batches(evidence),
        _serials(evidence),
        _holders(evidence),
        _switched(evidence, rows),
        _callees(evidence, rows),
        _cliques(evidence, contacts),
        _accounts(evidence, rows),
    ):
        yield _kept(groups)


def _kept(groups: Groups) -> Groups:
    """Leave out memberships below MIN_STRENGTH, and groups that link no two cards any more."""
    keep = groups.strength >= MIN_STRENGTH
    size = np.bincount(groups.group[keep], minlength=len(groups.label))
    keep &= (size >= 2)[groups.group] if len(groups.group) else keep
    left = np.flatnonzero(size >= 2)
    number = np.full(len(groups.label), -1, dtype=np.int64)
    number[left] = np.arange(len(left))
    group = number[groups.group[keep]]
    return Groups(groups.kind, groups.label.gather(left), group, groups.card[keep], groups.strength[keep])


def _devices(evidence: LinkEvidence, rows: pl.DataFrame) -> Groups:
    """Cards in turn in one device.

    A device is in one place at a time: the strength falls with the share of pairs of its cards that are seen
    elsewhere on the same day, and that of a card which was only tried in it with how little it did there.
    """
    frame = evidence.devices.join(rows, on="card").join(evidence.agreement, on="imei", how="left")
    shared = _sharing(LinkKind.DEVICE, frame["device"], frame["row"])
    return replace(shared, strength=shared.strength * _of_one_place(frame))


def _device_runs(evidence: LinkEvidence, rows: pl.DataFrame) -> Groups:
    """Cards in devices with consecutive numbers, which stand in one place as those of one device do."""
    frame = evidence.runs.join(rows, on="card")
    if not frame.height:
        return _none(LinkKind.DEVICE_RUN)
    group = _ints(frame["run"].rank("dense")) - 1
    each = frame.unique("run", keep="first").sort("run")
    tells = strength(LinkKind.DEVICE_RUN, device_run_bits(each))[group] * _of_one_place(frame)
    label = each["type"] + " x" + each["devices"].cast(pl.String)
    return Groups(LinkKind.DEVICE_RUN, label, group, _ints(frame["row"]), tells)


def _of_one_place(frame: pl.DataFrame) -> Floats:
    """Per card in a device: how far all its cards are in one place, times how far the card was used in it."""
    together = frame["together"].fill_null(0).to_numpy() + 1.0
    agree = together / (frame["pairs"].fill_null(0).to_numpy() + 1.4)
    used = 1.0 - np.exp2(-frame["events"].to_numpy() / _TRIED_EVENTS)
    return np.asarray(np.minimum(agree, 1.0) * used, dtype=np.float64)


def _batches(evidence: LinkEvidence) -> Groups:
    """Cards opened one after another at one outlet, faster than the outlet ever opens cards."""
    known = (
        evidence.cards.with_row_index("row")
        .filter(
            pl.col("outlet").is_not_null()
            & pl.col("opened_at").is_not_null()
            & ~pl.col("iot").fill_null(value=False)
        )
        .select("row", "outlet", "opened_at")
    )
    if not known.height:
        return _none(LinkKind.BATCH)
    number, outlets = _numbered(known["outlet"])
    known = known.with_columns(outlet=number).sort("outlet", "opened_at", "row")
    minute = known["opened_at"].dt.epoch("s").to_numpy() / 60.0
    outlet = _ints(known["outlet"])
    usual = _usual_gap(known, outlet)
    gap = np.diff(minute, prepend=-np.inf)
    begins = (np.diff(outlet, prepend=-1) != 0) | (gap > np.minimum(MOST_GAP_MINUTES, GAP_SHARE * usual))
    run = np.cumsum(begins) - 1
    size = np.bincount(run)
    first = np.flatnonzero(begins)
    enough = size >= MIN_BATCH  # the only ones to weigh: most openings of a province are in no batch
    size, first, members = size[enough], first[enough], enough[run]
    lasting = minute[first + size - 1] - minute[first] + 1.0
    tells = strength(LinkKind.BATCH, poisson_bits(size - 1, lasting / usual[first]))
    label = (
        outlets.gather(outlet[first]) + " " + known["opened_at"].gather(first).dt.to_string("%Y-%m-%d %H:%M")
    )
    batch = np.repeat(np.arange(len(size)), size)
    return Groups(LinkKind.BATCH, label, batch, _ints(known["row"])[members], tells[batch])


def _serials(evidence: LinkEvidence) -> Groups:
    """Cards with serial numbers in a row that were not sold in turn."""
    runs = serial_runs(evidence.cards)
    tells = strength(LinkKind.SERIALS, runs.bits)[runs.run]
    return Groups(LinkKind.SERIALS, runs.label, runs.run, runs.card, tells)


def _usual_gap(known: pl.DataFrame, outlet: Ints) -> Floats:
    """Minutes between two openings on a usual day of the shop: the median over its days with openings."""
    by_day = known.group_by("outlet", pl.col("opened_at").dt.date().alias("day")).len()
    usual = by_day.group_by("outlet").agg(pl.col("len").median().alias("a_day")).sort("outlet")
    a_day = usual["a_day"].to_numpy()
    return np.asarray((OPENING_MINUTES / np.maximum(a_day, 1.0))[outlet], dtype=np.float64)


def _holders(evidence: LinkEvidence) -> Groups:
    frame = evidence.cards.with_row_index("row").filter(pl.col("holder").is_not_null())
    many = frame.group_by("holder").len().filter(pl.col("len").is_between(2, MOST_HOLDER_CARDS))
    frame = frame.join(many, on="holder")
    return _sharing(LinkKind.HOLDER, frame["holder"], frame["row"])


def _switched(evidence: LinkEvidence, rows: pl.DataFrame) -> Groups:
    """Cards that are switched on, or off, in one minute at one place, again and again."""
    frame = evidence.switched.join(rows, on="card", maintain_order="left")
    if not frame.height:
        return _none(LinkKind.SWITCHED)
    key = pl.struct("switched_on", "place", "minute")
    frame = frame.with_columns(key.rank("dense").alias("group") - 1)
    labels = frame.group_by("group").agg(pl.col("minute").first(), pl.col("cell").first()).sort("group")
    label = (
        (labels["minute"] * 60_000_000).cast(pl.Datetime("us")).dt.to_string("%Y-%m-%d %H:%M")
        + " "
        + labels["cell"]
    )
    told = tells(frame, evidence.cards["days"].gather(frame["row"]))
    return Groups(LinkKind.SWITCHED, label, _ints(frame["group"]), _ints(frame["row"]), told)


def _callees(evidence: LinkEvidence, rows: pl.DataFrame) -> Groups:
    """Pairs of cards that dial the same strangers, more of them than chance would have it.

    A number that many cards call, such as a restaurant, is likely to be on both lists: of a card's list each callee is
    on another list with the share of all calls that list has, times the other cards that call it.
    """
    frame = evidence.lists.join(rows, on="card").select("row", "callee")
    if not frame.height:
        return _none(LinkKind.CALLEES)
    frame = frame.with_columns((pl.len().over("callee") - 1).alias("others"))
    pairs = (
        frame.join(frame, on="callee", suffix="_other")
        .filter(pl.col("row") < pl.col("row_other"))
        .group_by("row", "row_other")
        .len()
        .filter(pl.col("len") >= 2)
        .sort("row", "row_other")
    )
    length = evidence.cards["strangers"].to_numpy()
    known = np.bincount(_ints(frame["row"]), weights=frame["others"].to_numpy(), minlength=len(length))
    one, other = _ints(pairs["row"]), _ints(pairs["row_other"])
    usual = np.maximum(known[one] * length[other], known[other] * length[one]) / max(float(length.sum()), 1.0)
    bits = poisson_bits(_ints(pairs["len"]), usual)
    return _pairs(LinkKind.CALLEES, pairs["len"].cast(pl.String), one, other, bits)


def _cliques(evidence: LinkEvidence, contacts: Neighbours) -> Groups:
    """Pairs of cards at risk that call each other."""
    one, other, bits = pairs_at_risk(evidence.cards["at_risk"].to_numpy(), contacts)
    return _pairs(LinkKind.CLIQUE, pl.Series([""] * len(one), dtype=pl.String), one, other, bits)


def _pairs(kind: LinkKind, label: pl.Series, one: Ints, other: Ints, bits: Floats) -> Groups:
    half = np.sqrt(strength(kind, bits))  # a pair is a group of two: both ways give the strength
    group = np.arange(len(one), dtype=np.int64)
    return Groups(kind, label, np.tile(group, 2), np.concatenate([one, other]), np.tile(half, 2))


def _accounts(evidence: LinkEvidence, rows: pl.DataFrame) -> Groups:
    frame = evidence.accounts.join(rows, on="card")
    return _sharing(LinkKind.ACCOUNT, frame["account"], frame["row"])


def _sharing(kind: LinkKind, keys: pl.Series, rows: pl.Series) -> Groups:
    """Groups of the cards in `rows` with equal `keys`, as strong as their size tells."""
    number, distinct = _numbered(keys)
    group, label = _ints(number), distinct.cast(pl.String)
    size = np.bincount(group, minlength=len(label)).astype(np.int64)
    return Groups(kind, label, group, _ints(rows), strength(kind, sharing_bits(size))[group])


def _numbered(keys: pl.Series) -> tuple[pl.Series, pl.Series]:
    """The place of each key among the distinct ones in order, and these; a rank of texts takes far longer."""
    distinct = keys.unique().sort()
    places = distinct.to_frame("key").with_row_index("place")
    return keys.to_frame("key").join(places, on="key", how="left", maintain_order="left")["place"], distinct


def _ints(column: pl.Series) -> Ints:
    return column.cast(pl.Int64).to_numpy()


def _none(kind: LinkKind) -> Groups:
    empty = np.empty(0, dtype=np.int64)
    return Groups(kind, pl.Series([], dtype=pl.String), empty, empty, np.empty(0))
