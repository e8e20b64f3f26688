"""From draft to the police's answer: who may do what, what is deleted when, and what makes a card 涉案."""

from __future__ import annotations

import base64
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as some
from sqlalchemy import select, update

from duanka.bootstrap.casework.clues import ClueWiring, clue_services
from duanka.casework.clues.answers import Answer, ClueAnswers, read_answer
from duanka.domain.case_source import CaseSource
from duanka.domain.clue import TRANSITIONS, ClueError, ClueEvent, ClueState, UnknownClue, next_clue_state
from duanka.domain.order import (
    Event,
    Kind,
    NeedsSecondPerson,
    NoSuchTransition,
    PermissionDenied,
    Role,
    State,
)
from duanka.domain.text import BilingualText
from duanka.ledger.audit.trail import Fault
from duanka.ledger.db.casework.cases import confirmations
from duanka.ledger.db.casework.clues import clues
from duanka.ledger.db.database import Store
from duanka.ledger.db.tables import audit
from duanka.orders.bulk_actions.service import BulkActionService
from duanka.orders.queries.stated_cards import stated_cards
from support.api.desks import KEY, NOW
from support.casework.clue_scene import CONFIRMED, NAMED, SUSPECTED, ClueScene, clue_scene
from support.people import FIRST, SECOND

HOUR = timedelta(hours=1)


@pytest.fixture
def scene(store: Store, tmp_path: Path) -> ClueScene:
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    return clue_scene(store, inbox)


def _standing(scene: ClueScene) -> dict[str, set[tuple[str, str]]]:
    """Card -> police cases that stand, and how each became known."""
    found: dict[str, set[tuple[str, str]]] = {}
    query = select(confirmations).where(confirmations.c.withdrawn_at.is_(None))
    with scene.desk.store.reading() as connection:
        for row in connection.execute(query):
            found.setdefault(row.card, set()).add((row.case_number, row.source))
    return found


def _stopped(scene: ClueScene, card: str) -> bool:
    order = scene.desk.orders.transaction(lambda unit: unit.open_order(card, Kind.RESTRICTION), NOW)
    return order is not None and order.state is State.FORCED_STOP


# states


def test_the_table_leads_nowhere_else() -> None:
    for state in ClueState:
        for event in ClueEvent:
            rows = [row for row in TRANSITIONS if (row.before, row.event) == (state, event)]
            if rows:
                assert next_clue_state(state, event, "L0") is rows[0].after
            else:
                with pytest.raises(NoSuchTransition, match="L0 is"):
                    next_clue_state(state, event, "L0")


def test_who_built_a_clue_does_not_review_it(scene: ClueScene) -> None:
    clue, files = scene.build(), scene.desk.casework.clues.files
    with pytest.raises(NoSuchTransition, match="second person"):
        files.send(clue.id, FIRST, "now", NOW)
    with pytest.raises(NeedsSecondPerson, match="somebody else"):
        files.review(clue.id, scene.who(Role.DESK), "mine", NOW)
    with pytest.raises(PermissionDenied):
        files.review(clue.id, scene.who(Role.POLICE), "theirs", NOW)
    reviewed = files.review(clue.id, FIRST, "read", NOW)
    assert (reviewed.state, reviewed.reviewed_by) == (ClueState.REVIEWED, FIRST.id)
    with pytest.raises(NoSuchTransition):
        files.review(clue.id, SECOND, "again", NOW)
    with pytest.raises(PermissionDenied):
        files.send(clue.id, scene.who(Role.DESK), "not mine", NOW)


def test_the_polices_files_are_deleted_once_they_acknowledge_them(scene: ClueScene) -> None:
    clue, files = scene.sent(), scene.desk.casework.clues.files
    assert (clue.state, clue.has_full) == (ClueState.SENT, True)
    taken = files.acknowledge(clue.id, scene.who(Role.POLICE), "received", NOW + HOUR)
    assert (taken.state, taken.has_full, scene.package(clue)) == (ClueState.ACKNOWLEDGED, False, None)
    assert scene.ours(clue).keys() >= {"dossier.pdf", "bundle.json"}
    with pytest.raises(NoSuchTransition):
        files.acknowledge(clue.id, scene.who(Role.POLICE), "again", NOW + HOUR)


