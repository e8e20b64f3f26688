"""An invented province with known ground truth, for demos, evaluation and tests.

Its levels are calibrated on measured users.
"""

from duanka.simulator.gangs import Strategy
from duanka.simulator.signing import PUBLIC_KEY
from duanka.simulator.world import ROLES, World, simulate

__all__ = ["PUBLIC_KEY", "ROLES", "Strategy", "World", "simulate"]
