"""Output files: cards_at_risk.csv and report.html of a scan, logs of a live run.

The page is in `reports.page`, which imports the plot library.
"""

from duanka.reports.cards_at_risk import CardsAtRisk
from duanka.reports.decision_log.reader import Both, DecisionFile, DecisionList, KeptLines
from duanka.reports.decision_log.writer import DECISIONS, DecisionLogWriter
from duanka.reports.decision_log.writer import HITS as LIVE_HITS

__all__ = [
    "DECISIONS",
    "LIVE_HITS",
    "Both",
    "CardsAtRisk",
    "DecisionFile",
    "DecisionList",
    "DecisionLogWriter",
    "KeptLines",
]
