"""Figures of runs, as they are stored."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import RowMapping

from duanka.assessment.facts.counting import HOUR
from duanka.domain.assessment import StandardExposure, UnitFigure


def stored_figure(row: RowMapping) -> UnitFigure:
    """The figure in a row of `assessment_figures`."""
    took, cards = row["duration"], row["standard"]
    hours = None if took is None else timedelta(microseconds=took) / HOUR
    standard = None if cards is None else StandardExposure(cards, row["basis"])
    return UnitFigure(row["unit"], row["count"], row["exposure"], hours, standard)
