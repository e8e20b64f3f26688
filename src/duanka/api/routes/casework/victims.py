"""Victims: found, warned, called; worklists for cards that are not confirmed; what came of it."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query

from duanka.api.http import auth as access
from duanka.api.http.dependencies import Here
from duanka.api.http.endpoints import Endpoints
from duanka.api.schemas.casework import victims as shown
from duanka.api.schemas.casework.victims import TheVictim, TheWorklist
from duanka.api.schemas.requests import Because, Moment
from duanka.domain.authority import Permission
from duanka.ledger.lookups import Reader

router = Endpoints("victims")


@router.endpoint(
    "POST /victims/find",
    "The victims of confirmed cards · 查找受害人",
    Permission.FIND_VICTIMS,
    fails=(404, 409),
)
def find_victims(here: Here, by: access.Caller, asks: shown.VictimsSearched) -> shown.FoundVictimsShown:
    """Ranked by danger, each with its reasons; nothing is sent. The trail has who and why before the first row.

    409: the police did not confirm one of the cards.
    """
    found = here.desk.casework.victims.finder.find(
        asks.phone_numbers, asks.context(by), here.now, asks.period()
    )
    return shown.FoundVictimsShown.told(found)


@router.endpoint(
    "POST /victims/warn",
    "Have the victims of confirmed cards warned · 预警受害人",
    Permission.WARN_VICTIMS,
    Permission.FIND_VICTIMS,
    fails=(404, 409),
)
def warn_victims(here: Here, by: access.Caller, asks: shown.VictimsSearched) -> shown.FoundVictimsShown:
    """Once a person and day; the worker does so by itself for each new confirmation. Asked again, nothing is new.

    409: the police did not confirm one of the cards.
    """
    found = here.desk.casework.victims.finder.warn(
        asks.phone_numbers, asks.context(by), here.now, asks.period()
    )
    return shown.FoundVictimsShown.told(found)


@router.endpoint("POST /victims/search", "Victims · 受害人列表", Permission.READ_VICTIMS, fails=(409,))
def list_victims(here: Here, by: access.Caller, asks: shown.VictimsListed) -> shown.VictimsShown:
    """The most endangered first; `states` waiting, claimed, escalated: the worklist. The trail has who and why."""
    queries = here.desk.casework.victims.queries
    return shown.VictimsShown.told(
        queries.page(asks.which(), asks.reader(by), here.now, asks.after, asks.limit)
    )


@router.endpoint(
    "POST /victims/{victimId}/retrieve",
    "Look at a victim · 查看受害人",
    Permission.READ_VICTIMS,
    fails=(404, 409),
)
def retrieve_victim(
    here: Here, by: access.Caller, number: TheVictim, asks: shown.VictimLooked
) -> shown.VictimFileShown:
    """Contacts, messages, calls, and the text that is read out. The trail has who and why."""
    reader = Reader(by, asks.why, asks.unmask)
    return shown.VictimFileShown.told(here.desk.casework.victims.queries.victim(number, reader, here.now))


@router.endpoint(
    "POST /victims/claim",
    "Take a victim to call · 领取回访",
    Permission.CALL_VICTIMS,
    Permission.UNMASK,
    fails=(404, 409),
)
def claim_victim(here: Here, by: access.Caller, asks: shown.VictimClaimed) -> shown.VictimFileShown:
    """One person at a time, the number in full. 409: nobody waits, or somebody else is calling."""
    return shown.VictimFileShown.told(
        here.desk.casework.victims.calls.claim(asks.victim_id, by, asks.why, here.now)
    )


@router.endpoint(
    "POST /victims/{victimId}/release",
    "Give a victim back · 退回回访",
    Permission.CALL_VICTIMS,
    fails=(404, 409),
)
def release_victim(here: Here, by: access.Caller, number: TheVictim, because: Because) -> shown.VictimView:
    """One that the caller claimed; again gives the state."""
    calls = here.desk.casework.victims.calls
    return shown.VictimView.told(calls.release(number, by, because.why, here.now))


@router.endpoint(
    "POST /victims/{victimId}/outcome",
    "What came of the call · 登记回访结果",
    Permission.CALL_VICTIMS,
    fails=(404, 409),
)
def record_victim_outcome(
    here: Here, by: access.Caller, number: TheVictim, asks: shown.VictimOutcomeAsked
) -> shown.VictimView:
    """Who was not reached waits again, and is escalated after several times. 409: the caller did not claim it."""
    calls = here.desk.casework.victims.calls
    return shown.VictimView.told(calls.record(number, asks.outcome, asks.note, by, here.now))


@router.endpoint(
    "POST /victim-worklists",
    "Propose calls for cards that are not confirmed · 提出回访名单",
    Permission.PROPOSE_CALLS,
    fails=(404, 409),
    status_code=201,
)
def propose_victim_worklist(
    here: Here, by: access.Caller, asks: shown.VictimCardsAsked
) -> shown.CallProposalShown:
    """A second person approves it; nothing is looked up before, and nothing is sent after."""
    made = here.desk.casework.victims.proposals.propose(
        asks.phone_numbers, asks.context(by), here.now, asks.hours
    )
    return shown.CallProposalShown.told(made)


@router.endpoint("GET /victim-worklists", "Proposed worklists · 回访名单", Permission.READ_VICTIMS)
def list_victim_worklists(here: Here, by: access.Caller) -> shown.CallProposalsShown:
    """The latest first: counts, and no card."""
    found = here.desk.casework.victims.proposals.listed(by)
    return shown.CallProposalsShown(items=[shown.CallProposalShown.told(one) for one in found])


@router.endpoint(
    "POST /victim-worklists/{worklistId}/approve",
    "Approve a worklist · 批准回访名单",
    Permission.APPROVE_CALLS,
    fails=(404, 409),
)
def approve_victim_worklist(
    here: Here, by: access.Caller, number: TheWorklist, because: Because
) -> shown.CallProposalShown:
    """As somebody else than who proposed it; its persons wait for calls then."""
    proposals = here.desk.casework.victims.proposals
    return shown.CallProposalShown.told(proposals.approve(number, by, because.why, here.now))


@router.endpoint(
    "POST /victim-worklists/{worklistId}/reject",
    "Reject a worklist · 否决回访名单",
    Permission.APPROVE_CALLS,
    fails=(404, 409),
)
def reject_victim_worklist(
    here: Here, by: access.Caller, number: TheWorklist, because: Because
) -> shown.CallProposalShown:
    """As somebody else than who proposed it."""
    proposals = here.desk.casework.victims.proposals
    return shown.CallProposalShown.told(proposals.reject(number, by, because.why, here.now))


@router.endpoint(
    "GET /victims/figures", "Counts of victims · 受害人统计", Permission.READ_FIGURES, fails=(409,)
)
def get_victim_figures(
    here: Here,
    by: access.Caller,
    since: Annotated[Moment, Query(description="From this time.")],
    until: Annotated[Moment, Query(description="Until before this time.")],
) -> shown.VictimFiguresListed:
    """Warned, corrected, and the outcomes of calls, by operator and city of the victims; nobody is named."""
    return shown.VictimFiguresListed.told(here.desk.casework.victims.queries.figures(by, since, until))
