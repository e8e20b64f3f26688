"""Runs the rules' SQL over canonical records."""

from duanka.engine.cluster import Cluster
from duanka.engine.embedded import Embedded
from duanka.engine.trials import Trial, trials

__all__ = ["Cluster", "Embedded", "Trial", "trials"]
