"""What a careful gang turns at its boxes: the twelve knobs of vendors' manuals, and five levels of care."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from duanka.simulator.chance import Rng

LEVELS = (1, 2, 3, 4, 5)
SHORT = 10  # seconds; an answered call that ends within is a short one


@dataclass(frozen=True)
class Knobs:
    """Settings of a gang's boxes. A counter is of one card and day; None or 0: not used.

    calls, connected, minutes, short_calls, unanswered, failed, messages: the card is switched off when it has made so
    many calls, answered calls, minutes of talk, answered calls of at most 10 s, unanswered calls, unanswered calls in a
    row, messages. online: the card is switched off so many minutes after it was switched on. rotate: days after which
    a card goes on to a gateway in another city. new_imei: each card gets an IMEI of its own. own_calls: calls per card
    and day to other cards of the gang's ports, which last own_seconds (shortest, longest). messages_first: messages
    before the first call of the day.
    """

    calls: int | None = None
    connected: int | None = None
    minutes: int | None = None
    short_calls: int | None = None
    unanswered: int | None = None
    failed: int | None = None
    messages: int | None = None
    online: int | None = None
    rotate: int = 0
    new_imei: bool = False
    own_calls: float = 0.0
    own_seconds: tuple[int, int] = (30, 90)
    messages_first: float = 0.0


@dataclass(frozen=True)
class Care:
    """How careful a gang is: its knobs, and what no manual sells."""

    level: int
    knobs: Knobs
    people_like: bool = False  # traffic like that of people, and cards bought one by one in many shops


CARELESS = Care(1, Knobs())
_RANGES = {  # from, to; the counters of one gang
    "calls": (40, 80),
    "connected": (12, 30),
    "minutes": (20, 50),
    "short_calls": (4, 10),
    "unanswered": (25, 50),
    "failed": (8, 16),
    "messages": (2, 6),
    "online": (40, 100),
}


# People make few calls: the counters of who wants to look like them.
_LOW_RANGES = {
    "calls": (10, 20),
    "connected": (5, 10),
    "minutes": (8, 20),
    "short_calls": (2, 4),
    "unanswered": (4, 9),
    "failed": (3, 6),
    "messages": (1, 3),
}


def draw_care(level: int, rng: Rng) -> Care:
    """Draw the settings of a gang of `level`; each level has what those below have.

    1: none. 2: counters, three of the eight. 3: also rotation over gateways, calls among own ports, messages first. 4:
    also an IMEI of its own for each card. 5: also traffic like people's, many shops, no shared batch.
    """
    if level == 1:
        return CARELESS
    # One counter of volume always, so that a card does not dial all day.
    volume = rng.choice(["calls", "connected", "minutes"])
    ranges = _RANGES if level < 5 else _LOW_RANGES
    others = rng.choice([name for name in ranges if name != volume], 2, replace=False)
    counters = {str(name): int(rng.integers(*ranges[str(name)])) for name in (volume, *others)}
    knobs = Knobs(**counters)  # type: ignore[arg-type]
    if level >= 3:
        shortest = int(rng.integers(20, 60))
        knobs = replace(
            knobs,
            rotate=int(rng.integers(1, 4)),
            own_calls=float(np.round(rng.uniform(1.0, 2.5), 2)),
            own_seconds=(shortest, shortest + int(rng.integers(30, 90))),
            messages_first=float(rng.integers(0, 3)),
        )
    if level >= 4:
        knobs = replace(knobs, new_imei=True)
    return Care(level, knobs, people_like=level >= 5)
