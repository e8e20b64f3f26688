"""Runs the rules' SQL over canonical records.

Its names are imported when they are first used: a lookup in the store needs none of them, and they cost half a second.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from duanka.engine.batch.duckdb_engine import DuckDBEngine
    from duanka.engine.batch.rule_tests import RuleTestResult, trials
    from duanka.engine.batch.spark_engine import Cluster

__all__ = ["Cluster", "DuckDBEngine", "RuleTestResult", "trials"]
_MODULES = {
    "Cluster": "spark_engine",
    "DuckDBEngine": "duckdb_engine",
    "RuleTestResult": "rule_tests",
    "trials": "rule_tests",
}


def __getattr__(name: str) -> object:
    """Import a name of `__all__`."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.batch.{_MODULES[name]}"), name)
