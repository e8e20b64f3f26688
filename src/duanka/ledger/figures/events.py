"""What counts: numbers handled, clues sent, victims dissuaded, persons warned. There is no other definition.

A figure counts distinct things (cards, clues, victims) with such an event in the period.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Select, and_, func, literal, not_, null, or_, select

from duanka.domain.evidence import Evidence
from duanka.domain.order import Event, Kind
from duanka.domain.victims import CallOutcome, MessageKind, MessageOutcome
from duanka.ledger.db.casework.clues import clue_cards, clues
from duanka.ledger.db.casework.victims import victim_outcomes
from duanka.ledger.db.tables import act_cards, acts, audit, orders

# Events after which a card counts as handled (R7.3): verified, stopped, cancelled, released. A punishment is
# a stop; outgoing barred (单停) and the lifeline (保底服务) are only stages and do not count, nor does a withdrawn
# order.
ENDS = (
    f"{Kind.VERIFICATION}.{Event.PASS}",
    *(
        f"{Kind.RESTRICTION}.{event}"
        for event in (
            *(Event.SUSPEND, Event.POLICE_STOP, Event.PUNISH),
            *(Event.CANCEL, Event.RESTORE, Event.POLICE_RELEASE),
        )
    ),
)
# A person counts as warned when the message centre accepted the warning and did not report it undelivered.
WARNED = (MessageOutcome.SENT.value, MessageOutcome.DELIVERED.value)
# Entries of the trail that say that somebody looks for victims: before the first one their number is unknown, not 0.
VICTIMS_LOOKED_FOR = ("victims.search", "victims.look", "victims.call", "victims.outcome")
CARD_DONE = "done"  # outcome of a card in a bulk action
# An order that the registrant asked for.
AT_OWN_REQUEST = orders.c.carried_by.startswith(Evidence.OWN_REQUEST.of(""), autoescape=True)
# What the registrant's own request brings about is no handling of a card.
_ENDED_AT_OWN_REQUEST = and_(
    AT_OWN_REQUEST,
    audit.c.what.in_([f"{Kind.RESTRICTION}.{event}" for event in (Event.CANCEL, Event.RESTORE)]),
)


def ended(*which: ColumnElement[bool]) -> Select[Any]:
    """Select `ENDS`, but none of undone bulk actions and their undos: seq, at, what, card, order_id, operator, city.

    `which`: conditions on `audit` and `orders`.
    """
    undone = (
        select(act_cards.c.order_id, acts.c.undoes, acts.c.id.label("undoing"))
        .join(acts, acts.c.id == act_cards.c.act_id)
        .where(acts.c.undoes.is_not(None), act_cards.c.outcome == CARD_DONE)
        .subquery()
    )
    # The reason of an audit entry begins with the id of its bulk action.
    of_it = or_(*(audit.c.why.like(act + " (%") for act in (undone.c.undoes, undone.c.undoing)))
    columns = (audit.c.seq, audit.c.at, audit.c.what, orders.c.card, orders.c.id.label("order_id"))
    return (
        select(*columns, orders.c.operator, orders.c.city)
        .join(orders, orders.c.id == audit.c.subject)
        .outerjoin(undone, and_(undone.c.order_id == audit.c.subject, of_it))
        .where(audit.c.what.in_(ENDS), *which)
        .where(undone.c.order_id.is_(None), not_(_ENDED_AT_OWN_REQUEST))
    )


def dissuaded(*which: ColumnElement[bool]) -> Select[Any]:
    """Select calls that dissuaded a victim: key, seq, at, what, source, operator, city."""
    own = victim_outcomes.c
    return select(
        own.victim_id.label("key"),
        own.id.label("seq"),
        own.at,
        own.outcome.label("what"),
        own.victim_id.label("source"),
        own.operator,
        own.city,
    ).where(own.outcome == CallOutcome.DISSUADED.value, *which)


def sent_clues(*which: ColumnElement[bool]) -> Select[Any]:
    """Select clues that were sent, once for each place of their cards; columns as of `dissuaded`."""
    return (
        select(
            clues.c.id.label("key"),
            literal(0).label("seq"),
            func.min(clues.c.sent_at).label("at"),
            literal("clue.send").label("what"),
            clues.c.id.label("source"),
            func.coalesce(clue_cards.c.operator, "").label("operator"),
            func.coalesce(clue_cards.c.city, "").label("city"),
        )
        .outerjoin(clue_cards, clue_cards.c.clue_id == clues.c.id)
        .where(clues.c.sent_at.is_not(null()), *which)
        .group_by(clues.c.id, clue_cards.c.operator, clue_cards.c.city)
    )


def warned(kind: Any, outcome: Any) -> list[ColumnElement[bool]]:
    """Conditions on messages to victims, by their columns: warnings that count."""
    return [kind == MessageKind.WARNING.value, outcome.in_(WARNED)]
