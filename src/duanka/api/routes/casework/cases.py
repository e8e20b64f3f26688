"""Case files: opened on a ground, worked on, merged and split, closed; and what changed since a number."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query

from duanka.api.http import auth as access
from duanka.api.http.dependencies import Here
from duanka.api.http.endpoints import Endpoints
from duanka.api.schemas.casework import cases as shown
from duanka.api.schemas.casework.cases import TheCase
from duanka.api.schemas.requests import Because
from duanka.casework.cases.queries import MOST, CaseFilter
from duanka.domain.authority import Permission
from duanka.domain.case_file import CaseState, searched_value
from duanka.ledger.lookups import Reader

router = Endpoints("cases")
_Limit = Annotated[int, Query(ge=1, le=MOST, description="Cases of a page.")]


@router.endpoint(
    "POST /cases", "Open a case · 立案", Permission.OPEN_CASE, fails=(404, 409, 422), status_code=201
)
def open_case(here: Here, by: access.Caller, asks: shown.CaseOpened) -> shown.CaseShown:
    """At a ring, a card, a device or an outlet; all but a card bring the ring behind them along.

    409: the ground does not exist, or is about none of its cards. Without a ground the case is proposed: nothing is
    looked up before another supervisor approves it.
    """
    opened = here.desk.casework.files.open(asks.seed(), asks.held(), asks.title, by, asks.why, here.now)
    return shown.CaseShown.told(opened.case)


@router.endpoint("GET /cases", "Cases, the latest change first · 案件列表", Permission.LIST_CASES)
def list_cases(
    here: Here,
    by: access.Caller,
    state: Annotated[list[CaseState] | None, Query(description="Only in these states.")] = None,
    assigned_to: Annotated[str | None, Query(alias="assignedTo", max_length=32)] = None,
    before: Annotated[int | None, Query(ge=0, description="`next` of the page before.")] = None,
    limit: _Limit = 50,
) -> shown.CasesShown:
    """Counts, and no card. By what it is about: `searchCases`."""
    which = CaseFilter(tuple(state or ()), assigned_to)
    return shown.CasesShown.told(here.desk.casework.cases.page(which, by, before, limit))


@router.endpoint("POST /cases/search", "Cases about a number or device · 按对象查案件", Permission.READ_CASE)
def search_cases(here: Here, by: access.Caller, asks: shown.CaseSearched) -> shown.CasesShown:
    """About a card, a device, an outlet, a place or a ring; numbers never stand in an address."""
    which = CaseFilter(about=searched_value(asks.about))
    return shown.CasesShown.told(here.desk.casework.cases.page(which, by, None, MOST))


@router.endpoint("GET /cases/changes", "Cases that changed · 案件变更", Permission.EXPORT_CASES)
def list_case_changes(
    here: Here,
    by: access.Caller,
    after: Annotated[int, Query(ge=0, description="`next` of the time before; 0: from the beginning.")] = 0,
    limit: _Limit = MOST,
) -> shown.CasesShown:
    """The earliest change first, each case once. `next` is a counter and no time: nothing is missed or told twice."""
    return shown.CasesShown.told(here.desk.casework.cases.changes(by, after, limit))


@router.endpoint(
    "POST /cases/{caseId}/retrieve", "Look into a case · 查看案件", Permission.READ_CASE, fails=(404, 409)
)
def retrieve_case(
    here: Here, by: access.Caller, number: TheCase, asks: shown.CaseLooked
) -> shown.CaseFileShown:
    """What it is about, notes, and one timeline with orders and the network's answers. The trail has who and why."""
    reader = Reader(by, asks.why, asks.unmask)
    return shown.CaseFileShown.told(here.desk.casework.cases.case(number, reader, here.now, asks.entries))


@router.endpoint(
    "POST /cases/{caseId}/approve", "Approve a case · 批准立案", Permission.APPROVE_CASE, fails=(404, 409)
)
def approve_case(here: Here, by: access.Caller, number: TheCase, because: Because) -> shown.CaseShown:
    """One without a ground, as somebody else than who opened it."""
    return shown.CaseShown.told(here.desk.casework.files.approve(number, by, because.why, here.now).case)


