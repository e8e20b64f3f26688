"""What a scan leaves for people: cards_at_risk.csv and report.html."""

from duanka.report.cards_at_risk import CardsAtRisk

__all__ = ["CardsAtRisk"]