def test_what_nobody_acknowledges_is_deleted_after_the_days_of_the_policy(scene: ClueScene) -> None:
    clue, files = scene.reviewed(), scene.desk.casework.clues.files
    assert files.purge(NOW + timedelta(days=30) - HOUR) == 0
    assert files.purge(NOW + timedelta(days=30)) == 1
    assert files.purge(NOW + timedelta(days=31)) == 0
    assert scene.package(clue) is None
    with pytest.raises(ClueError, match="deleted after 30 days"):
        files.send(clue.id, SECOND, "late", NOW + timedelta(days=30))


def test_every_act_is_in_the_trail(scene: ClueScene) -> None:
    clue = scene.sent()
    scene.desk.casework.clues.files.acknowledge(clue.id, scene.who(Role.POLICE), "received", NOW)
    _answer(scene, clue.id, Answer((SUSPECTED,), (), "A2"))
    with scene.desk.store.reading() as connection:
        told = connection.execute(
            select(audit.c.what).where(audit.c.subject == clue.id).order_by(audit.c.seq)
        ).scalars()
        acts = ["clue.build", "clue.built", "clue.review", "clue.send", "clue.acknowledge", "clue.confirm"]
        assert list(told) == acts
        looked = connection.execute(select(audit.c.why).where(audit.c.what == "lookup.ring")).scalars().all()
    assert looked == [f"{scene.case} · handed over"]
    assert not [one for one in scene.desk.trail.verify(scene.desk.store) if isinstance(one, Fault)]


@pytest.mark.parametrize(
    "changed", [{"package": b"another"}, {"reviewed_by": "nobody.else"}, {"recipient": "E0"}]
)
def test_a_clue_that_was_changed_past_us_is_not_sent(scene: ClueScene, changed: dict[str, Any]) -> None:
    clue, files = scene.reviewed(), scene.desk.casework.clues.files
    with scene.desk.store.writing() as connection:
        connection.execute(update(clues).where(clues.c.id == clue.id).values(**changed))
    with pytest.raises(ClueError, match="somebody changed the database"):
        files.send(clue.id, SECOND, "now", NOW)
    assert list(scene.inbox.iterdir()) == []


def test_a_draft_that_was_made_reviewed_past_us_is_not_sent(scene: ClueScene) -> None:
    clue, files = scene.build(), scene.desk.casework.clues.files
    with scene.desk.store.writing() as connection:
        raised = {"state": "reviewed", "reviewed_by": FIRST.id, "reviewed_at": NOW}
        connection.execute(update(clues).where(clues.c.id == clue.id).values(**raised))
    with pytest.raises(ClueError, match="somebody changed the database"):
        files.send(clue.id, SECOND, "now", NOW)


# answers


def _answer(scene: ClueScene, clue: str, answer: Answer, by: Role = Role.POLICE) -> Any:
    return scene.desk.casework.clues.answers.answer(clue, answer, scene.who(by), "our letter", NOW + HOUR)


@pytest.mark.requirement("R8")
def test_a_confirmation_makes_the_named_card_confirmed_and_nothing_else(scene: ClueScene) -> None:
    clue, before = scene.sent(), _standing(scene)
    taken = _answer(scene, clue.id, Answer((SUSPECTED,), (NAMED,), "A2026-99", "loan"))
    assert (taken.clue.state, taken.clue.case_number, taken.clue.has_full) == (
        ClueState.CONFIRMED,
        "A2026-99",
        False,
    )
    assert _standing(scene) == {**before, SUSPECTED: {("A2026-99", "clue_feedback")}}
    assert not _stopped(scene, SUSPECTED)
    told = stated_cards(scene.desk.store, scene.desk.trail, "links build", NOW + 2 * HOUR)
    assert set(told.confirmed) == {CONFIRMED, SUSPECTED}


