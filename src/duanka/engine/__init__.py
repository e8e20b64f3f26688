"""Runs the rules' SQL over canonical records."""

from duanka.engine.batch.duckdb_engine import DuckDBEngine
from duanka.engine.batch.rule_tests import RuleTestResult, trials
from duanka.engine.batch.spark_engine import Cluster

__all__ = ["Cluster", "DuckDBEngine", "RuleTestResult", "trials"]
