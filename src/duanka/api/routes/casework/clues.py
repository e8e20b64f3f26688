"""Clues for the police: built of a case, reviewed, sent, acknowledged, answered; and who may get them."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query, Response

from duanka.api.http import auth as access
from duanka.api.http.dependencies import Here
from duanka.api.http.endpoints import Endpoints
from duanka.api.http.openapi import BINARY
from duanka.api.schemas.casework import clues as shown
from duanka.api.schemas.casework.clues import TheClue, TheRecipient
from duanka.api.schemas.requests import Because
from duanka.casework.clues.service import MOST, file_named
from duanka.domain.authority import Permission
from duanka.domain.clue import ClueState
from duanka.domain.phone_masking import masked_text

router = Endpoints("clues")
_MEDIA = {
    "pdf": "application/pdf",
    "json": "application/json",
    "csv": "text/csv",
    "sig": "application/octet-stream",
}


@router.endpoint(
    "POST /clues", "Build a clue · 编制线索", Permission.BUILD_CLUE, fails=(404, 409), status_code=201
)
def build_clue(here: Here, by: access.Caller, asks: shown.ClueBuilt) -> shown.BuiltClueShown:
    """Of an open case: dossier, STIX 2.1 bundle, table of cards, signed manifest. It takes some seconds.

    The police's files are encrypted to the recipient's certificate; ours are masked: `retrieveClueFile`.
    """
    built = here.desk.casework.clues.files.build(asks.case_id, by, asks.why, here.now, asks.recipient)
    return shown.BuiltClueShown(
        clue=shown.ClueShown.told(built.clue), gaps=list(map(masked_text, built.gaps))
    )


@router.endpoint("GET /clues", "Clues, the latest first · 线索列表", Permission.LIST_CLUES)
def list_clues(
    here: Here,
    by: access.Caller,
    state: Annotated[list[ClueState] | None, Query(description="Only in these states.")] = None,
    before: Annotated[
        str | None, Query(pattern=r"^L[0-9A-Z]{12}$", description="`next` of the page before.")
    ] = None,
    limit: Annotated[int, Query(ge=1, le=MOST, description="Clues of a page.")] = 50,
) -> shown.CluesShown:
    """Counts, and no card."""
    return shown.CluesShown.told(here.desk.casework.clues.files.page(by, tuple(state or ()), before, limit))


@router.endpoint(
    "POST /clues/{clueId}/retrieve", "Look at a clue · 查看线索", Permission.READ_CLUE, fails=(404,)
)
def retrieve_clue(here: Here, by: access.Caller, number: TheClue, because: Because) -> shown.ClueFileShown:
    """With its cards, masked. The trail has who and why."""
    clue, cards = here.desk.casework.clues.files.show(number, by, because.why, here.now)
    told = [shown.ClueCardShown.told(card) for card in cards]
    return shown.ClueFileShown(clue=shown.ClueShown.told(clue), cards=told)


@router.endpoint(
    "POST /clues/{clueId}/retrieve-file",
    "One of our files of a clue · 下载线索文件",
    Permission.READ_CLUE,
    fails=(404,),
    answers={
        200: {"description": "The file, masked.", "content": dict.fromkeys(sorted(_MEDIA.values()), BINARY)}
    },
    response_class=Response,
)
def retrieve_clue_file(here: Here, by: access.Caller, number: TheClue, asks: shown.ClueFileAsked) -> Response:
    """As `duanka clues show --out` writes it, numbers masked. The trail has who and why."""
    content = file_named(here.desk.casework.clues.files.files(number, by, asks.why, here.now), asks.file)
    headers = {"Content-Disposition": f'attachment; filename="{asks.file}"'}
    return Response(content, headers=headers, media_type=_MEDIA[asks.file.rpartition(".")[2]])


@router.endpoint(
    "GET /clues/{clueId}/verification",
    "Verify a clue's files · 校验线索",
    Permission.LIST_CLUES,
    fails=(404,),
)
def verify_clue(here: Here, by: access.Caller, number: TheClue) -> shown.VerificationShown:
    """Whether our own files are, byte by byte, as they were signed when the clue was built."""
    return shown.VerificationShown.told(here.desk.casework.clues.files.verify(number, by))


@router.endpoint(
    "POST /clues/{clueId}/review", "Review a clue · 复核线索", Permission.REVIEW_CLUE, fails=(404, 409)
)
def review_clue(here: Here, by: access.Caller, number: TheClue, because: Because) -> shown.ClueShown:
    """As somebody else than who built it."""
    return shown.ClueShown.told(here.desk.casework.clues.files.review(number, by, because.why, here.now))


@router.endpoint(
    "POST /clues/{clueId}/send", "Send a clue · 发送线索", Permission.SEND_CLUE, fails=(404, 409)
)
def send_clue(here: Here, by: access.Caller, number: TheClue, because: Because) -> shown.ClueShown:
    """To its recipient's address; sending again is safe, and sends nothing twice. 409: it did not get there."""
    return shown.ClueShown.told(here.desk.casework.clues.files.send(number, by, because.why, here.now))


