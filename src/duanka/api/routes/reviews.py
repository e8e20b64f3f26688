"""Online checks that wait for a person, with the pictures to compare."""

from __future__ import annotations

from duanka.api.http import auth as access
from duanka.api.http.dependencies import Here
from duanka.api.http.endpoints import Endpoints
from duanka.api.schemas import requests as asked
from duanka.api.schemas.staff_responses import ReviewFileShown, ReviewsShown
from duanka.domain.authority import Permission

router = Endpoints("second verification")


@router.endpoint(
    "GET /reviews", "Checks that wait for a person · 待人工审核", Permission.LIST_REVIEWS, fails=(404,)
)
def list_reviews(
    here: Here, by: access.Caller, after: asked.After = None, limit: asked.Limit = 50
) -> ReviewsShown:
    """The oldest first, numbers masked. No deadline runs while they wait."""
    return ReviewsShown.of(here.desk.reviews.waiting(by, after or "", limit))


@router.endpoint(
    "POST /reviews/{orderId}/pictures",
    "The pictures to compare · 查看比对画面",
    Permission.OPEN_REVIEW,
    fails=(409,),
)
def open_review(
    here: Here, by: access.Caller, number: asked.TheVerification, because: asked.Because
) -> ReviewFileShown:
    """Only during the review; the audit trail keeps who saw them and why.

    Then decide with pass, fail or to-counter.
    """
    return ReviewFileShown.of(here.desk.reviews.open(number, by, because.why, here.now))
