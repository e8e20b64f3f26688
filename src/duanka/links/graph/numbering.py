"""Numbers in a row: serial numbers of cards that were not sold in turn, and devices that were shipped together.

Every shop sells neighbouring serial numbers to honest people, one after the other. So neighbours say nothing, but those
that were *not* sold in turn do: at different shops, or the later number days before the earlier one. A box of cards
that somebody bought and opened here and there is full of such breaks; the end of a delivery is one, and a card that was
replaced makes two. How rare breaks are is measured by issuer: where cards are mailed, nothing is in order.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from duanka.links.graph.strength import Floats, Ints, binomial_bits, poisson_bits

MOST_STEP = 10  # from one serial number to the next: those between were cancelled since
MIN_BREAKS = 4
MOST_IN_TURN = 2  # neighbours sold in turn amid a run of breaks
_MOST_EARLY_DAYS = (
    1  # before the card with the number before it; a shop does not open its cards to the minute in turn
)
_HEAD = 6  # digits: industry, country, issuer
_CHECKED_SHARE = 0.9  # serials of an issuer with a right check digit, from which on the last digit is one
_USUAL_PAIRS = 50.0  # an issuer's breaks are known from so many pairs as well as by those of all issuers
_LEAST_SHARE = 0.01  # of breaks: deliveries end
_SERIALS = 1_000_000.0  # of a type of device
_AROUND = 2_000.0  # numbers around a run of devices that `around` counts

Flags = NDArray[np.bool_]
_SERIAL = r"^89[0-9]{16,18}$"


@dataclass(frozen=True)
class Runs:
    """Runs of serial numbers. label, bits (surprise): per run; run, card: per membership, `card` a row of the cards."""

    label: pl.Series
    bits: Floats
    run: Ints
    card: Ints


def serial_runs(cards: pl.DataFrame) -> Runs:
    """The runs of serial numbers that were not sold in turn; `cards` as in LinkEvidence."""
    known = _numbered(cards)
    if known.height < 2:
        empty = np.empty(0, dtype=np.int64)
        return Runs(pl.Series([], dtype=pl.String), np.empty(0), empty, empty)
    near = _near(known)
    breaks = near & ~_in_turn(known)
    share = _usual_share(known["issuer"].to_numpy(), near, breaks)
    first, last = _stretches(near, breaks)
    before = np.concatenate(([0], np.cumsum(breaks)))
    many = before[last + 1] - before[first + 1]
    # a stretch begins with a break by definition, and might begin at any
    further = binomial_bits(many - 1, last - first - 1, share[last])
    bits = np.maximum(further - np.log2(max(len(first), 1)), 0.0)
    telling = np.flatnonzero(many >= MIN_BREAKS)
    size = (last - first + 1)[telling]
    label = known["iccid"].gather(first[telling]) + " x" + pl.Series(size).cast(pl.String)
    start = np.repeat(first[telling], size)
    within = np.arange(int(size.sum())) - np.repeat(np.cumsum(size) - size, size)
    rows = known["row"].cast(pl.Int64).to_numpy()[start + within]
    return Runs(label, bits[telling], np.repeat(np.arange(len(telling)), size), rows)


def device_run_bits(runs: pl.DataFrame) -> Floats:
    """Surprise of runs of consecutive devices, one row a run, with `run`, `last`, `devices`, `of_type`, `around`.

    So many devices of the type among so many numbers, by chance, anywhere among the devices of the type.
    """
    devices, of_type, around = (runs[name].to_numpy() for name in ("devices", "of_type", "around"))
    density = np.maximum((of_type - devices) / _SERIALS, around / _AROUND)
    usual = density * (runs["last"] - runs["run"]).to_numpy()
    found = poisson_bits(devices.astype(np.int64) - 1, usual) - np.log2(np.maximum(of_type, 1))
    return np.asarray(np.maximum(found, 0.0), dtype=np.float64)


def _numbered(cards: pl.DataFrame) -> pl.DataFrame:
    """row, iccid, issuer, number, outlet, opened_at of cards with a serial, in order of serials.

    Some registers have no check digit, some have a letter to fill the last place.
    """
    serial = pl.col("iccid").str.strip_chars_end("Ff")
    found = (
        cards.with_row_index("row")
        .filter(
            serial.str.contains(_SERIAL)
            & pl.col("outlet").is_not_null()
            & pl.col("opened_at").is_not_null()
            & ~pl.col("iot").fill_null(value=False)
        )
        .select("row", serial.alias("iccid"), "outlet", "opened_at")
        .with_columns(
            issuer=pl.col("iccid").str.head(_HEAD) + pl.col("iccid").str.len_chars().cast(pl.String)
        )
    )
    found = found.with_columns(_right_check_digit(found["iccid"]).alias("checked"))
    checked = pl.col("checked").mean().over("issuer") >= _CHECKED_SHARE
    number = pl.col("iccid").str.slice(_HEAD)
    return (
        found.with_columns(
            number=pl.when(checked).then(number.str.head(-1)).otherwise(number).cast(pl.Int64),
            issuer=pl.col("issuer").rank("dense").cast(pl.Int64),
        )
        .drop("checked")
        .sort("issuer", "number", "row")
    )


def _right_check_digit(serials: pl.Series) -> pl.Series:
    """Whether the last digit is a check digit (Luhn; ITU-T E.118)."""
    total = np.zeros(len(serials), dtype=np.int64)
    for place in range(1, 21):  # from the last digit
        digit = serials.str.slice(-place, 1) if place else serials
        values = digit.set(serials.str.len_chars() < place, "0").cast(pl.Int64).to_numpy()
        total += np.where(place % 2 == 0, values * 2 - 9 * (values > 4), values)
    return pl.Series(total % 10 == 0)


def _near(known: pl.DataFrame) -> Flags:
    """Per card: whether the one before it in `known` is its neighbour."""
    issuer, number = known["issuer"].to_numpy(), known["number"].to_numpy()
    step = np.diff(number, prepend=number[0])
    near = (np.diff(issuer, prepend=-1) == 0) & (step <= MOST_STEP) & (step >= 1)
    return np.asarray(near, dtype=np.bool_)


def _in_turn(known: pl.DataFrame) -> Flags:
    """Per card: whether it was sold after the one before it, at the same shop."""
    outlet, opened = pl.col("outlet"), pl.col("opened_at")
    early = pl.duration(days=_MOST_EARLY_DAYS)
    turn = known.select(
        ((outlet == outlet.shift()) & (opened >= opened.shift() - early)).fill_null(value=False)
    )
    return np.asarray(turn.to_series().to_numpy(), dtype=np.bool_)


def _usual_share(issuer: Ints, near: Flags, breaks: Flags) -> Floats:
    """Per card: the share of its issuer's neighbours that were not sold in turn."""
    pairs = np.bincount(issuer, weights=near)
    broken = np.bincount(issuer, weights=breaks)
    overall = (broken.sum() + 1.0) / (pairs.sum() + 2.0)
    share = (broken + _USUAL_PAIRS * overall) / (pairs + _USUAL_PAIRS)
    return np.asarray(np.clip(share, _LEAST_SHARE, 1.0)[issuer], dtype=np.float64)


def _stretches(near: Flags, breaks: Flags) -> tuple[Ints, Ints]:
    """First and last card of each stretch of neighbours that begins and ends with a break.

    No more than MOST_IN_TURN neighbours in a row were sold in turn within one.
    """
    at = np.flatnonzero(breaks)  # card `at` and the one before it
    if not len(at):
        return at, at
    apart = np.cumsum(~near)[at]  # neighbours of one sequence have one number
    begins = (np.diff(at, prepend=-(1 << 40)) > MOST_IN_TURN + 1) | (np.diff(apart, prepend=-1) != 0)
    first = at[begins] - 1
    last = at[np.append(np.flatnonzero(begins)[1:], len(at)) - 1]
    return first, last
