"""An invented province with known truth, calibrated on measured users: for demos and tests."""

from duanka.simulator.gangs import Strategy
from duanka.simulator.rings import Knobs, RingOptions
from duanka.simulator.world import ALL_ROLES, FRAUD_SHARE, PUBLIC_KEY, ROLES, World, simulate

__all__ = [
    "ALL_ROLES",
    "FRAUD_SHARE",
    "PUBLIC_KEY",
    "ROLES",
    "Knobs",
    "RingOptions",
    "Strategy",
    "World",
    "simulate",
]
