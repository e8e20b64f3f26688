"""How the cards in a gang's boxes call, by the care that the gang takes."""

from __future__ import annotations

import numpy as np

from duanka.simulator.chance import Ints, Rng
from duanka.simulator.fraud import dial_lists
from duanka.simulator.limits import NO_LIMIT, Limits
from duanka.simulator.people import EVASIVE_RHYTHM
from duanka.simulator.rings.knobs import SHORT, Care, Knobs
from duanka.simulator.traits import Traits, lognormal, set_calls

MOST_IN_TURN = 200  # call attempts that fit into a turn
SHARED_LIST, SHARED_LIST_PEOPLE_LIKE = 0.3, 0.1  # share of the calls that go to the gang's list (K)
TYPICAL_LIFE = 8.0  # days
LIST_DAYS = 3


def dial(t: Traits, boxed: Ints, care: Care, days: int, rng: Rng) -> None:
    """Set the traits of the calls of the cards `boxed` of one gang."""
    if care.people_like:
        _like_people(t, boxed, rng)
    else:
        dial_lists(t, boxed, rng, 35.0, 1.0, 550.0)
        most = np.minimum(t.out_rate[boxed] * 1.3, MOST_IN_TURN)
        # With a counter the box dials as fast as it can, until the counter ends it.
        fast = MOST_IN_TURN * rng.uniform(0.6, 1.0, len(boxed))
        t.out_rate[boxed] = most if care.level == 1 else fast
        t.cut_off[boxed] = True
    t.wander[boxed] = 2
    t.shared[boxed] = SHARED_LIST_PEOPLE_LIKE if care.people_like else SHARED_LIST
    if care.knobs.online:
        t.burst_span[boxed] = np.minimum(t.burst_span[boxed], care.knobs.online * 60)
    # A list lasts three days; each of its numbers is dialled about twice.
    volume = float(np.mean(t.out_rate[boxed]))
    volume = min(volume, care.knobs.calls or volume)
    dialled = len(boxed) / max(1.0, days / TYPICAL_LIFE) * volume * LIST_DAYS * float(t.shared[boxed[0]])
    t.list_size[boxed] = max(20, int(dialled / 2))
    t.list_key[boxed], t.list_days[boxed], t.list_skew[boxed] = t.gang[boxed], LIST_DAYS, 1.0


def _like_people(t: Traits, boxed: Ints, rng: Rng) -> None:
    """Few calls over the whole day, half of them to a small circle, some called back; data and codes."""
    n = len(boxed)
    dial_lists(t, boxed, rng, 8.0, 0.5, 40.0)
    t.answer_out[boxed], t.answer_in[boxed] = rng.uniform(0.5, 0.7, n), rng.uniform(0.6, 0.8, n)
    volume = lognormal(rng, 9.0, 0.5, 0.4, n)
    set_calls(t, boxed, volume, volume * rng.uniform(0.2, 0.5, n))
    t.stranger_out[boxed], t.stranger_in[boxed] = rng.uniform(0.45, 0.7, n), 0.3
    t.favourites[boxed], t.day_strangers[boxed] = 15.0, 0.0
    t.rhythm[boxed], t.weekend[boxed] = EVASIVE_RHYTHM, 0.9
    t.codes_in[boxed], t.notices_in[boxed], t.texts_out[boxed] = 0.25, 0.4, 0.05
    t.megabytes[boxed], t.accounts[boxed] = lognormal(rng, 25, 0.8, 0.8, n), 1.5
    t.complaints[boxed] = 0.01


def limits_of(gangs: list[tuple[Ints, Knobs]], count: int) -> Limits | None:
    """Return the counters of gangs, given as (cards in boxes, knobs), in a world of `count` cards; None: no counter."""
    counted = [(cards, knobs) for cards, knobs in gangs if _volume(knobs)]
    if not counted:
        return None
    of_card = np.full(count, -1, dtype=np.int64)
    for setting, (cards, _) in enumerate(counted):
        of_card[cards] = setting
    rows = np.array([_volume(knobs) for _, knobs in counted], dtype=np.int64).T
    calls, connected, seconds, short, unanswered, failed = rows
    return Limits(of_card, calls, connected, seconds, short, unanswered, failed, SHORT)


def _volume(knobs: Knobs) -> list[int] | None:
    seconds = knobs.minutes * 60 if knobs.minutes else None
    values = (knobs.calls, knobs.connected, seconds, knobs.short_calls, knobs.unanswered, knobs.failed)
    return [value or NO_LIMIT for value in values] if any(values) else None
