"""What is left for people and their programs: cards_at_risk.csv and report.html of a scan, the ledger of a live run.

The page is in `report.page`, which brings the plots.
"""

from duanka.report.cards_at_risk import CardsAtRisk
from duanka.report.ledger import Ledger

__all__ = ["CardsAtRisk", "Ledger"]
