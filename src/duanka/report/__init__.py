"""What is left for people and their programs: cards_at_risk.csv and report.html of a scan, the ledger of a live run.

The page is in `report.page`, which brings the plots.
"""

from duanka.report.cards_at_risk import CardsAtRisk
from duanka.report.decisions import Both, DecisionFile, DecisionList, KeptLines
from duanka.report.ledger import DECISIONS, Ledger
from duanka.report.ledger import HITS as LIVE_HITS

__all__ = [
    "DECISIONS",
    "LIVE_HITS",
    "Both",
    "CardsAtRisk",
    "DecisionFile",
    "DecisionList",
    "KeptLines",
    "Ledger",
]
