"""SPECIFICATION.md read by machine, and the state of each requirement from the tests that ran."""

from duanka.specification.states import RESULTS, Requirement, Results, read, results, state_of

__all__ = ["RESULTS", "Requirement", "Results", "read", "results", "state_of"]