def test_a_confirmed_card_leaves_the_lifeline_with_the_next_sweep(scene: ClueScene) -> None:
    clue, orders = scene.sent(), scene.desk.orders
    acts, why = BulkActionService(orders), BilingualText("须核实", "to be verified")
    act = acts.propose(Event.LIFELINE, [SUSPECTED, NAMED], why, FIRST, NOW)
    acts.approve(act.id, SECOND, "seen", NOW)
    acts.carry_out(NOW)
    _answer(scene, clue.id, Answer((SUSPECTED,), (NAMED,), "A2026-99"))
    orders.sweep(NOW + HOUR)

    def state(card: str) -> State | None:
        order = orders.transaction(lambda unit: unit.open_order(card, Kind.RESTRICTION), NOW)
        return order.state if order else None

    assert (state(SUSPECTED), state(NAMED)) == (State.SUSPENDED, State.LIFELINE)


@pytest.mark.requirement("R8")
def test_a_confirmed_card_is_stopped_only_where_the_answer_asks_for_it(scene: ClueScene) -> None:
    clue = scene.sent()
    taken = _answer(scene, clue.id, Answer((SUSPECTED, NAMED), (), "A2026-99", stop=True))
    assert (taken.confirmed, taken.stopped, taken.not_stopped) == (2, 2, ())
    assert _stopped(scene, SUSPECTED)
    assert _stopped(scene, NAMED)


def test_a_refutation_withdraws_what_came_of_this_clue_and_no_other_word(scene: ClueScene) -> None:
    clue, before = scene.sent(), _standing(scene)
    _answer(scene, clue.id, Answer((SUSPECTED, CONFIRMED), (), "A2026-99"))
    taken = _answer(scene, clue.id, Answer((), (SUSPECTED, CONFIRMED)))
    assert (taken.clue.state, taken.withdrawn) == (ClueState.REFUTED, 2)
    assert _standing(scene) == before
    assert CONFIRMED in before  # by their notice, which stands


def test_an_answer_that_does_not_hold_changes_nothing(scene: ClueScene) -> None:
    clue, before = scene.sent(), _standing(scene)
    for answer, why in (
        (Answer((SUSPECTED,), (), ""), "case number"),
        (Answer((SUSPECTED, "8613999999999"), (), "A2"), "1 cards are not of"),
        (Answer((SUSPECTED,), (SUSPECTED,), "A2"), "at once"),
        (Answer(), "name them"),
        (Answer((), (NAMED,), "", stop=True), "only confirmed"),
    ):
        with pytest.raises(ClueError, match=why):
            _answer(scene, clue.id, answer)
    with pytest.raises(PermissionDenied):
        _answer(scene, clue.id, Answer((SUSPECTED,), (), "A2"), Role.SUPERVISOR)
    with pytest.raises(UnknownClue):
        _answer(scene, "L000000000000", Answer((SUSPECTED,), (), "A2"))
    assert _standing(scene) == before


def test_a_draft_is_not_answered(scene: ClueScene) -> None:
    with pytest.raises(NoSuchTransition, match="second person"):
        _answer(scene, scene.build().id, Answer((SUSPECTED,), (), "A2"))


# signed answers


_SOURCE = Ed25519PrivateKey.from_private_bytes(b"s" * 32)


