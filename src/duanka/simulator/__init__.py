"""An invented province with known ground truth, for demos, evaluation and tests.

Its levels are calibrated on measured users.
"""

from duanka.simulator.gangs import Strategy
from duanka.simulator.world import PUBLIC_KEY, ROLES, World, simulate

__all__ = ["PUBLIC_KEY", "ROLES", "Strategy", "World", "simulate"]
