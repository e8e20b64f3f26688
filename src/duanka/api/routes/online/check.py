"""A holder's online session: consent, challenge, pictures, verdict."""

from __future__ import annotations

import math
import secrets

from fastapi import Request, Response
from fastapi.responses import JSONResponse

from duanka.api.http import auth as access
from duanka.api.http.dependencies import Context, Here
from duanka.api.http.endpoints import Endpoints
from duanka.api.http.openapi import json_body
from duanka.api.http.steady import as_long
from duanka.api.schemas.errors import Problem
from duanka.api.schemas.holder_requests import Agreement, Frames, read_by_hand
from duanka.api.schemas.holder_responses import (
    ChallengeShown,
    CheckShown,
    DeadlineShown,
    PicturesAccepted,
    SessionBegun,
    StepShown,
    ToCounter,
    WaitingShown,
    policy_text,
    reasons,
)
from duanka.api.schemas.holder_texts import DECLINED, deadline, words_digest
from duanka.application.unlinked_verification import UnlinkedVerification
from duanka.domain.identity import (
    LEAST_FRAMES,
    MOST_FRAMES,
    Challenge,
    Consent,
    SessionStage,
    VerificationProgress,
)
from duanka.domain.order import Kind, State
from duanka.orders.views import WordsShown

router = Endpoints("holder")

CHECK = "/holder/check"
_NOT_AGREED = "Not agreed: the way is the counter, and nothing is stopped for it."
_PICTURE_SECONDS = 0.25  # capture interval: a cheap phone can keep it, and the shortest gesture is seen


@router.endpoint(
    "POST /holder/session",
    "I agree, or I do not · 开始在线核验",
    status_code=201,
    response_model=SessionBegun,
    fails=(409,),
    answers={200: {"model": ToCounter, "description": _NOT_AGREED}},
)
def begin_session(
    request: Request, here: Here, holder: access.IsHolder, asks: Agreement, response: Response
) -> SessionBegun | Response:
    """Uses the link in the notice, and binds it to this browser (by a cookie).

    409: the texts that were shown are no longer in force, or the link is bound to another browser.
    """
    online = access.online(here)
    policy = here.desk.orders.terms.policy
    declares = policy.disowned_statement if asks.not_mine else None
    if asks.words_digest != words_digest(policy.identity, online.supplier, declares):
        raise Problem(409, "the texts of the consent have changed; get the order again and show them")
    consent = Consent(asks.face_data_agreed, asks.legal_notice_read, asks.words_digest, asks.not_mine)
    browser = access.browser_secret(request) or secrets.token_urlsafe(32)
    session = online.agree(holder.token, consent, here.now, browser=browser)
    if session is None:
        restriction, _ = here.desk.reading.own(holder.order, here.now)
        order = here.desk.reading.verification_of(holder.order) or holder.order
        answer = ToCounter(
            words=WordsShown.of(DECLINED),
            counter=policy_text(policy.counter),
            papers=policy_text(policy.papers),
            due_at=order.due_at,
            deadline=DeadlineShown.found(deadline(order, restriction, policy)),
            hotline=policy.hotline,
        )
        return JSONResponse(answer.model_dump(mode="json", by_alias=True))
    access.remember_browser(request, here, response, browser)
    stage = online.standing(session.order_id, here.now).stage
    return SessionBegun(session_token=session.token, expires_at=session.expires_at, stage=stage)


@router.endpoint("POST /holder/challenge", "What to do before the camera · 领取动作", fails=(409, 413))
def draw_challenge(here: Here, sits: access.Sits) -> ChallengeShown:
    """Drawn at random for this session; the same until it is used or expired."""
    return _challenge_shown(sits.online.challenge(sits.token, here.now))


@router.endpoint(
    f"POST {CHECK}",
    "The pictures that answer · 提交画面",
    fails=(409,),
    status_code=202,
    openapi_extra=json_body(Frames),
)
async def send_pictures(request: Request, here: Here, sits: access.Sits) -> PicturesAccepted:
    """All pictures at once, at most 6 MiB; they use the challenge up.

    The verdict comes later: `getCheck`.

    On a slow line send them one by one, while they are recorded: `sendPicture`, `sendRecording`.
    """
    # read here, because the framework would read the body before checking the session
    body = await request.body()
    kind = request.headers.get("content-type", "")
    return await as_long(lambda: _sent(here, sits, kind, body), access.least_seconds(here, sits))


def _sent(here: Context, sits: access.CurrentSession, content_type: str, body: bytes) -> PicturesAccepted:
    asks = read_by_hand(Frames, content_type, body)
    found = sits.online.submit(sits.token, asks.challenge_id, asks.pictures(), here.now)
    return PicturesAccepted(stage=found.stage, waiting=WaitingShown.found(found.waiting))


@router.endpoint(f"GET {CHECK}", "How far it is · 核验进度", fails=(409,))
def get_check(here: Here, sits: access.Polls) -> CheckShown:
    """May be polled every second."""
    found = sits.online.progress(sits.token, here.now)
    restored, restriction = _given_back(here, sits, found)
    return CheckShown(
        stage=found.stage,
        reasons=reasons(found),
        left=found.left,
        waiting=WaitingShown.found(found.waiting),
        restored=restored,
        restriction=restriction,
        order=found.state,
    )


def _given_back(
    here: Context, sits: access.CurrentSession, found: VerificationProgress
) -> tuple[bool, State | None]:
    """Return whether the pass lifted the restriction, and the state of an open one.

    A police stop stays open, for example.
    """
    if found.stage is not SessionStage.PASSED:
        return False, None
    if isinstance(sits.online, UnlinkedVerification):
        return sits.online.restored(sits.token, here.now), None
    last = here.desk.reading.last(sits.session.card, Kind.RESTRICTION)
    if last is None:
        return False, None
    if last.closed_at is None:
        return False, last.state
    return last.state is State.RESTORED and last.parent == sits.session.order_id, None


def _challenge_shown(challenge: Challenge) -> ChallengeShown:
    wanted = math.ceil(challenge.seconds / _PICTURE_SECONDS) + 1
    frames = min(max(wanted, LEAST_FRAMES), MOST_FRAMES)
    return ChallengeShown(
        challenge_id=challenge.id,
        expires_at=challenge.expires_at,
        frames=frames,
        every_milliseconds=math.floor(challenge.seconds * 1000 / (frames - 1)),
        seconds=challenge.seconds,
        rest_seconds=challenge.steps[0].begins,
        steps=[
            StepShown(
                gesture=one.gesture, begins=one.begins, ends=one.ends, words=WordsShown.of(one.gesture.words)
            )
            for one in challenge.steps
        ],
    )
