"""Runs the rules' SQL over canonical records."""

from duanka.engine.batch.duckdb_engine import Embedded
from duanka.engine.batch.rule_tests import Trial, trials
from duanka.engine.batch.spark_engine import Cluster

__all__ = ["Cluster", "Embedded", "Trial", "trials"]
