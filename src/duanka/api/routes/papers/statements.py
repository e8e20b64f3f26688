"""Statements for holders of all that was held and done about their card."""

from __future__ import annotations

from fastapi import Response

from duanka.api.http import auth as access
from duanka.api.http.dependencies import Here
from duanka.api.http.endpoints import Endpoints
from duanka.api.http.openapi import BINARY
from duanka.api.schemas.papers import StatementAsked
from duanka.domain.authority import Permission
from duanka.domain.bulk_action import card_of
from duanka.orders.papers.statements.service import IdentitySeen

router = Endpoints("papers")
_PDF = "application/pdf"


@router.endpoint(
    "POST /cards/statement",
    "A holder's statement of their card · 号码处置情况说明",
    Permission.GIVE_STATEMENT,
    fails=(409,),
    answers={200: {"description": "The statement, as PDF.", "content": {_PDF: BINARY}}},
    response_class=Response,
)
def give_statement(here: Here, by: access.Caller, asks: StatementAsked) -> Response:
    """All that was held and done, the number in full, after the holder's document was seen.

    Numbers of others are masked; staff are told by role; looks of the police are not told. The trail has who gave it.
    """
    seen = IdentitySeen(asks.document, asks.counter)
    card = card_of(asks.phone_number)
    made = here.desk.papers.statements.give(card, seen, by, asks.why, here.now, asks.language)
    headers = {"Content-Disposition": 'attachment; filename="statement.pdf"'}
    return Response(made, headers=headers, media_type=_PDF)
