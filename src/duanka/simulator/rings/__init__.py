"""Gangs with devices, sites, batches and people behind them, and what honest people share alike."""

from duanka.simulator.rings.knobs import Knobs
from duanka.simulator.rings.options import GangMix, ImeiPer, RingOptions, plan_rings
from duanka.simulator.rings.settlement import RING_ROLES, Rings, settle_rings

__all__ = [
    "RING_ROLES",
    "GangMix",
    "ImeiPer",
    "Knobs",
    "RingOptions",
    "Rings",
    "plan_rings",
    "settle_rings",
]
