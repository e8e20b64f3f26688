"""The five headline figures; each opens to its rows."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path, Query

from duanka.api.http import auth as access
from duanka.api.http.dependencies import Here
from duanka.api.http.endpoints import Endpoints
from duanka.api.routes.statistics import Since, Until
from duanka.api.schemas.assessment import figures as shown
from duanka.api.schemas.requests import Limit, PlaceName
from duanka.domain.authority import Permission
from duanka.domain.headline import FigurePlace, FigureSplit, HeadlineFigure

router = Endpoints("figures")
_Page = Annotated[
    str | None,
    Query(
        pattern=r"^[0-9]{1,18}-[0-9]{1,9}$",
        description="`next` of the page before; without it the first page.",
    ),
]

Operator = Annotated[PlaceName | None, Query(description="Only of this operator; `-`: unknown.")]
City = Annotated[PlaceName | None, Query(description="Only of this city; `-`: unknown.")]


@router.endpoint(
    "GET /figures/headline", "The five headline figures · 五项总体数据", Permission.READ_FIGURES, fails=(409,)
)
def get_headline_figures(
    here: Here,
    by: access.Caller,
    since: Since,
    until: Until,
    split: Annotated[
        FigureSplit | None,
        Query(alias="by", description="Also by operator, city, outlet, month, day or platform."),
    ] = None,
    operator: Operator = None,
    city: City = None,
) -> shown.HeadlineFiguresShown:
    """Calls and messages intercepted, numbers handled, clues to the police, victims dissuaded.

    Exact to the unit, or a lower bound where a loss is known or a part of the period was not measured; what nothing
    measured is null. Counts of hours that went into the store of records begin and end at the full hour.
    """
    return shown.HeadlineFiguresShown.told(
        here.desk.assessment.figures.counts(
            since, until, by, here.now, split, FigurePlace.read(operator, city)
        )
    )


@router.endpoint(
    "GET /figures/headline/{figure}",
    "What lies behind a headline figure · 总体数据明细",
    Permission.OPEN_FIGURE,
    fails=(409,),
)
def list_headline_figure(
    here: Here,
    by: access.Caller,
    figure: Annotated[HeadlineFigure, Path(description="The figure.")],
    since: Since,
    until: Until,
    operator: Operator = None,
    city: City = None,
    after: _Page = None,
    limit: Limit = 50,
) -> shown.HeadlineRowsShown:
    """The earliest first; numbers masked. It stands in the audit trail."""
    figures = here.desk.assessment.figures
    place = FigurePlace.read(operator, city)
    page = figures.rows(figure, since, until, by, here.now, after or "", limit, place)
    return shown.HeadlineRowsShown.told(page)
