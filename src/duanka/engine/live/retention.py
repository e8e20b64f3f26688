"""How long a live state keeps rollups: at least as long as its rules look back."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from duanka.domain.errors import DuankaError
from duanka.engine.live.state.compiled_rule import CompiledRule

_MARGIN = timedelta(days=3)
DEFAULT_RETENTION = timedelta(days=100)  # the longest look-back of a rule, plus some days


def long_enough(keep: timedelta, rules: Sequence[CompiledRule]) -> timedelta:
    """`keep`; DuankaError if it is shorter than a rule's look-back."""
    reach = {p.id: p.rule.look_back for p in rules if p.rollups - {"card_devices", "card_life"}}
    longest = max(reach, key=lambda rule: reach[rule], default="")
    if longest and keep < reach[longest] + _MARGIN:
        raise DuankaError(
            f"--keep {keep.days}d is too short: rule {longest} looks back {reach[longest].days} days;"
            f" keep at least {(reach[longest] + _MARGIN).days}d"
        )
    return keep
