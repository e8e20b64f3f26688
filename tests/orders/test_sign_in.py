"""Signing in by a password: what opens a session, what slows guessing down, and what the trail tells."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from sqlalchemy import Table, insert, select, update

from duanka.domain.order import NeedsSecondPerson, OrderError, PermissionDenied, Person, Role
from duanka.domain.person import BadPerson, Scope
from duanka.domain.sign_in import (
    LOCK_SECONDS,
    MOST_SESSIONS,
    BadPassword,
    CredentialKind,
    SessionEnd,
    SignInRefused,
    StaffSession,
    WrongPassword,
    generated_halves,
    good_password,
    locked_for,
    login_name,
    new_password_half,
)
from duanka.ledger.audit.kept_end import KeptEnds, TrailGuard
from duanka.ledger.audit.trail import Fault, Trail
from duanka.ledger.db.database import Store
from duanka.ledger.db.tables import audit
from duanka.ledger.db.tables_people import persons
from duanka.ledger.db.tables_sign_in import credentials, sign_in_tries, staff_sessions
from duanka.ledger.monitoring.alarms import AlarmService
from duanka.ledger.people.kept_people import KeptPeople
from duanka.ledger.people.requests import PersonProposal
from duanka.ledger.people.sign_in import sign_in_services
from duanka.ledger.people.staff_sessions import SEEN_EVERY, token_hash
from support.orders.books import HOUR, KEY, NOW, backup_of, restore
from support.people import CHEAP, FIRST, PASSWORD, SECOND, People

TRAIL, SECOND_OF_TIME, MINUTE = Trail(KEY), timedelta(seconds=1), timedelta(minutes=1)
HERE, OTHER = "192.0.2.7", "Another-8-horse-battery"


@pytest.fixture
def people(store: Store) -> People:
    """A clerk with a password, and two supervisors."""
    people = People(store, TRAIL)
    people.add("wang", Role.DESK, name="王伟")
    people.password("wang", "wang.wei")
    return people


def _in(
    people: People, login: str = "wang.wei", password: str = PASSWORD, now: datetime = NOW
) -> StaffSession:
    return people.sign_in.passwords.begin(login, password, HERE, now)


def _who(people: People, session: StaffSession, now: datetime = NOW) -> StaffSession | None:
    return people.sign_in.sessions.who(session.token, now)


def _told(store: Store, *whats: str) -> Iterator[tuple[str, str, str]]:
    """What the trail tells: what, who, about what."""
    with store.reading() as connection:
        rows = connection.execute(select(audit).where(audit.c.what.in_(whats)).order_by(audit.c.seq)).all()
    yield from ((row.what, row.who, row.after) for row in rows)


def _holds(store: Store) -> bool:
    return not [found for found in TRAIL.verify(store) if isinstance(found, Fault)]


def test_a_password_opens_a_session_until_its_person_signs_out(store: Store, people: People) -> None:
    one, other = _in(people), _in(people, " WANG.WEI ")
    assert one.token != other.token
    found = _who(people, one)
    assert found
    assert (found.person, found.must_change) == (Person("wang", Role.DESK), False)
    assert found.ends_at == NOW + 12 * HOUR
    people.sign_in.sessions.sign_out(one, NOW + MINUTE)
    people.sign_in.sessions.sign_out(one, NOW + 2 * MINUTE)
    assert _who(people, one) is None, "also if it is sent again"
    assert _who(people, other)
    assert [what for what, *_ in _told(store, "sign_in.begin", "sign_in.end")] == [
        *("sign_in.begin", "sign_in.begin", "sign_in.end"),
    ]
    assert _holds(store)


def test_neither_password_nor_token_is_in_the_database(store: Store, people: People) -> None:
    session = _in(people)
    with pytest.raises(SignInRefused):
        _in(people, password="Not-the-password-9")  # noqa: S106  # of a test
    with store.reading() as connection:
        tables = (audit, credentials, staff_sessions, sign_in_tries)
        kept = "".join(str(row) for table in tables for row in connection.execute(select(table)).all())
    assert not [secret for secret in (PASSWORD, session.token, "Not-the-password-9") if secret in kept]
    assert "$argon2id$" in kept
    assert token_hash(session.token) in kept


@pytest.mark.parametrize("login", ["wang.wei", "nobody", "wang", "", "\0", "\ud800", "x" * 300, "王伟"])
def test_whatever_is_wrong_is_told_alike(people: People, login: str) -> None:
    people.persons.propose(PersonProposal.CHANGE, Person("wang", Role.DESK, "王伟"), FIRST, NOW)
    for password in ("Not-the-password-9", "", "\0", "\udfff", "x" * 1000):
        with pytest.raises(SignInRefused) as refused:
            _in(people, login, password, NOW + HOUR)
        assert "wang" not in str(refused.value)
        people = People(people.store, TRAIL, given=people.given)
        with people.store.writing() as connection:
            connection.execute(sign_in_tries.delete())


def test_a_wrong_password_locks_the_name_for_longer_and_longer(people: People) -> None:
    now = NOW
    for seconds in (*LOCK_SECONDS[1:], LOCK_SECONDS[-1], LOCK_SECONDS[-1]):
        with pytest.raises(SignInRefused):
            _in(people, password=OTHER, now=now)
        for early in {0, seconds // 2, seconds - 1} if seconds else ():
            with pytest.raises(SignInRefused):  # which makes it no longer
                _in(people, now=now + early * SECOND_OF_TIME)
        now += seconds * SECOND_OF_TIME
    _in(people, now=now)
    assert LOCK_SECONDS[-1] == 15 * 60


def test_a_name_that_is_locked_ends_no_session_and_others_sign_in(store: Store, people: People) -> None:
    people.add("li", Role.DESK)
    people.password("li")
    mine = _in(people)
    for at in range(6):
        with pytest.raises(SignInRefused):
            _in(people, password=OTHER, now=NOW + at * SECOND_OF_TIME)
    with pytest.raises(SignInRefused):
        _in(people, now=NOW + 6 * SECOND_OF_TIME)
    assert _who(people, mine, NOW + MINUTE)
    _in(people, "li", now=NOW + MINUTE)
    failed = list(_told(store, "sign_in.failed", "sign_in.locked"))
    assert [what for what, *_ in failed] == ["sign_in.failed"] * 2 + ["sign_in.locked"]
    assert {who for _, who, _ in failed} == {"duanka"}
    assert _holds(store)


def test_names_that_do_not_exist_are_counted_alike_and_fill_no_trail(store: Store, people: People) -> None:
    for name in ("wang.wei", "nobody"):
        for _ in range(4):
            with pytest.raises(SignInRefused):
                _in(people, name, OTHER)
    with store.reading() as connection:
        rows = connection.execute(select(sign_in_tries.c.failures)).scalars().all()
        assert "nobody" not in str(connection.execute(select(sign_in_tries)).all())
    assert rows == [3, 3], "the fourth came while they were locked"
    assert not [told for told in _told(store, "sign_in.failed", "sign_in.locked") if "nobody" in str(told)]


def test_tries_at_once_are_counted_before_a_password_is_looked_at(people: People) -> None:
    refused = list[bool]()

    def guess() -> None:
        try:
            _in(people, password=OTHER)
        except SignInRefused:
            refused.append(True)

    threads = [threading.Thread(target=guess) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(refused) == 8
    with people.store.reading() as connection:
        assert connection.execute(select(sign_in_tries.c.failures)).scalar_one() == 3, "locked by the third"


def test_two_sign_ins_at_once_are_two_sessions(people: People) -> None:
    made = list[StaffSession]()
    threads = [threading.Thread(target=lambda: made.append(_in(people))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({one.token for one in made}) == 2
    assert all(_who(people, one) for one in made)


def test_wrong_passwords_are_forgotten_after_a_day_and_by_the_right_one(people: People) -> None:
    for at in (0, 1):
        with pytest.raises(SignInRefused):
            _in(people, password=OTHER, now=NOW + at * MINUTE)
    _in(people, now=NOW + 2 * MINUTE)
    for at in (3, 4):
        with pytest.raises(SignInRefused):
            _in(people, password=OTHER, now=NOW + at * MINUTE)
    _in(people, now=NOW + 4 * MINUTE)  # only two in a row


def test_a_session_ends_when_it_is_idle_and_at_its_longest(store: Store, people: People) -> None:
    idle, used = _in(people), _in(people)
    now = NOW
    while now < NOW + 12 * HOUR - MINUTE:
        assert _who(people, used, now), now
        now += 14 * MINUTE
    assert _who(people, idle, NOW + HOUR) is None
    assert _who(people, used, NOW + 12 * HOUR) is None
    ends = [after for _, _, after in _told(store, "sign_in.end")]
    assert ends == ['{"because":"idle"}', '{"because":"longest"}']
    assert _who(people, idle, NOW) is None, "over for good, whatever the clock says"
    assert _holds(store)


def test_to_look_keeps_nobody_signed_in(people: People) -> None:
    session = _in(people)
    for minute in range(15):
        assert people.sign_in.sessions.who(session.token, NOW + minute * MINUTE, active=False)
    assert people.sign_in.sessions.who(session.token, NOW + 15 * MINUTE, active=False) is None


def test_a_request_is_written_down_once_a_minute(store: Store, people: People) -> None:
    session = _in(people)
    for seconds, seen in ((59, NOW), (60, NOW + SEEN_EVERY), (100, NOW + SEEN_EVERY)):
        assert _who(people, session, NOW + seconds * SECOND_OF_TIME)
        with store.reading() as connection:
            assert connection.execute(select(staff_sessions.c.seen_at)).scalar_one() == seen


def test_a_clock_that_was_ahead_gives_nobody_more_time_and_locks_nobody(people: People) -> None:
    ahead = NOW + timedelta(days=400)
    for _ in range(8):
        with pytest.raises(SignInRefused):
            _in(people, password=OTHER, now=ahead)
    session = _in(people, now=NOW)
    assert _who(people, session, NOW + MINUTE)
    future = _in(people, now=ahead)
    assert _who(people, future, NOW) is None
    later = _in(people, now=NOW)
    assert _who(people, later, NOW + 10 * MINUTE)
    assert _who(people, later, NOW + 4 * MINUTE) is None, "used at a time that has not come"


def test_of_too_many_sessions_the_oldest_end(store: Store, people: People) -> None:
    made = [_in(people, now=NOW + at * SECOND_OF_TIME) for at in range(MOST_SESSIONS + 2)]
    then = NOW + MINUTE
    assert [bool(_who(people, one, then)) for one in made] == [False] * 2 + [True] * MOST_SESSIONS
    assert _holds(store)


def test_who_is_disabled_is_signed_out_and_does_not_sign_in(store: Store, people: People) -> None:
    session = _in(people)
    people.persons.disable("wang", FIRST, "left", NOW)
    assert _who(people, session) is None
    with pytest.raises(SignInRefused):
        _in(people, now=NOW + MINUTE)
    assert ('{"because":"disabled"}') in [after for *_, after in _told(store, "sign_in.end")]
    assert _holds(store)


def test_a_change_of_role_counts_from_the_next_request_on(people: People) -> None:
    session = _in(people)
    city = Person("wang", Role.DESK, "王伟", Scope(cities=frozenset({"130100"})))
    asked, _ = people.persons.propose(PersonProposal.CHANGE, city, FIRST, NOW)
    people.persons.approve(asked.id, SECOND, "a test", NOW)
    found = _who(people, session)
    assert found
    assert found.person == city


# --- passwords ---


def test_nobody_sets_the_password_of_somebody_else_alone(people: People) -> None:
    with pytest.raises(OrderError, match="two people"):
        people.sign_in.credentials.set_password("wang", OTHER, "", FIRST, NOW)
    asked, half = people.persons.propose(PersonProposal.PASSWORD, Person("wang", Role.DESK), FIRST, NOW)
    with pytest.raises(NeedsSecondPerson):
        people.persons.approve(asked.id, FIRST, "me too", NOW)
    _, second = people.persons.approve(asked.id, SECOND, "lost it", NOW)
    assert half
    assert second
    for known in (half, second, f"{half}-{half}", f"{second}-{half}", f"{half}{second}"):
        with pytest.raises(SignInRefused):
            _in(people, password=known, now=NOW + HOUR * len(known))
    session = _in(people, password=f"{half}-{second}", now=NOW + 3 * HOUR * 24)
    assert session.must_change


def test_a_generated_password_is_changed_at_the_first_sign_in_within_two_weeks(
    store: Store, people: People
) -> None:
    before = _in(people)
    name, made = people.sign_in.credentials.set_password("wang", None, "", people.who("wang"), NOW)
    assert (name, generated_halves(made or "") is None) == ("wang.wei", False)
    assert made
    assert _who(people, before) is None, "all sessions end with another password"
    session = _in(people, password=made.upper())
    assert session.must_change
    changed = people.sign_in.passwords.change_password(session, made, OTHER, HERE, NOW)
    assert not changed.must_change
    assert (_who(people, session), bool(_who(people, changed))) == (None, True)
    with pytest.raises(SignInRefused):
        _in(people, password=made)
    _, made = people.sign_in.credentials.set_password("wang", None, "", people.who("wang"), NOW)
    with pytest.raises(SignInRefused):
        _in(people, password=made or "", now=NOW + timedelta(days=14))
    assert _holds(store)


def test_who_changes_a_password_knows_the_present_one(store: Store, people: People) -> None:
    session, passwords = _in(people), people.sign_in.passwords
    for at in range(4):
        with pytest.raises(WrongPassword):
            passwords.change_password(session, OTHER, "Quite-another-5-one", HERE, NOW + at * SECOND_OF_TIME)
    with pytest.raises(WrongPassword):
        passwords.change_password(session, PASSWORD, OTHER, HERE, NOW + 4 * SECOND_OF_TIME)
    _in(people)  # guesses in a session lock no name
    with pytest.raises(BadPassword, match="present one"):
        passwords.change_password(session, PASSWORD, PASSWORD, HERE, NOW + HOUR)
    passwords.change_password(session, PASSWORD, OTHER, HERE, NOW + HOUR + MINUTE)
    assert _holds(store)


def test_a_login_name_is_one_persons(people: People) -> None:
    people.add("li", Role.DESK)
    for taken in ("wang.wei", "wang", FIRST.id):
        with pytest.raises(OrderError, match="somebody else's"):
            people.password("li", taken)
        with pytest.raises(OrderError, match="somebody else's"):
            people.persons.propose(PersonProposal.PASSWORD, Person("li", Role.DESK), FIRST, NOW, taken)
    with pytest.raises(BadPerson):
        people.password("li", "a b")
    people.password("li", "li.na@example.com")
    assert {one.person.id: one.login for one in people.persons.list(FIRST) if one.login} == {
        "li": "li.na@example.com",
        "wang": "wang.wei",
    }
    _in(people, "li.na@example.com")
    with pytest.raises(SignInRefused):
        _in(people, "li")


def test_sessions_and_passwords_are_seen_and_ended_by_a_supervisor_or_their_person(
    store: Store, people: People
) -> None:
    people.add("li", Role.DESK)
    people.add("near", Role.SUPERVISOR, Scope(cities=frozenset({"130100"})))
    session, sessions = _in(people), people.sign_in.sessions
    for other in ("li", "near"):
        by = people.who(other)
        for act in (
            lambda by=by: sessions.list("wang", by, NOW),
            lambda by=by: sessions.end("wang", by, "a joke", NOW),
            lambda by=by: people.sign_in.credentials.remove(
                "wang", CredentialKind.PASSWORD, by, "a joke", NOW
            ),
        ):
            with pytest.raises(PermissionDenied):
                act()
    assert [one.address for one, _ in sessions.list("wang", people.who("wang"), NOW)] == [HERE]
    assert sessions.end("wang", FIRST, "a stolen machine", NOW) == 1
    assert _who(people, session) is None
    assert [over for _, over in sessions.list("wang", FIRST, NOW)] == [SessionEnd.ENDED]
    people.sign_in.credentials.remove("wang", CredentialKind.PASSWORD, FIRST, "a stolen machine", NOW)
    people.sign_in.credentials.remove("wang", CredentialKind.PASSWORD, FIRST, "again", NOW)
    with pytest.raises(SignInRefused):
        _in(people)
    assert _holds(store)


# --- what was changed past the trail ---


@pytest.mark.parametrize(
    ("table", "changed"),
    [
        (staff_sessions, {"ended_at": None}),
        (staff_sessions, {"person": FIRST.id}),
        (staff_sessions, {"ends_at": NOW + 1000 * HOUR}),
        (persons, {"role": "supervisor"}),
    ],
    ids=lambda one: getattr(one, "name", None) or next(iter(one)),
)
def test_a_session_that_was_changed_past_the_trail_opens_nothing(
    people: People, table: Table, changed: dict[str, object], store: Store
) -> None:
    session = _in(people)
    if "ended_at" in changed:
        people.sign_in.sessions.sign_out(session, NOW)
    with store.writing() as connection:
        connection.execute(update(table).values(changed))
    assert _who(people, session) is None


def test_a_session_or_a_password_that_was_put_in_past_the_trail_opens_nothing(
    store: Store, people: People
) -> None:
    row = {"id": "NAAAAAAAAAAAA", "token_hash": token_hash("mine"), "person": FIRST.id, "address": ""}
    times = {"begun_at": NOW, "seen_at": NOW, "ends_at": NOW + HOUR}
    with store.writing() as connection:
        number = connection.execute(select(credentials.c.id)).scalar_one()
        connection.execute(insert(staff_sessions).values(**row, **times, credential=number))
        connection.execute(update(credentials).values(hash=CHEAP.of(OTHER)))
    assert people.sign_in.sessions.who("mine", NOW) is None
    with pytest.raises(SignInRefused):
        _in(people, password=OTHER)
    faults = [found.what for found in TRAIL.verify(store) if isinstance(found, Fault)]
    assert any("staff_sessions NAAAAAAAAAAAA is not in the trail" in fault for fault in faults)
    assert any("credentials" in fault and "hash" in fault for fault in faults)


def test_a_restored_backup_brings_no_former_password_and_none_of_its_sessions_back(
    store: Store, people: People, tmp_path: Path
) -> None:
    kept = KeptPeople(store, TRAIL, lambda: [tmp_path])
    ends = KeptEnds(store, TRAIL, lambda: [tmp_path], kept)
    services = sign_in_services(store, TRAIL, b"login names", kept, hashing=CHEAP)
    session, backup = _in(people), backup_of(store)
    services.credentials.set_password("wang", OTHER, "", people.who("wang"), NOW)
    restore(store, backup)
    assert _who(people, session), "so says the database alone"
    assert services.sessions.who(session.token, NOW) is None
    with pytest.raises(SignInRefused):
        services.passwords.begin("wang.wei", PASSWORD, HERE, NOW)
    TrailGuard(ends, AlarmService(store, lambda _: None, MINUTE)).check(NOW)
    ends.accept(FIRST, "the backup of 02:00", NOW + MINUTE)
    assert _who(people, session) is None, "from now on the database says it"
    assert services.credentials.set_password("wang", OTHER, "", people.who("wang"), NOW + HOUR)
    services.passwords.begin("wang.wei", OTHER, HERE, NOW + HOUR)
    assert _holds(store)


# --- words ---


@pytest.mark.parametrize(
    "password",
    [
        *(
            "Short-1-pas",
            "Abcdefghijk1!",
            "aaaaaaaaaaaaaaaaaaaaaaaaa",
            "alllowercaseletters",
            "Password-123456",
        ),
        *(
            "Wang.wei-2026-wang",
            "1234567890123456789012",
            "Qwerty-123456-A",
            "Duanka-Admin-1",
            "Tab\there-1-Abcd",
        ),
    ],
)
def test_what_is_guessed_easily_is_no_password(password: str) -> None:
    with pytest.raises(BadPassword):
        good_password(password, "wang.wei", "wang", "王伟")


@pytest.mark.parametrize(
    "password", [PASSWORD, OTHER, "four quiet words in a row here", "北京的冬天很冷2026年A", "k7Qm-w2Zp-x9Rt"]
)
def test_what_is_not_guessed_easily_is_one(password: str) -> None:
    assert good_password(password, "wang.wei", "wang", "王伟") == password


@given(some.text(max_size=140), some.text(max_size=20))
@settings(max_examples=100, deadline=None, database=None)
def test_any_text_is_a_password_or_is_refused_in_words(text: str, name: str) -> None:
    try:
        said = good_password(text, name)
    except BadPassword:
        return
    assert 12 <= len(said) <= 128
    assert good_password(said, name) == said, "as hashed at the next sign-in"


@given(some.integers(0, 20), some.integers(0, 2000), some.integers(0, 2000))
@settings(max_examples=200, deadline=None, database=None)
def test_more_failures_and_less_time_never_unlock(failures: int, early: int, late: int) -> None:
    sooner, later = sorted((early, late))
    left = [locked_for(failures, NOW, NOW + seconds * SECOND_OF_TIME) for seconds in (sooner, later)]
    assert left[1] <= left[0] <= timedelta(seconds=LOCK_SECONDS[-1])
    assert locked_for(failures + 1, NOW, NOW + early * SECOND_OF_TIME) >= locked_for(
        failures, NOW, NOW + early * SECOND_OF_TIME
    )


def test_a_failure_of_a_time_that_has_not_come_locks_nobody() -> None:
    assert locked_for(8, NOW + HOUR, NOW) == timedelta()
    assert locked_for(8, NOW, NOW) == timedelta(minutes=15)


def test_a_login_name_is_typed_in_any_case_and_width() -> None:
    assert login_name(" Ｗang.Wei＠Example.com ") == "wang.wei@example.com"
    assert generated_halves(f" {new_password_half()}-{new_password_half()} ".upper())
