"""Figures of casework: clues, victims warned and dissuaded; each opens to its rows."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path, Query

from duanka.api.http import auth as access
from duanka.api.http.dependencies import Here
from duanka.api.http.endpoints import Endpoints
from duanka.api.routes.statistics import Since, Until
from duanka.api.schemas.casework import figures as shown
from duanka.api.schemas.requests import Limit, Skip
from duanka.casework.figures import CaseworkFigure, FigureGroup
from duanka.domain.authority import Permission

router = Endpoints("figures")


@router.endpoint("GET /figures/casework", "What casework did · 案件统计", Permission.READ_FIGURES)
def get_casework_figures(
    here: Here,
    by: access.Caller,
    since: Since,
    until: Until,
    group: Annotated[
        FigureGroup | None, Query(alias="by", description="Also by operator, or by city.")
    ] = None,
) -> shown.CaseworkFiguresShown:
    """Clues sent, cards in them and confirmed in answers, persons warned, dissuaded, and who had paid already.

    Distinct things with an event in the period. A clue counts wherever one of its cards is.
    """
    return shown.CaseworkFiguresShown.told(here.desk.casework.figures.counts(since, until, by, group))


@router.endpoint(
    "GET /figures/casework/{figure}", "What lies behind a figure · 案件统计明细", Permission.LIST_HANDLED
)
def list_casework_figure(
    here: Here,
    by: access.Caller,
    figure: Annotated[CaseworkFigure, Path(description="The figure.")],
    since: Since,
    until: Until,
    after: Skip = None,
    limit: Limit = 50,
) -> shown.FigureRowsShown:
    """The earliest first; cards masked, persons by their id. It stands in the audit trail."""
    figures = here.desk.casework.figures
    rows, following = figures.rows(figure, since, until, by, here.now, int(after or 0), limit)
    return shown.FigureRowsShown.told(rows, following)
