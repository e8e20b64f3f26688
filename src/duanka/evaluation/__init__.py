"""How good a scan was, where the truth is known."""

from duanka.evaluation.measure import Evaluation, Row, evaluate, fraud_in

__all__ = ["Evaluation", "Row", "evaluate", "fraud_in"]