@router.endpoint(
    "POST /cases/{caseId}/reject", "Reject a case · 不予立案", Permission.APPROVE_CASE, fails=(404, 409)
)
def reject_case(here: Here, by: access.Caller, number: TheCase, because: Because) -> shown.CaseShown:
    """One without a ground, as somebody else than who opened it."""
    return shown.CaseShown.told(here.desk.casework.files.reject(number, by, because.why, here.now).case)


@router.endpoint(
    "POST /cases/{caseId}/assign", "Who works on it · 分派案件", Permission.WORK_ON_CASE, fails=(404, 409)
)
def assign_case(here: Here, by: access.Caller, number: TheCase, asks: shown.CaseAssigned) -> shown.CaseShown:
    """Of an open case, to a person who may work on cases."""
    files = here.desk.casework.files
    return shown.CaseShown.told(files.assign(number, asks.assigned_to, by, asks.why, here.now).case)


@router.endpoint(
    "POST /cases/{caseId}/notes", "Write something down · 案件记事", Permission.WORK_ON_CASE, fails=(404, 409)
)
def note_case(here: Here, by: access.Caller, number: TheCase, asks: shown.CaseNoted) -> shown.CaseShown:
    """Nobody can change it later."""
    return shown.CaseShown.told(here.desk.casework.files.note(number, asks.text, by, here.now).case)


@router.endpoint(
    "POST /cases/{caseId}/items",
    "Add what it is about · 案件加入内容",
    Permission.WORK_ON_CASE,
    fails=(404, 409, 422),
)
def add_to_case(
    here: Here, by: access.Caller, number: TheCase, asks: shown.CaseItemsAsked
) -> shown.CaseGrownShown:
    """Items that the case already has are left unchanged."""
    file, new = here.desk.casework.files.add(number, asks.items(), by, asks.why, here.now)
    return shown.CaseGrownShown(case=shown.CaseShown.told(file.case), new=new)


@router.endpoint(
    "POST /cases/{caseId}/grow",
    "Add the ring behind something · 案件扩线",
    Permission.WORK_ON_CASE,
    Permission.LOOK_UP_CONTACTS,
    fails=(404, 409, 422),
)
def grow_case(
    here: Here, by: access.Caller, number: TheCase, asks: shown.CaseSeedAsked
) -> shown.CaseGrownShown:
    """A lookup of the ring on the basis of this case; of a card, one of the case."""
    file, new = here.desk.casework.files.grow(number, asks.seed(), by, asks.why, here.now)
    return shown.CaseGrownShown(case=shown.CaseShown.told(file.case), new=new)


@router.endpoint(
    "POST /cases/{caseId}/merge", "Merge it into another · 并案", Permission.MERGE_CASES, fails=(404, 409)
)
def merge_case(here: Here, by: access.Caller, number: TheCase, asks: shown.CaseMerged) -> shown.CaseShown:
    """What it is about, and its notes, go over; its number leads there. Returns the case that goes on."""
    return shown.CaseShown.told(
        here.desk.casework.files.merge(number, asks.into, by, asks.why, here.now).case
    )


@router.endpoint(
    "POST /cases/{caseId}/split",
    "Split it · 拆案",
    Permission.MERGE_CASES,
    fails=(404, 409, 422),
    status_code=201,
)
def split_case(here: Here, by: access.Caller, number: TheCase, asks: shown.CaseSplit) -> shown.CaseShown:
    """What is named goes to a new case on the same ground, which is returned."""
    values = [item.value for item in asks.items()]
    files = here.desk.casework.files
    return shown.CaseShown.told(files.split(number, values, asks.title, by, asks.why, here.now).case)


@router.endpoint("POST /cases/{caseId}/close", "Close it · 结案", Permission.WORK_ON_CASE, fails=(404, 409))
def close_case(here: Here, by: access.Caller, number: TheCase, asks: shown.CaseClosed) -> shown.CaseShown:
    """Nothing is looked up on its basis any more."""
    return shown.CaseShown.told(
        here.desk.casework.files.close(number, asks.outcome, by, asks.why, here.now).case
    )


@router.endpoint(
    "POST /cases/{caseId}/reopen", "Open it again · 重新立案", Permission.APPROVE_CASE, fails=(404, 409)
)
def reopen_case(here: Here, by: access.Caller, number: TheCase, because: Because) -> shown.CaseShown:
    """A closed case."""
    return shown.CaseShown.told(here.desk.casework.files.reopen(number, by, because.why, here.now).case)
