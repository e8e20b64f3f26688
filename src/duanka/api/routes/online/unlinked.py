"""A check without a link: number and order number of the notice, in any browser, abroad too.

The face is the proof, and nothing else is asked for. Two numbers that lead nowhere are answered alike and as soon.
"""

from __future__ import annotations

from fastapi import Request

from duanka.api.http import auth as access
from duanka.api.http.dependencies import Context, Here
from duanka.api.http.endpoints import Endpoints
from duanka.api.http.steady import as_long
from duanka.api.schemas.errors import Problem, too_many
from duanka.api.schemas.holder_responses import SessionBegun
from duanka.api.schemas.holder_texts import words_digest
from duanka.api.schemas.unlinked import UnlinkedAsked, UnlinkedShown
from duanka.domain.identity import Consent, SessionStage, UnlinkedNumbers

router = Endpoints("holder")

UNLINKED = "/holder/unlinked-session"


@router.endpoint(f"GET {UNLINKED}", "Without a link: what to agree to · 无链接核验须知")
def get_unlinked_texts(here: Here) -> UnlinkedShown:
    """The same for everybody; where it is not open, the counter and the hotline are."""
    policy = here.desk.orders.terms.policy
    way = here.verification
    supplier = way.supplier if way and way.unlinked else None
    return UnlinkedShown.under(policy, supplier, words_digest(policy.identity, supplier or ""))


@router.endpoint(f"POST {UNLINKED}", "Begin without a link · 无链接核验", status_code=201, fails=(409,))
async def begin_unlinked_session(request: Request, here: Here, asks: UnlinkedAsked) -> SessionBegun:
    """By the number and the order number of the notice; the face is the proof, and no code is asked for.

    The answer is the same for numbers that lead nowhere, and takes as long: such a session never passes. It can begin a
    check and submit it, and nothing else: it ends no other session, refuses and objects to nothing, and what fails in
    it does not count for the holder. 409: the tries for this card or from this address are used up for today; or the
    texts that were shown are no longer in force.
    """
    address = access.address_of(request)
    if wait := here.holder.take(f"without a link {address}"):
        raise too_many(wait)
    numbers = asks.numbers()
    return await as_long(lambda: _begun(here, asks, numbers, address), here.limits.unlinked_begin)


def _begun(here: Context, asks: UnlinkedAsked, numbers: UnlinkedNumbers, address: str) -> SessionBegun:
    policy, way = here.desk.orders.terms.policy, access.unlinked(here)
    if asks.words_digest != words_digest(policy.identity, access.online(here).supplier):
        raise Problem(409, "the texts of the consent have changed; get them again and show them")
    consent = Consent(asks.face_data_agreed, asks.legal_notice_read, asks.words_digest)
    session = way.begin(numbers, consent, address, here.now)
    return SessionBegun(session_token=session.token, expires_at=session.expires_at, stage=SessionStage.READY)
