"""Bulk actions (批量操作): proposed by one person, approved by another, batched.

A bulk action covers one card or ten thousand. Where two people are needed (four eyes), the first is whoever proposes
and the second a supervisor with another name. Lifting restrictions needs one person and starts at once, except for
tiers for which the policy demands two. A policy may let one person suffice for a stop; the audit trail then says so
for each card.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy import RowMapping, func, insert, select, update

from duanka.domain.authority import Permission, authorize, move_permission
from duanka.domain.bounds import end_of_measure
from duanka.domain.bulk_action import LIFTS, MOST_CARDS, Act, ActState, Skipped, can_be_asked, numbers_of
from duanka.domain.evidence import had_a_hand_in, ran_out
from duanka.domain.local_time import operator_zone
from duanka.domain.order import (
    SYSTEM,
    Event,
    Grounds,
    Kind,
    NeedsSecondPerson,
    NoSuchTransition,
    OrderError,
    PermissionDenied,
    Person,
    ProtectedCard,
    Role,
)
from duanka.domain.person import same_person
from duanka.domain.text import BilingualText
from duanka.ledger.audit.row_digests import ACTS, found
from duanka.ledger.db.rows import act_of, new_id
from duanka.ledger.db.tables import act_cards, acts
from duanka.ledger.monitoring.isolation import in_one_line, is_outage
from duanka.ledger.people.keys import acts_still
from duanka.ledger.people.places import acts_in
from duanka.ledger.unit_of_work.four_eyes import takes_two
from duanka.ledger.unit_of_work.unit_of_work import UnitOfWork, cancelled
from duanka.orders.bulk_actions.execution import AT_ONCE, SKIPPED, carry, skip_one
from duanka.orders.bulk_actions.review import put_places, seen_act, strike
from duanka.orders.bulk_actions.undo import must_be_undoable, put_back, stop_short, undoing, with_undoing
from duanka.orders.proposals import store_act
from duanka.orders.service import OrderService

_CARD_OF, _ACT = BilingualText("批量操作中的号码", "a card of"), BilingualText("批量操作", "the act")
MOST_WAITING, MOST_CARDS_WAITING = 500, 2 * MOST_CARDS  # awaiting approval per proposer


class ActService:
    """Service for bulk actions; a method is one transaction, safe across processes."""

    def __init__(self, book: OrderService) -> None:
        self.book = book

    def propose(
        self,
        event: Event,
        cards: Iterable[str],
        grounds_or_reason: Grounds | BilingualText,
        by: Person,
        now: datetime,
        until: datetime | None = None,
    ) -> Act:
        """Propose `event` for `cards`; return the bulk action.

        `cards`: E.164, with or without +; duplicates count once. `until`: end of a punishment; only given for that
        event. Lifting starts at once, unless a card's tier takes two people. Protected and cancelled cards are listed
        as skipped.

        OrderError: a number is malformed (the message names it), or every card would be skipped.
        """
        _may_ask(event, by)
        numbers, repeated = numbers_of(cards)
        grounds = self._grounds(grounds_or_reason)
        if (event is Event.PUNISH) != (until is not None):
            raise OrderError(
                "a punishment needs the day until which it lasts, after now; nothing else has one"
            )
        until = end_of_measure(until, now) if until else None

        def work(turn: UnitOfWork) -> str:
            left_out = _left_out(turn, numbers)
            if len(left_out) == len(numbers):
                raise _nothing_left(turn, left_out)
            alone = _suffices(turn, event, numbers)
            if not alone:
                not_too_many(turn, by, len(numbers))
            act = Act(
                id=new_id("A"),
                event=event,
                state=ActState.RUNNING if alone else ActState.PROPOSED,
                grounds=grounds,
                proposed_by=by.id,
                proposed_at=now,
                total=len(numbers),
                skipped=len(left_out),
                approved_at=now if alone else None,
                until=until,
            )
            store_act(turn, act)
            put_places(turn, act.id, numbers, by)
            turn.connection.execute(insert(act_cards), _rows(act.id, numbers, left_out))
            said: dict[str, object] = {"event": event.value, "state": act.state.value, "cards": len(numbers)}
            said |= {"skipped": len(left_out), "named_twice": repeated, "two_people": not alone}
            if until:
                said["until"] = until.isoformat()
            turn.note(by, "act.propose", act.id, grounds.reason.en, {}, said)
            if event in LIFTS and alone:
                carry(turn, [_locked(turn, act.id)], AT_ONCE)
            return act.id

        return self.act(self.book.turn(work, now))

    def approve(self, act_id: str, by: Person, why: str, now: datetime, without: Sequence[str] = ()) -> Act:
        """Approve a proposed bulk action, which starts it.

        `by`: a supervisor other than the proposer, under whatever role. `without`: cards to leave out, by number or
        by line in the bulk action, like #17.
        """
        authorize(by, Permission.APPROVE_ACT)

        def work(turn: UnitOfWork) -> None:
            row = _locked(turn, act_id, by)
            _is(row, ActState.PROPOSED, "approve")
            if same_person(by.id, row["proposed_by"]):
                raise NeedsSecondPerson(f"{by.id} proposed {act_id}: somebody else must approve it")
            acts_still(turn.connection, row["proposed_by"], Permission.PROPOSE_ACT)
            if not turn.as_told(ACTS, act_id):
                raise OrderError(
                    f"{act_id} was changed past the audit trail since: reject it (`duanka audit verify` says what)"
                )
            if row["verification"]:
                _still_to_decide(turn, row, by)
            if row["until"] and row["until"] <= now:
                raise OrderError(
                    f"{act_id} would have ended on {operator_zone().written(row['until'])}; propose it anew"
                )
            facts: dict[str, object] = {"approved_by": by.id, "approved_at": now}
            if without:
                facts["skipped"] = row["skipped"] + strike(turn, row, without, by, why)
            _move(turn, row, ActState.RUNNING, by, "act.approve", why, **facts)

        self.book.turn(work, now)
        return self.act(act_id)

    def reject(self, act_id: str, by: Person, why: str, now: datetime) -> Act:
        """Reject a proposed bulk action. `by`: a supervisor, or the proposer.

        A proposal that follows from a verification cannot be rejected by anybody who took part in that verification:
        they would lift the restriction alone.
        """

        authorize(by, Permission.REJECT_ACT)

        def work(turn: UnitOfWork) -> None:
            row = _locked(turn, act_id, by)
            _is(row, ActState.PROPOSED, "reject")
            _rejects(turn, row, by)
            _move(turn, row, ActState.REJECTED, by, "act.reject", why, finished_at=now)

        self.book.turn(work, now)
        return self.act(act_id)

    def undo(self, act_id: str, by: Person, why: str, now: datetime) -> Act:
        """Undo a bulk stop; return the new bulk action that does so.

        It covers every card that was stopped by this one and not changed since. A card that had outgoing calls barred
        before returns to that state, with its earlier reason and deadline; one that was active is restored. If the
        bulk action is still running it ends here, and its pending cards are skipped.
        """

        authorize(by, Permission.UNDO_ACT)

        def work(turn: UnitOfWork) -> str:
            row = _locked(turn, act_id, by)
            must_be_undoable(turn, row)
            stopped_short = stop_short(turn, act_id) if row["state"] == ActState.RUNNING else 0
            _move(
                turn,
                row,
                ActState.UNDONE,
                by,
                "act.undo",
                why,
                finished_at=row["finished_at"] or now,
                skipped=row["skipped"] + stopped_short,
            )
            told = self._grounds(BilingualText(f"撤销{act_id}：{why}", f"undone {act_id}: {why}"))
            undo = put_back(turn, row, told, by)
            carry(turn, [_locked(turn, undo)], AT_ONCE)
            return undo

        return self.act(self.book.turn(work, now))

    def being_undone(self, act_id: str, by: Person) -> bool:
        """Whether an undo is done or in progress, so that asking again changes nothing."""
        state = self.act(act_id, by).state
        if state is not ActState.PARTLY_UNDONE:
            return state is ActState.UNDONE
        with self.book.store.reading() as connection:
            return bool(undoing(connection, act_id))

    def carry_out(self, now: datetime, limit: int = 500) -> int:
        """Execute up to `limit` cards of all running bulk actions, in one transaction.

        Returns the number of cards processed; 0 when no card is pending that another worker has not locked. Every
        bulk action gets an equal share of each batch, so that a large one does not delay the others.
        """

        self._end_changed(now)

        def work(turn: UnitOfWork) -> int:
            running = (
                select(acts)
                .where(acts.c.state == ActState.RUNNING.value, acts.c.finished_at.is_(None))
                .order_by(acts.c.approved_at, acts.c.id)
                .limit(limit)
                .with_for_update(skip_locked=True)
            )
            return carry(turn, turn.connection.execute(running).mappings().all(), limit)

        try:
            return self.book.turn(work, now)
        except Exception as error:
            if is_outage(error):
                raise
            return self._carry_out_one_by_one(now, limit)

    def _end_changed(self, now: datetime) -> None:
        """End bulk actions whose rows were changed past the audit trail: not as approved."""

        def work(turn: UnitOfWork) -> list[str]:
            is_running = (acts.c.state == ActState.RUNNING.value, acts.c.finished_at.is_(None))
            running = select(acts).where(*is_running).with_for_update(skip_locked=True)
            changed = [
                row
                for row in turn.connection.execute(running).mappings()
                if not turn.as_told(ACTS, row["id"])
            ]
            for row in changed:
                skipped = row["skipped"] + stop_short(
                    turn, row["id"], "the act was changed past the audit trail"
                )
                why = "changed past the audit trail"
                facts = {"finished_at": now, "skipped": skipped}
                _move(turn, row, ActState.REJECTED, SYSTEM, "act.set_aside", why, **facts)
            return [row["id"] for row in changed]

        with self.book.store.reading() as connection:
            none = select(acts.c.id).where(
                acts.c.state == ActState.RUNNING.value, acts.c.finished_at.is_(None)
            )
            if connection.execute(none.limit(1)).first() is None:
                return
        for act_id in self.book.turn(work, now):
            self.book.set_aside(_ACT, act_id, OrderError("it was changed past the audit trail"), now)

    def _carry_out_one_by_one(self, now: datetime, limit: int) -> int:
        """After a failed batch: one card per transaction; skip and report what fails."""
        is_running = (acts.c.state == ActState.RUNNING.value, acts.c.finished_at.is_(None))
        with self.book.store.reading() as connection:
            running = connection.execute(select(acts.c.id).where(*is_running)).scalars().all()
        done = 0
        for act_id in running:
            while done < limit:
                try:
                    one = self.book.turn(lambda turn, of=act_id: _carry_one(turn, of), now)  # type: ignore[misc]
                except Exception as error:
                    if is_outage(error):
                        raise
                    why = in_one_line(error)
                    one = self.book.turn(lambda turn, of=act_id, why=why: skip_one(turn, of, why), now)  # type: ignore[misc]
                    self.book.set_aside(_CARD_OF, act_id, error, now)
                if not one:
                    break
                done += one
        return done

    def act(self, act_id: str, by: Person = SYSTEM) -> Act:
        """Return the bulk action and its progress. UnknownOrder, PermissionDenied."""
        authorize(by, Permission.LIST_ACTS)
        with self.book.store.reading() as connection:
            return with_undoing(connection, [act_of(seen_act(connection, act_id, by))])[0]

    def acts(self, by: Person, state: ActState | None = None, limit: int = 100) -> tuple[Act, ...]:
        """List the latest bulk actions in the scope of `by`, newest first."""
        authorize(by, Permission.LIST_ACTS)
        query = select(acts).where(*acts_in(by, acts.c.id))
        query = query.order_by(acts.c.proposed_at.desc(), acts.c.id.desc()).limit(limit)
        if state is not None:
            query = query.where(acts.c.state == state.value)
        with self.book.store.reading() as connection:
            found = [act_of(row) for row in connection.execute(query).mappings()]
            return with_undoing(connection, found)

    def skipped(self, act_id: str, by: Person = SYSTEM) -> tuple[Skipped, ...]:
        """List the cards that the bulk action skipped, by number, each with its reason."""
        self.act(act_id, by)
        query = (
            select(act_cards.c.card, act_cards.c.why)
            .where(act_cards.c.act_id == act_id, act_cards.c.outcome == SKIPPED)
            .order_by(act_cards.c.card)
        )
        with self.book.store.reading() as connection:
            return tuple(Skipped(*row) for row in connection.execute(query))

    def _grounds(self, given: Grounds | BilingualText) -> Grounds:
        policy = self.book.terms.policy
        return (
            given if isinstance(given, Grounds) else Grounds(given, policy.redress, policy.papers)
        ).complete()


def _carry_one(turn: UnitOfWork, act_id: str) -> int:
    row = _locked(turn, act_id)
    return carry(turn, [row], 1) if row["state"] == ActState.RUNNING and row["finished_at"] is None else 0


def _may_ask(event: Event, by: Person) -> None:
    if not can_be_asked(event):
        raise NoSuchTransition(f"{event} cannot be asked for a list of cards")
    authorize(by, Permission.PROPOSE_ACT)
    authorize(by, move_permission(Kind.VERIFICATION if event is Event.WITHDRAW else Kind.RESTRICTION, event))


def _suffices(turn: UnitOfWork, event: Event, numbers: Iterable[str]) -> bool:
    """Whether one person is enough: lifting, unless a tier takes two, or by policy."""
    if event in LIFTS:
        turn.lock(list(numbers))
        return not any(takes_two(turn, card) for card in numbers)
    return not turn.policy.two_people


def _still_to_decide(turn: UnitOfWork, row: RowMapping, by: Person) -> None:
    """Check that the approver took no part in the verification, and it is undecided."""
    order = turn.order(row["verification"])
    if not ran_out(order):
        raise NoSuchTransition(f"{order.id} is {order.state}: nothing is left to decide; reject {row['id']}")
    if had_a_hand_in(order, by.id):
        raise NeedsSecondPerson(f"{by.id} had a hand in {order.id}: somebody else must approve {row['id']}")


def _rejects(turn: UnitOfWork, row: RowMapping, by: Person) -> None:
    """Check that `by` is supervisor or proposer, and took no part in the verification."""
    if row["verification"] and had_a_hand_in(turn.order(row["verification"]), by.id, row["proposed_by"]):
        raise NeedsSecondPerson(
            f"{by.id} had a hand in {row['verification']}: somebody else must reject {row['id']}"
        )
    if by.role is not Role.SUPERVISOR and not same_person(by.id, row["proposed_by"]):
        raise PermissionDenied(
            f"{by.id} may not reject {row['id']}; it takes a supervisor, or who proposed it"
        )


def not_too_many(turn: UnitOfWork, by: Person, more: int) -> None:
    """OrderError if too much of `by` awaits approval: nobody may fill the database."""
    turn.one_at_a_time(by)
    waiting = select(func.count(), func.coalesce(func.sum(acts.c.total), 0)).where(
        acts.c.proposed_by == by.id, acts.c.state == ActState.PROPOSED.value
    )
    count, total = turn.connection.execute(waiting).one()
    if count >= MOST_WAITING or total + more > MOST_CARDS_WAITING:
        raise OrderError(
            f"{count} acts of {by.id} on {total} cards wait for a second person, and at most {MOST_WAITING} on"
            f" {MOST_CARDS_WAITING} cards wait at once: let some be approved or rejected first"
        )


def _left_out(turn: UnitOfWork, numbers: Iterable[str]) -> dict[str, str]:
    """Map the cards that no bulk action may touch to the reason."""
    gone = dict.fromkeys(cancelled(turn.connection, numbers), "cancelled for good")
    mine = {card: "on the protected list: never touched" for card in numbers if turn.policy.protects(card)}
    return gone | mine


def _nothing_left(turn: UnitOfWork, left_out: dict[str, str]) -> OrderError:
    card, why = next(iter(left_out.items()))
    more = f" and {len(left_out) - 1} more" if len(left_out) > 1 else ""
    kind = ProtectedCard if turn.policy.protects(card) else NoSuchTransition
    return kind(f"nothing is left to do: {card} is {why}{more}")


def _rows(act_id: str, numbers: Iterable[str], left_out: dict[str, str]) -> list[dict[str, object]]:
    return [
        {
            "act_id": act_id,
            "card": card,
            "outcome": SKIPPED if card in left_out else None,
            "why": left_out.get(card),
        }
        for card in numbers
    ]


def _locked(turn: UnitOfWork, act_id: str, by: Person = SYSTEM) -> RowMapping:
    """Lock and return the bulk action's row; serialises approve, undo and execute."""
    return seen_act(turn.connection, act_id, by, lock=True)


def _is(row: RowMapping, state: ActState, event: str) -> None:
    if row["state"] != state:
        raise NoSuchTransition(
            f"{row['id']} is {row['state']}: only one that is {state} can be asked to {event}"
        )


def _move(
    turn: UnitOfWork, row: RowMapping, state: ActState, by: Person, what: str, why: str, **facts: object
) -> None:
    if not why.strip():
        raise OrderError(f"say why: the reason stays in the audit trail of {row['id']}")
    was = found(turn.connection, ACTS, row["id"])
    turn.connection.execute(update(acts).where(acts.c.id == row["id"]).values(state=state.value, **facts))
    turn.act_began |= state is ActState.RUNNING
    turn.note(by, what, row["id"], why.strip(), {"state": row["state"]}, {"state": state.value}, was)