def _signed(scene: ClueScene, clue: str, key: Ed25519PrivateKey = _SOURCE, **more: object) -> Any:
    raw = _SOURCE.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    wiring = ClueWiring(KEY, lambda: [CaseSource("city.bureau", raw)])
    rings, invented = scene.desk.rings, scene.desk.store_of_records
    answers: ClueAnswers = clue_services(
        scene.desk.orders, rings, lambda: invented, invented.status, wiring
    ).answers
    told = {
        "clue": clue,
        "at": (NOW + HOUR).isoformat(),
        "caseNumber": "A7",
        "confirmed": [SUSPECTED],
        **more,
    }
    content = json.dumps(told).encode()
    signature = base64.b64encode(key.sign(content)) + b"\n"
    return answers.signed(content, signature, scene.who(Role.DESK), "came by courier", NOW + 2 * HOUR)


def test_a_signed_answer_counts_whoever_hands_it_in(scene: ClueScene) -> None:
    clue, before = scene.sent(), _standing(scene)
    taken = _signed(scene, clue.id)
    assert (taken.clue.state, taken.clue.answered_by) == (ClueState.CONFIRMED, "city.bureau")
    assert _standing(scene) == {**before, SUSPECTED: {("A7", "clue_feedback")}}


def test_an_answer_that_nobody_signed_who_counts_changes_nothing(scene: ClueScene) -> None:
    clue, before = scene.sent(), _standing(scene)
    with pytest.raises(ClueError, match="nobody signed"):
        _signed(scene, clue.id, Ed25519PrivateKey.generate())
    with pytest.raises(ClueError, match="is JSON"):
        _signed(scene, clue.id, at="yesterday")
    with pytest.raises(ClueError, match="future"):
        _signed(scene, clue.id, at=(NOW + 3 * HOUR).isoformat())
    assert _standing(scene) == before


def test_an_old_answer_that_is_handed_in_again_changes_nothing(scene: ClueScene) -> None:
    clue = scene.sent()
    _signed(scene, clue.id)
    _signed(scene, clue.id, at=(NOW + HOUR + HOUR / 2).isoformat(), confirmed=[], refuted=[SUSPECTED])
    refuted = _standing(scene)
    with pytest.raises(ClueError, match="answered later"):
        _signed(scene, clue.id)
    assert _standing(scene) == refuted


@settings(max_examples=25)
@given(some.binary(max_size=80))
def test_bytes_that_are_no_answer_are_refused(content: bytes) -> None:
    with pytest.raises(ClueError, match="is JSON"):
        read_answer(content)


@pytest.mark.parametrize(
    "said",
    [
        {"caseNumber": None},
        {"caseNumber": ["A7"]},
        {"caseNumber": 7},
        {"confirmed": SUSPECTED},
        {"confirmed": [int(SUSPECTED)]},
        {"stop": "yes"},
        {"fraudKind": None},
        {"fraudKind": "loan\x07"},
        {"fraudKind": "sorcery"},
        {"casenumber": "A7"},
    ],
    ids=str,
)
def test_a_signed_answer_of_another_form_makes_nothing_confirmed(
    scene: ClueScene, said: dict[str, Any]
) -> None:
    clue, before = scene.sent(), _standing(scene)
    with pytest.raises(ClueError, match=r"is JSON|no such kind"):
        _signed(scene, clue.id, **said)
    assert _standing(scene) == before


def test_a_signed_answer_from_before_the_clue_answers_another(scene: ClueScene) -> None:
    clue, before = scene.sent(), _standing(scene)
    with pytest.raises(ClueError, match="was built later"):
        _signed(scene, clue.id, at=(NOW - HOUR).isoformat())
    assert _standing(scene) == before


def test_a_refutation_withdraws_all_that_this_clue_confirmed(scene: ClueScene) -> None:
    clue, before = scene.sent(), _standing(scene)
    for case in ("A2026-98", "A2026-99"):
        _answer(scene, clue.id, Answer((SUSPECTED,), (), case))
    assert len(_standing(scene)[SUSPECTED]) == 2
    _answer(scene, clue.id, Answer((), (SUSPECTED,)))
    assert _standing(scene) == before


def test_deep_brackets_are_no_answer() -> None:
    with pytest.raises(ClueError, match="is JSON"):
        read_answer(b"[" * 200_000)
