"""How good a scan was, and what a change of a rule does, where the truth is known."""

from duanka.evaluation.changes import Changes, Example, Flagged, Move, compare
from duanka.evaluation.measure import Evaluation, Row, evaluate, read_truth

__all__ = ["Changes", "Evaluation", "Example", "Flagged", "Move", "Row", "compare", "evaluate", "read_truth"]
