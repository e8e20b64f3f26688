"""Bulk actions (批量处置): proposed by one, approved by another, run in batches.

A bulk action covers one card or ten thousand. Where two people are needed (four eyes), the first is whoever proposes
and the second a supervisor with another name. Lifting restrictions needs one person and starts at once, except for
tiers for which the policy requires two. A policy may let one person suffice for a stop; the audit trail then says so
for each card.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial

from sqlalchemy import RowMapping, select, update

from duanka.domain.authority import Permission, authorize
from duanka.domain.bounds import end_of_measure
from duanka.domain.bulk_action import LIFTS, BulkAction, BulkActionState, Skipped, numbers_of
from duanka.domain.local_time import operator_zone
from duanka.domain.order import (
    SYSTEM,
    DoneBefore,
    Event,
    Grounds,
    NeedsSecondPerson,
    NoSuchTransition,
    OrderError,
    Person,
)
from duanka.domain.person import same_person
from duanka.domain.text import BilingualText
from duanka.ledger.audit.row_digests import ACTS, found
from duanka.ledger.db.rows import bulk_action_of
from duanka.ledger.db.tables import act_cards, acts
from duanka.ledger.monitoring.isolation import in_one_line, is_outage
from duanka.ledger.people.keys import require_still_permitted
from duanka.ledger.unit_of_work.unit_of_work import UnitOfWork
from duanka.orders.bulk_actions.conditions import (
    left_out,
    may_ask,
    may_reject,
    not_too_many,
    nothing_left,
    one_person_suffices,
    still_to_decide,
)
from duanka.orders.bulk_actions.execution import AT_ONCE, SKIPPED, carry, skip_one
from duanka.orders.bulk_actions.review import (
    places_within,
    put_places,
    store_with_cards,
    strike,
    visible_bulk_action,
)
from duanka.orders.bulk_actions.standing import require_unheld
from duanka.orders.bulk_actions.undo import (
    is_undone,
    last_undo,
    must_be_undoable,
    put_back,
    stop_short,
    with_undoing,
)
from duanka.orders.done_before import done_before
from duanka.orders.service import OrderService

_CARD_OF, _ACT = BilingualText("批量处置中的号码", "a card of"), BilingualText("批量处置", "the bulk action")
_IS_RUNNING = (acts.c.state == BulkActionState.RUNNING.value, acts.c.finished_at.is_(None))


class BulkActionService:
    """Service for bulk actions, safe across processes; a change is one transaction."""

    def __init__(self, order_service: OrderService) -> None:
        self.orders = order_service

    def propose(
        self,
        event: Event,
        cards: Iterable[str],
        grounds_or_reason: Grounds | BilingualText,
        by: Person,
        now: datetime,
        until: datetime | None = None,
        *,
        unheld: bool = False,
    ) -> BulkAction:
        """Propose `event` for `cards`; return the bulk action.

        `cards`: E.164, with or without +; duplicates count once. `until`: end of a punishment; only given for that
        event. Lifting starts at once, unless a card's tier takes two people. Protected and cancelled cards are listed
        as skipped. `unheld`: no card may be in a stop that stands (HeldMeanwhile).

        OrderError: a number is malformed (the message names it), or every card would be skipped.
        """
        may_ask(event, by)
        numbers, repeated = numbers_of(cards)
        grounds = self._grounds(grounds_or_reason)
        if (event is Event.PUNISH) != (until is not None):
            raise OrderError(
                "a punishment needs the day until which it lasts, after now; nothing else has one"
            )
        until = end_of_measure(until, now) if until else None

        def work(unit: UnitOfWork) -> str:
            if unheld:
                require_unheld(unit, event, numbers)
            places = places_within(unit, numbers, by)
            skipped = left_out(unit, numbers, event)
            if len(skipped) == len(numbers):
                raise nothing_left(unit, skipped)
            alone = one_person_suffices(unit, event, numbers)
            if not alone:
                not_too_many(unit, by, len(numbers))
            number = store_with_cards(
                unit, event, grounds, by, dict.fromkeys(numbers), skipped,
                alone=alone, until=until, named_twice=repeated,
            )  # fmt: skip
            put_places(unit, number, places)
            if event in LIFTS and alone:
                carry(unit, [_locked(unit, number)], AT_ONCE)
            return number

        return self.get(self.orders.transaction(work, now))

    def approve(
        self, act_id: str, by: Person, why: str, now: datetime, without: Sequence[str] = ()
    ) -> BulkAction:
        """Approve a proposed bulk action, which starts it.

        `by`: a supervisor; not the proposer, even in another role. `without`: cards to leave out, by number
        or by line in the bulk action, like #17. Again: gives the state.
        """
        authorize(by, Permission.APPROVE_BULK_ACTION)

        def work(unit: UnitOfWork) -> DoneBefore | None:
            row = _locked(unit, act_id, by)
            if row["approved_by"] and not same_person(by.id, row["proposed_by"]):
                if without and not same_person(by.id, row["approved_by"]):
                    raise NoSuchTransition(
                        f"{row['approved_by']} approved {act_id} before: no card can be left out any more"
                    )
                return DoneBefore(row["approved_by"], row["approved_at"])
            _is(row, BulkActionState.PROPOSED, "approve")
            if same_person(by.id, row["proposed_by"]):
                raise NeedsSecondPerson(f"{by.id} proposed {act_id}: somebody else must approve it")
            require_still_permitted(unit.connection, row["proposed_by"], Permission.PROPOSE_BULK_ACTION)
            if not unit.matches_trail(ACTS, act_id):
                raise OrderError(
                    f"{act_id} was changed past the audit trail since it was proposed:"
                    " reject it (`duanka audit verify` says what)"
                )
            if row["verification"]:
                still_to_decide(unit, row, by)
            if row["until"] and row["until"] <= now:
                raise OrderError(
                    f"{act_id} would have ended on {operator_zone().written(row['until'])}; propose it anew"
                )
            facts: dict[str, object] = {"approved_by": by.id, "approved_at": now}
            if without:
                facts["skipped"] = row["skipped"] + strike(unit, row, without, by, why)
            _move(unit, row, BulkActionState.RUNNING, by, "act.approve", why, **facts)
            return None

        before = self.orders.transaction(work, now)
        return replace(self.get(act_id), before=before)

    def reject(self, act_id: str, by: Person, why: str, now: datetime) -> BulkAction:
        """Reject a proposed bulk action. `by`: a supervisor, or the proposer.

        A proposal that follows from a verification cannot be rejected by anybody who took part in that verification:
        they would lift the restriction alone. Again: gives the state.
        """

        authorize(by, Permission.REJECT_BULK_ACTION)

        def work(unit: UnitOfWork) -> DoneBefore | None:
            row = _locked(unit, act_id, by)
            if row["state"] == BulkActionState.REJECTED:
                return done_before(unit, act_id, "act.reject", "act.set_aside")
            _is(row, BulkActionState.PROPOSED, "reject")
            may_reject(unit, row, by)
            _move(unit, row, BulkActionState.REJECTED, by, "act.reject", why, finished_at=now)
            return None

        before = self.orders.transaction(work, now)
        return replace(self.get(act_id), before=before)

    def undo(self, act_id: str, by: Person, why: str, now: datetime) -> BulkAction:
        """Undo a bulk stop; return the new bulk action that does so.

        The new one covers every card that `act_id` stopped and that is unchanged since. A card that had
        outgoing calls barred before returns to that state, with its earlier reason and deadline; one that was
        active is restored. If `act_id` is still running it ends here, and its pending cards are skipped.
        Again: gives the latest undo, unless `act_id` still stops a card that no undo waits for.
        """

        authorize(by, Permission.UNDO_BULK_ACTION)

        def work(unit: UnitOfWork) -> tuple[str, DoneBefore | None]:
            row = _locked(unit, act_id, by)
            if is_undone(unit, row):
                return last_undo(unit.connection, act_id) or act_id, done_before(unit, act_id, "act.undo")
            must_be_undoable(row)
            stopped_short = stop_short(unit, act_id) if row["state"] == BulkActionState.RUNNING else 0
            _move(
                unit,
                row,
                BulkActionState.UNDONE,
                by,
                "act.undo",
                why,
                finished_at=row["finished_at"] or now,
                skipped=row["skipped"] + stopped_short,
            )
            told = self._grounds(BilingualText(f"撤销{act_id}：{why}", f"undone {act_id}: {why}"))
            undo = put_back(unit, row, told, by)
            carry(unit, [_locked(unit, undo)], AT_ONCE)
            return undo, None

        undo, before = self.orders.transaction(work, now)
        return replace(self.get(undo), before=before)

    def carry_out(self, now: datetime, limit: int = 500) -> int:
        """Execute up to `limit` cards of all running bulk actions.

        In one transaction; after a failure, in one per card. Returns the number of cards processed; 0 when
        none is pending, or other workers have locked them.
        Every bulk action gets an equal share of each batch, so that a large one does not delay the others.
        """

        self._end_changed(now)

        def work(unit: UnitOfWork) -> int:
            running = (
                select(acts)
                .where(*_IS_RUNNING)
                .order_by(acts.c.approved_at, acts.c.id)
                .limit(limit)
                .with_for_update(skip_locked=True)
            )
            return carry(unit, unit.connection.execute(running).mappings().all(), limit)

        try:
            return self.orders.transaction(work, now)
        except Exception as error:
            if is_outage(error):
                raise
            return self._carry_out_one_by_one(now, limit)

    def _end_changed(self, now: datetime) -> None:
        """End running bulk actions whose rows were changed past the audit trail."""

        def work(unit: UnitOfWork) -> list[str]:
            running = select(acts).where(*_IS_RUNNING).with_for_update(skip_locked=True)
            changed = [
                row
                for row in unit.connection.execute(running).mappings()
                if not unit.matches_trail(ACTS, row["id"])
            ]
            for row in changed:
                skipped = row["skipped"] + stop_short(
                    unit, row["id"], "the bulk action was changed past the audit trail"
                )
                why = "changed past the audit trail"
                facts = {"finished_at": now, "skipped": skipped}
                _move(unit, row, BulkActionState.REJECTED, SYSTEM, "act.set_aside", why, **facts)
            return [row["id"] for row in changed]

        with self.orders.store.reading() as connection:
            if connection.execute(select(acts.c.id).where(*_IS_RUNNING).limit(1)).first() is None:
                return
        for act_id in self.orders.transaction(work, now):
            self.orders.set_aside(_ACT, act_id, OrderError("it was changed past the audit trail"), now)

    def _carry_out_one_by_one(self, now: datetime, limit: int) -> int:
        """After a failed batch: one card per transaction; skip and report what fails."""
        with self.orders.store.reading() as connection:
            running = connection.execute(select(acts.c.id).where(*_IS_RUNNING)).scalars().all()
        done = 0
        for act_id in running:
            while done < limit:
                try:
                    one = self.orders.transaction(partial(carry_one, act_id=act_id, limit=1), now)
                except Exception as error:
                    if is_outage(error):
                        raise
                    why = in_one_line(error)
                    one = self.orders.transaction(partial(skip_one, act_id=act_id, why=why), now)
                    self.orders.set_aside(_CARD_OF, act_id, error, now)
                if not one:
                    break
                done += one
        return done

    def get(self, act_id: str, by: Person = SYSTEM) -> BulkAction:
        """Return the bulk action and its progress. UnknownOrder, PermissionDenied."""
        authorize(by, Permission.LIST_BULK_ACTIONS)
        with self.orders.store.reading() as connection:
            return with_undoing(connection, [bulk_action_of(visible_bulk_action(connection, act_id, by))])[0]

    def skipped(self, act_id: str, by: Person = SYSTEM) -> tuple[Skipped, ...]:
        """List the cards that the bulk action skipped, by number, each with its reason."""
        self.get(act_id, by)
        query = (
            select(act_cards.c.card, act_cards.c.why)
            .where(act_cards.c.act_id == act_id, act_cards.c.outcome == SKIPPED)
            .order_by(act_cards.c.card)
        )
        with self.orders.store.reading() as connection:
            return tuple(Skipped(*row) for row in connection.execute(query))

    def _grounds(self, given: Grounds | BilingualText) -> Grounds:
        policy = self.orders.terms.policy
        return (
            given if isinstance(given, Grounds) else Grounds(given, policy.staff_redress, policy.papers)
        ).complete()


def carry_one(unit: UnitOfWork, act_id: str, limit: int) -> int:
    """Execute up to `limit` cards of a bulk action; return how many, 0 unless it is running."""
    row = _locked(unit, act_id)
    is_running = row["state"] == BulkActionState.RUNNING and row["finished_at"] is None
    return carry(unit, [row], limit) if is_running else 0


def _locked(unit: UnitOfWork, act_id: str, by: Person = SYSTEM) -> RowMapping:
    """Lock and return the bulk action's row; serialises approve, undo and execute."""
    return visible_bulk_action(unit.connection, act_id, by, lock=True)


def _is(row: RowMapping, state: BulkActionState, event: str) -> None:
    if row["state"] != state:
        raise NoSuchTransition(f"cannot {event} {row['id']}: it is {row['state']}, and must be {state}")


def _move(
    unit: UnitOfWork,
    row: RowMapping,
    state: BulkActionState,
    by: Person,
    what: str,
    why: str,
    **facts: object,
) -> None:
    if not why.strip():
        raise OrderError(f"say why: the reason stays in the audit trail of {row['id']}")
    was = found(unit.connection, ACTS, row["id"])
    unit.connection.execute(update(acts).where(acts.c.id == row["id"]).values(state=state.value, **facts))
    unit.bulk_action_began |= state is BulkActionState.RUNNING
    unit.note(by, what, row["id"], why.strip(), {"state": row["state"]}, {"state": state.value}, was)
