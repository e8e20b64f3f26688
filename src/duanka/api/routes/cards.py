"""Cards: dossier, requests of the police, decisions made elsewhere."""

from __future__ import annotations

from collections.abc import Iterable

from duanka.api.http import auth as access
from duanka.api.http.dependencies import Context, Here
from duanka.api.http.endpoints import Endpoints
from duanka.api.routes.orders import masked, reader
from duanka.api.schemas import requests as asked
from duanka.api.schemas import responses as shown
from duanka.domain.authority import Permission, may
from duanka.domain.bulk_action import card_of
from duanka.domain.caller_answer import answer
from duanka.domain.order import Event, Kind, NoSuchTransition, Order, Person, State, events_of
from duanka.domain.person import Role
from duanka.ledger.unit_of_work.unit_of_work import UnitOfWork
from duanka.orders import views
from duanka.orders.intake.receiving import Received, receive_in
from duanka.orders.masking import NumberMasking

router = Endpoints("cards")


@router.endpoint(
    "POST /cards/retrieve-dossier",
    "All that is known of a card · 号码档案",
    Permission.READ_DOSSIER,
    fails=(409,),
)
def retrieve_dossier(here: Here, by: access.Caller, asks: asked.CardAsked) -> shown.DossierShown:
    """Orders, network state, refusals, notices.

    The police name their case; the audit trail keeps who asked. A POST, because a URL must not contain a number.
    """
    return _dossier(here, by, card_of(asks.phone_number), asks)


@router.endpoint(
    "POST /orders/{orderId}/retrieve-dossier",
    "All that is known of the card of an order · 工单号码档案",
    Permission.READ_DOSSIER,
    fails=(409,),
)
def retrieve_dossier_of_order(
    here: Here, by: access.Caller, number: asked.AnyOrder, asks: asked.DossierAsked
) -> shown.DossierShown:
    """Like `retrieveDossier`, for who has the id of an order and not the number of its card."""
    return _dossier(here, by, here.desk.reading.state(number).card, asks)


def _dossier(here: Context, by: Person, number: str, asks: asked.DossierAsked) -> shown.DossierShown:
    wanted = reader(by, asks.unmask, asks.case_number or "")
    dossier = here.desk.reading.dossier(number, wanted, here.now)
    policy = here.desk.orders.terms.policy
    said = answer(dossier.card, dossier.orders, dossier.since, policy, known=dossier.known)
    found = shown.DossierShown.of(dossier, NumberMasking(wanted.unmasked))
    kept = here.desk.takes.kept_about(number, by) if may(by.role, Permission.LIST_TAKES) else ()
    told = {"answer": views.WordsShown.of(said), "kept": list(kept), "acts": _police_acts(dossier.orders, by)}
    return found.model_copy(update=told)


def _police_acts(orders: Iterable[Order], by: Person) -> list[Event]:
    """Return what the table of transitions lets the police do with the restriction of a card, open or not there."""
    if by.role is not Role.POLICE:
        return []
    stops = (one for one in orders if one.kind is Kind.RESTRICTION and not one.closed_at)
    restriction = next(stops, None)
    may_now = events_of(Kind.RESTRICTION, restriction.state if restriction else State.ACTIVE, by.role)
    return [event for event in (Event.POLICE_STOP, Event.POLICE_RELEASE) if event in may_now]


@router.endpoint(
    "POST /cards/police-stop",
    "Stop a card on a police notice · 公安机关通知停机",
    Permission.RESTRICTION_POLICE_STOP,
    fails=(409, 422),
)
def police_stop(here: Here, by: access.Caller, asks: asked.PoliceStop) -> shown.OrderShown:
    """At once, in every element; joins the order of a card that is already stopped."""
    card = card_of(asks.phone_number)
    order = here.desk.orders.police_stop(
        card, asks.case_number.strip(), by, asks.why.strip(), here.now, asks.fraud_kind
    )
    return masked(order)


@router.endpoint(
    "POST /cards/police-release",
    "Consent to the release of a card · 公安机关同意解除",
    Permission.RESTRICTION_POLICE_RELEASE,
    fails=(409,),
)
def police_release(here: Here, by: access.Caller, asks: asked.PoliceRelease) -> shown.OrderShown:
    """At once, in every element. If the card is already released, gives the state."""
    card = card_of(asks.phone_number)
    try:
        order = here.desk.orders.police_release(card, by, asks.because(), here.now)
    except NoSuchTransition:
        last = here.desk.reading.last(card, Kind.RESTRICTION)
        if last is None or last.state is not State.RESTORED:
            raise
        return masked(last)
    return masked(order)


@router.endpoint(
    "POST /demands", "Take decisions from elsewhere · 接收研判结果", Permission.TAKE_DECISIONS, fails=(409,)
)
def receive_demands(here: Here, by: access.Caller, asks: asked.Demands) -> shown.ReceivedShown:
    """Each becomes an order, or joins the card's open one; all or none. Idempotent."""
    decisions = [one.decision() for one in asks.demands]

    def work(unit: UnitOfWork) -> Received:
        unit.note(by, "demands.receive", "demands", asks.why.strip(), {}, {"demands": len(decisions)})
        return receive_in(unit, decisions, by)

    return shown.ReceivedShown.of(here.desk.orders.transaction(work, here.now))
