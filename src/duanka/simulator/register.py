"""Registers of a world: cards, outlets, accounts, complaints, confirmed cases."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

import numpy as np
import polars as pl

from duanka.simulator.chance import Ints, below, generator, hashed, mix, unit
from duanka.simulator.devices import imeis
from duanka.simulator.province import OPERATORS, RESALE, Places
from duanka.simulator.traits import DAY, STRATEGIES, Traits

PLATFORM_NAMES = tuple(
    f"{name} {kind}"
    for kind in ("Pay", "Chat", "Mall", "Video", "Ride", "Bank", "Games", "Jobs")
    for name in ("Pingan Lake", "Qingcao", "Yuanfang", "Daxue", "Lanhua", "Songshu", "Heyan")
)
_CHANNELS = ("12321", "12381", "hotline 96110", "operator counter")
_CATEGORIES = (
    "impersonates a court",
    "false customer service",
    "loan offer",
    "investment group",
    "harassing calls",
)


@dataclass(frozen=True)
class WindowClock:
    """Converts seconds of the window to local times."""

    start: date

    def times(self, name: str, seconds: Ints) -> pl.Series:
        """Return a Series of naive local times in microseconds."""
        zero = int((datetime.combine(self.start, datetime.min.time()) - datetime(1970, 1, 1)).total_seconds())
        return pl.Series(name, (seconds + zero) * 1_000_000, dtype=pl.Int64).cast(pl.Datetime("us"))


@dataclass(frozen=True)
class Outlets:
    """Outlets: count[county] per county, from index first[county]; every fourth is a stall for all brands."""

    first: Ints
    count: Ints
    county: Ints  # per outlet


def build_outlets(cards: int, places: Places) -> Outlets:
    """Create about one outlet per 500 cards, at least 16 per county, a quarter stalls."""
    quads = np.maximum(4, (cards * places.weight / 2000).astype(np.int64))
    count = quads * 4
    first = np.concatenate(([0], np.cumsum(count)[:-1])).astype(np.int64)
    return Outlets(first, count, np.repeat(np.arange(places.home), count))


def assign_outlets(traits: Traits, outlets: Outlets) -> None:
    """Give every card an outlet of its county: its operator's, or a stall (always if a resale brand)."""
    words = hashed(traits.key, 91)
    quad = below(words, outlets.count[traits.county] // 4)
    stall = (unit(mix(words)) < 0.25) | (traits.operator >= len(OPERATORS))
    traits.outlet[:] = (
        outlets.first[traits.county] + quad * 4 + np.where(stall, 3, np.minimum(traits.operator, 2))
    )


def outlet_names(numbers: Ints) -> pl.Series:
    """Return the names of outlets by their numbers."""
    return _text(numbers + 1_000_001).str.replace("^1", "S")


def outlets_table(outlets: Outlets, places: Places) -> pl.DataFrame:
    """Return the table of outlets; stalls have no operator."""
    numbers = np.arange(len(outlets.county), dtype=np.int64)
    kind = numbers % 4
    city = places.codes.gather(outlets.county)
    brand = pl.Series("operator", [*OPERATORS, None]).gather(kind)
    title = pl.Series("name", ["Hall of", "Shop in", "Counter in", "Phone stall in"]).gather(kind)
    names = outlet_names(numbers)
    return pl.DataFrame(
        {"outlet": names, "name": title + " " + city + " " + names, "city": city, "operator": brand}
    )


def cards_table(
    traits: Traits,
    numbers: Ints,
    places: Places,
    clock: WindowClock,
    seed: int,
    serials: pl.Series | None = None,
) -> pl.DataFrame:
    """Return the register of cards, sorted by number; `serials`: ICCIDs, by default made of the numbers."""
    t, n = traits, traits.count
    rng = generator(seed, 30)
    operator = np.asarray(t.operator)
    hashes = mix(hashed(np.full(n, seed, dtype=np.uint64), 92, t.holder))
    used = np.where(
        np.isnan(t.idle_days), t.opened, -(np.nan_to_num(t.idle_days) * DAY).astype(np.int64) - 60
    )
    used = np.maximum(used, t.opened)
    last_known = (t.opened < 0) & (rng.random(n) > 0.015)
    checked = np.where(
        rng.random(n) < 0.25, t.opened + (rng.random(n) * np.maximum(-t.opened, 0)).astype(np.int64), t.opened
    )
    # Fewer cards of resale brands are verified: old stock was opened before real-name checks became strict.
    verified = rng.random(n) < np.where(operator >= len(OPERATORS), 0.7, 0.93)
    bound = imeis(hashed(t.device, 61, 0), t.sim_slot)
    foreign_phone = t.iot & (t.strategy > 0)
    bound = np.where(foreign_phone, imeis(hashed(t.device, 93), t.sim_slot), bound)
    home = np.minimum(t.county, places.home - 1)
    table = pl.DataFrame(
        {
            "card": _text(numbers),
            "imsi": _text(
                460_000_000_000_000 + numbers % 10_000_000_000 + operator.astype(np.int64) * 10**10
            ),
            "iccid": "89860" + _text(100_000_000_000_000 + numbers % 10**12 * 10)
            if serials is None
            else serials,
            "holder": _hex(hashes) + _hex(mix(hashes)),
            "holder_kind": pl.Series(["person", "organisation"]).gather(t.organisation.astype(np.int64)),
            "operator": pl.Series([*OPERATORS, *RESALE]).gather(operator),
            "virtual_operator": operator >= len(OPERATORS),
            "kind": pl.Series(["voice", "iot"]).gather(t.iot.astype(np.int64)),
            "opened_at": clock.times("opened_at", t.opened),
            "outlet": outlet_names(t.outlet),
            "home_city": places.codes.gather(home),
            "last_used_at": _known(clock.times("last_used_at", used), last_known),
            "verified_at": _known(
                clock.times("verified_at", np.minimum(checked, np.maximum(t.opened, 0))), verified
            ),
            "bound_imei": _known(_text(bound), t.iot),
        }
    )
    return table.sort("card")


def _text(numbers: Ints) -> pl.Series:
    return pl.Series(numbers).cast(pl.String)


def _hex(words: np.ndarray[tuple[int, ...], np.dtype[np.uint64]]) -> pl.Series:
    text = words.astype(">u8").tobytes().hex()
    return pl.Series([text[i : i + 16] for i in range(0, len(text), 16)], dtype=pl.String)


def _known(values: pl.Series, known: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]) -> pl.Series:
    """Return `values` with null where `known` is False."""
    frame = pl.DataFrame({"value": values, "known": known})
    return frame.select(pl.when("known").then("value"))["value"]


