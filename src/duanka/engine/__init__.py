"""Runs the rules' SQL over canonical records."""

from duanka.engine.embedded import Embedded
from duanka.engine.trials import Trial, trials

__all__ = ["Embedded", "Trial", "trials"]