@router.endpoint(
    "POST /clues/{clueId}/acknowledge",
    "Acknowledge a clue · 签收线索",
    Permission.ACKNOWLEDGE_CLUE,
    fails=(404, 409),
)
def acknowledge_clue(here: Here, by: access.Caller, number: TheClue, because: Because) -> shown.ClueShown:
    """The police's files, with numbers in full, are deleted here."""
    return shown.ClueShown.told(here.desk.casework.clues.files.acknowledge(number, by, because.why, here.now))


@router.endpoint(
    "POST /clues/{clueId}/feedback", "Answer a clue · 反馈线索", Permission.ANSWER_CLUE, fails=(404, 409)
)
def answer_clue(
    here: Here, by: access.Caller, number: TheClue, asks: shown.ClueAnswerAsked
) -> shown.AnsweredShown:
    """Confirmed cards become 涉案 with the police's case number, and nothing else does; `stop` also stops them."""
    taken = here.desk.casework.clues.answers.answer(number, asks.answer(), by, asks.why, here.now)
    return shown.AnsweredShown.told(taken)


@router.endpoint(
    "POST /clue-answers",
    "Hand in a signed answer · 录入签名反馈",
    Permission.HAND_IN_ANSWER,
    fails=(404, 409),
)
def hand_in_answer(here: Here, by: access.Caller, asks: shown.SignedAnswerAsked) -> shown.AnsweredShown:
    """Of a source of police cases that is in force; it names its clue itself. An old one changes nothing: 409."""
    content, signature = asks.content.encode(), asks.signature.encode()
    taken = here.desk.casework.clues.answers.signed(content, signature, by, asks.why, here.now)
    return shown.AnsweredShown.told(taken)


@router.endpoint("GET /clue-recipients", "Who gets clues · 线索收件机关", Permission.LIST_CLUE_RECIPIENTS)
def list_clue_recipients(here: Here, by: access.Caller) -> shown.RecipientsShown:
    """All who were ever proposed, with their state."""
    listed = here.desk.casework.clues.recipients.listed(by)
    return shown.RecipientsShown(items=[shown.RecipientShown.told(one) for one in listed])


@router.endpoint(
    "POST /clue-recipients",
    "Propose who gets clues · 提出收件机关",
    Permission.PROPOSE_CLUE_RECIPIENT,
    fails=(409,),
    status_code=201,
)
def propose_clue_recipient(here: Here, by: access.Caller, asks: shown.RecipientAsked) -> shown.RecipientShown:
    """Another supervisor approves; compare the fingerprint with the police first."""
    recipients = here.desk.casework.clues.recipients
    made = recipients.propose(asks.name, asks.certificate.encode(), asks.address, by, here.now)
    return shown.RecipientShown.told(made)


@router.endpoint(
    "POST /clue-recipients/{recipientId}/approve",
    "Approve who gets clues · 复核收件机关",
    Permission.APPROVE_CLUE_RECIPIENT,
    fails=(404, 409),
)
def approve_clue_recipient(
    here: Here, by: access.Caller, number: TheRecipient, because: Because
) -> shown.RecipientShown:
    """As another supervisor than who proposed it."""
    recipients = here.desk.casework.clues.recipients
    return shown.RecipientShown.told(recipients.approve(number, by, because.why, here.now))


@router.endpoint(
    "POST /clue-recipients/{recipientId}/remove",
    "Remove who gets clues · 撤销收件机关",
    Permission.REMOVE_CLUE_RECIPIENT,
    fails=(404,),
    status_code=204,
)
def remove_clue_recipient(here: Here, by: access.Caller, number: TheRecipient, because: Because) -> None:
    """Or reject a proposal; no clue is built for it from now on."""
    here.desk.casework.clues.recipients.remove(number, by, because.why, here.now)