def truth_table(traits: Traits, numbers: Ints, roles: tuple[str, ...], gang_names: list[str]) -> pl.DataFrame:
    """Return card, fraud, gang, role, strategy of every card."""
    table = pl.DataFrame(
        {
            "card": _text(numbers),
            "fraud": traits.strategy > 0,
            "gang": pl.Series([None, *gang_names], dtype=pl.String).gather(traits.gang + 1),
            "role": pl.Series(roles).gather(traits.role.astype(np.int64)),
            "strategy": pl.Series(STRATEGIES).gather(traits.strategy.astype(np.int64)),
        }
    )
    return table.sort("card")


def accounts_table(traits: Traits, numbers: Ints, clock: WindowClock, days: int, seed: int) -> pl.DataFrame:
    """Return internet accounts, bound between the card's opening and the window's end."""
    rng = generator(seed, 31)
    card = np.repeat(np.arange(traits.count), rng.poisson(traits.accounts))
    pick = rng.integers(0, len(PLATFORM_NAMES), len(card))
    begin = np.maximum(
        traits.opened[card], np.where(traits.strategy[card] > 0, traits.alive_from[card], -(1 << 40))
    )
    end = np.minimum(days * DAY, traits.alive_until[card])
    bound = begin + (rng.random(len(card)) * np.maximum(end - begin, 1)).astype(np.int64)
    table = pl.DataFrame(
        {
            "card": _text(numbers[card]),
            "platform": pl.Series(PLATFORM_NAMES).gather(pick),
            "account": "u" + _text(rng.integers(10**9, 10**10, len(card))),
            "bound_at": clock.times("bound_at", bound),
        }
    )
    return table.filter(bound < days * DAY).unique(["card", "platform"], keep="first", maintain_order=True)


def complaints_table(traits: Traits, numbers: Ints, clock: WindowClock, days: int, seed: int) -> pl.DataFrame:
    """Return complaints: many about gang cards, a few mistaken ones about others."""
    rng = generator(seed, 32)
    begin = np.maximum(traits.alive_from, 0)
    end = np.minimum(traits.alive_until, days * DAY)
    lived = np.maximum(end - begin, 0)
    # Complaints cluster: the rate varies between cards (gamma-distributed).
    rate = traits.complaints * lived / DAY * rng.gamma(0.6, 1 / 0.6, traits.count)
    card = np.repeat(np.arange(traits.count), rng.poisson(rate))
    at = (
        begin[card]
        + (rng.random(len(card)) * lived[card]).astype(np.int64)
        + rng.integers(3600, 2 * DAY, len(card))
    )
    card, at = card[at < days * DAY], at[at < days * DAY]
    return pl.DataFrame(
        {
            "card": _text(numbers[card]),
            "reported_at": clock.times("reported_at", at),
            "channel": pl.Series(_CHANNELS).gather(rng.integers(0, len(_CHANNELS), len(card))),
            "category": pl.Series(_CATEGORIES).gather(rng.integers(0, len(_CATEGORIES), len(card))),
        }
    ).sort("reported_at", "card")


def cases_table(
    traits: Traits, numbers: Ints, clock: WindowClock, days: int, seed: int, unheard: Ints
) -> pl.DataFrame:
    """Return police cases: about 4% of gang cards, at least a day after first use; none of the cards `unheard`."""
    rng = generator(seed, 33)
    seen = np.maximum(traits.alive_from, 0) + DAY
    chosen = (traits.strategy > 0) & (seen < days * DAY) & (rng.random(traits.count) < 0.045)
    chosen[unheard] = False
    card = np.flatnonzero(chosen)
    at = seen[card] + (rng.random(len(card)) * (days * DAY - seen[card])).astype(np.int64)
    case = _text((traits.gang[card] * 40 + at // (3 * DAY)) + 10_000)
    return pl.DataFrame(
        {
            "card": _text(numbers[card]),
            "case_id": "invented-" + case,
            "confirmed_at": clock.times("confirmed_at", at),
            "source": pl.Series(["invented county police", "invented provincial fraud centre"]).gather(
                card % 2
            ),
        }
    ).sort("confirmed_at", "card")
