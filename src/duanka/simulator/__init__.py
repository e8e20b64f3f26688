"""An invented province with known truth, calibrated on measured users: for demos and tests."""

from duanka.simulator.gangs import Strategy
from duanka.simulator.world import PUBLIC_KEY, ROLES, World, simulate

__all__ = ["PUBLIC_KEY", "ROLES", "Strategy", "World", "simulate"]
