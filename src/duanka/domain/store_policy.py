"""Retention in the store: for how many days each kind of data about people is kept."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class StorePolicy:
    """Days that the store keeps, counted back from today; older ones are deleted for good.

    `keep_records_days`: calls, messages, sightings and data days, one by one. `keep_rollups_days`: their rollups, and
    cards and devices that were last seen before. `keep_refusals_days`: refused calls and messages.
    """

    keep_records_days: int = 180
    keep_rollups_days: int = 400
    keep_refusals_days: int = 400
