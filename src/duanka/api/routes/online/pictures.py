"""Pictures sent one by one during the recording, for slow lines.

On a slow line, sending all pictures takes longer than a challenge is valid. So their digests are sent when
the recording ends: from then on no picture can be replaced, and the challenge no longer expires. Pictures may
arrive before and after that.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import Query, Request, Response

from duanka.api.http import auth as access
from duanka.api.http.dependencies import Context, Here
from duanka.api.http.endpoints import Endpoints
from duanka.api.http.openapi import BYTES_BODY, json_body
from duanka.api.http.steady import as_long
from duanka.api.routes.online.check import CHECK
from duanka.api.schemas.errors import Problem
from duanka.api.schemas.holder_requests import CHALLENGE_ID, Recording, read_by_hand
from duanka.api.schemas.holder_responses import RecordingTaken, WaitingShown
from duanka.domain.identity import Frame

router = Endpoints("holder")

PICTURES, LINE = f"{CHECK}/pictures", "/holder/line"
MOST_LINE = 65_536  # bytes of a measurement


@router.endpoint(
    f"POST {LINE}", "How fast is my line · 测试网络", fails=(409,), status_code=204, openapi_extra=BYTES_BODY
)
async def measure_line(request: Request, sends: access.Sends) -> Response:
    """Discards up to 64 KiB; the page times the transfer to choose its picture size."""
    del sends
    async for _ in request.stream():
        pass
    return Response(status_code=204)


@router.endpoint(
    f"POST {PICTURES}",
    "One picture, while it is recorded · 边录边传",
    fails=(409,),
    status_code=204,
    openapi_extra=BYTES_BODY,
)
async def send_picture(
    request: Request,
    here: Here,
    sends: access.Sends,
    challenge_id: Annotated[
        str,
        Query(
            alias="challengeId",
            pattern=CHALLENGE_ID,
            description="The challenge that it answers.",
            examples=["C7Yx1b0PqS2"],
        ),
    ],
) -> Response:
    """A JPEG, in any order; kept in memory until `sendRecording` names it. Idempotent."""
    jpeg = await request.body()
    if not jpeg:
        raise Problem(400, "body: send the bytes of one picture")
    here.uploads.put(sends.session.order_id, challenge_id, jpeg)
    return Response(status_code=204)


@router.endpoint(
    f"POST {CHECK}/recording",
    "The recording is over · 录制结束",
    fails=(409,),
    status_code=202,
    openapi_extra=json_body(Recording),
)
async def send_recording(request: Request, here: Here, sits: access.Sits) -> RecordingTaken:
    """Lists the recorded pictures, within the time of the challenge.

    Pictures that have not arrived are `missing`: send those, and ask again with the `receipt`, up to five minutes
    after the challenge. Once nothing is missing the challenge is used up and the pictures wait to be judged. The
    verdict comes later: `getCheck`.
    """
    body = await request.body()
    kind = request.headers.get("content-type", "")
    return await as_long(lambda: _taken(here, sits, kind, body), access.least_seconds(here, sits))


def _taken(here: Context, sits: access.CurrentSession, content_type: str, body: bytes) -> RecordingTaken:
    asks = read_by_hand(Recording, content_type, body)
    digests, order = asks.digests(), sits.session.order_id
    receipt = asks.receipt or sits.online.recorded(sits.token, asks.challenge_id, digests, here.now)
    held = here.uploads.of(order, asks.challenge_id)
    missing = [one.order for one in digests if one.sha256 not in held]
    if missing:
        # an answered challenge has no pictures here any more: do not report them as missing
        if asks.receipt:
            sits.online.require_unanswered(sits.token, asks.challenge_id, here.now)
        stage = sits.online.progress(sits.token, here.now).stage
        return RecordingTaken(receipt=receipt, missing=missing, stage=stage, waiting=None)
    frames = [Frame(one.order, one.at, held[one.sha256]) for one in digests]
    found = sits.online.submit(sits.token, asks.challenge_id, frames, here.now, receipt)
    here.uploads.drop(order)
    return RecordingTaken(
        receipt=receipt, missing=[], stage=found.stage, waiting=WaitingShown.found(found.waiting)
    )
