"""An invented province with known truth, calibrated on measured users: for demonstration, evaluation and tests."""

from duanka.simulator.gangs import Strategy
from duanka.simulator.signing import PUBLIC_KEY
from duanka.simulator.world import ROLES, World, simulate

__all__ = ["PUBLIC_KEY", "ROLES", "Strategy", "World", "simulate"]
