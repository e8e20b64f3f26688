"""Papers for holders: copies of the texts of stops."""

from __future__ import annotations

from fastapi import Response

from duanka.api.http import auth as access
from duanka.api.http.dependencies import Here
from duanka.api.http.endpoints import Endpoints
from duanka.api.http.openapi import BINARY
from duanka.api.schemas import requests as asked
from duanka.api.schemas.papers import CopyAsked
from duanka.domain.authority import Permission

router = Endpoints("papers")
_PDF = "application/pdf"


@router.endpoint(
    "POST /orders/{orderId}/stop-text-copy",
    "A copy of the text of a stop · 停机告知书副本",
    Permission.COPY_STOP_TEXT,
    fails=(404, 409),
    answers={200: {"description": "The copy, as PDF.", "content": {_PDF: BINARY}}},
    response_class=Response,
)
def copy_stop_text(here: Here, by: access.Caller, number: asked.MovedOrder, asks: CopyAsked) -> Response:
    """As `duanka orders copy --out FILE.pdf`: the stored text with its SHA-256, for a holder or a court.

    The trail has who and why. `getOrder` gives the text itself (`stopTexts`).
    """
    copies = here.desk.papers.copies
    made = copies.pdf(copies.copy(number, by, asks.why, here.now, asks.step))
    headers = {"Content-Disposition": f'attachment; filename="{number}.pdf"'}
    return Response(made, headers=headers, media_type=_PDF)
