"""What a scan leaves for people: cards_at_risk.csv, and report.html (`report.page`, which brings the plots)."""

from duanka.report.cards_at_risk import CardsAtRisk

__all__ = ["CardsAtRisk"]
