"""Quality of scans and rule changes, measured where the truth is known."""

from duanka.evaluation.changes import Example, Flagged, Move, RuleChangeEffect, compare
from duanka.evaluation.measure import Evaluation, MeasureRow, evaluate, read_truth

__all__ = [
    "Evaluation",
    "Example",
    "Flagged",
    "MeasureRow",
    "Move",
    "RuleChangeEffect",
    "compare",
    "evaluate",
    "read_truth",
]
