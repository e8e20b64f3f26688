"""What a scan leaves for people: cards_at_risk.csv and report.html."""

from duanka.report.cards_at_risk import CardsAtRisk
from duanka.report.page import write_page

__all__ = ["CardsAtRisk", "write_page"]
