"""Each published case from the scan to the card that works again, in the way that the holder lacked.

Where `national` asks nothing, the case is told under `stricter`: an operator that lowered limits until the case trips.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256
from pathlib import Path

import pytest

from duanka.domain.counter_check import Document
from duanka.domain.disavowal import DisavowalSeen
from duanka.domain.network import NetworkState
from duanka.domain.order import Event, Kind, Role, State
from duanka.domain.order_policy import DeadlineStage
from duanka.domain.person import Person, Scope
from support.api.desks import callers
from support.api.verifications import DARK, OTHER, UNSURE
from support.casebook.journey import Calling, Journey
from support.casebook.office import ASKS, Office, at_six, opened_office
from support.casebook.world import (
    ALL,
    FIRST_EVENING,
    SECOND_EVENING,
    STRICTER,
    Night,
    decided,
    national,
    stricter,
)
from support.databases import sqlite_order_database
from support.orders.books import Backup, backup_of, restore

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
IN_BEIJING = Scope(cities=frozenset({"110100"}))
CLERK, SECOND = Person("zhang", Role.DESK), Person("qian", Role.SUPERVISOR)
pytestmark = pytest.mark.requirement("R1.5")
Begun = Callable[..., Journey]
Shared = tuple[Office, Calling, Backup]


@pytest.fixture(scope="module")
def shared(new_sqlite_order_database: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shared]:
    """An office under `stricter`, its API, and its database as it was at first."""
    file = tmp_path_factory.mktemp("office") / "orders.sqlite"
    url = sqlite_order_database(new_sqlite_order_database, file)
    with opened_office(url, stricter()) as office, callers(office.desk.api()) as calling:
        yield office, calling, backup_of(office.desk.store)


@pytest.fixture
def begun(casebook: Path, shared: Shared) -> Begun:
    """Begins a case by the scan of a night."""
    office, calling, first = shared
    restore(office.desk.store, first)
    return lambda case, night=ALL: started(office, calling, casebook, night, case)


def started(office: Office, calling: Calling, casebook: Path, night: Night, case: str) -> Journey:
    """The decisions of that night are taken at six, and the notice is delivered a minute later."""
    six = at_six(night.morning)
    office.desk.clock.now = six
    office.takes(casebook / night.name, six)
    journey = Journey(case, office, calling, six)
    office.delivered(journey.card, six + MINUTE)
    journey.read_notices()
    return journey


def one_reason_everywhere(journey: Journey, figures: str) -> None:
    """Notice, order, page and the stored text of the stop say the same, with these figures."""
    page = journey.page()
    stop = page["stopText"]["text"]
    assert figures in journey.order().grounds.reason.zh
    assert figures in journey.stopped().grounds.reason.zh
    assert figures in page["grounds"]["reason"]["zh"]
    assert figures in stop
    asked = journey.notice("verify")
    assert figures[:9] in asked, "a notice says as much of it as fits"
    for told in ("如何反驳这条规则", "停机时的限值", "救济途径", "不是规则或模型单独决定"):
        assert told in stop, told


def is_back(journey: Journey, *asked: str) -> None:
    """Nothing restricts the card, here or in the network, and nothing more than `asked` was asked."""
    assert (journey.restriction(), journey.network()) == (None, "active")
    assert journey.office.open(journey.card) is None
    assert tuple(template for template, _ in journey.told if template in ASKS) == (asked or ("verify",))


def test_the_lawyer_is_told_of_the_calls_and_is_back_at_a_counter_1000_km_away(begun: Begun) -> None:
    journey = begun("sichuan_lawyer", STRICTER)
    journey.later(hours=23)
    assert journey.restriction() is None, "not 63 seconds after the notice"
    journey.later(hours=2)
    assert journey.stopped().state is State.OUTGOING_BARRED
    one_reason_everywhere(journey, "一天主叫 25 次、2 个号码")
    in_beijing = Person("sun", Role.DESK, scope=IN_BEIJING)
    assert journey.passes_at("长安街营业厅", in_beijing) < 10 * MINUTE
    is_back(journey)


def test_the_lawyer_is_back_in_any_browser(begun: Begun) -> None:
    journey = begun("sichuan_lawyer", STRICTER)
    journey.later(hours=49)
    assert journey.stopped().state is State.SUSPENDED
    assert journey.passes_without_a_link() < 5 * MINUTE
    is_back(journey)


def test_the_woman_in_shanghai_is_told_why_at_once_and_a_person_decides_what_the_camera_cannot(
    begun: Begun,
) -> None:
    journey = begun("shanghai_woman")
    assert "8 个平台的验证类短信 8 条" in journey.notice("verify"), "told why, before anything is stopped"
    journey.later(minutes=10)
    assert journey.restriction() is None, "not ten minutes after the notice"
    session = journey.agrees(journey.token())
    assert journey.tries(session, DARK)["stage"] == "again", "a dark room costs no attempt"
    journey.tries(session, UNSURE)
    assert journey.order().state is State.UNDER_REVIEW
    journey.later(hours=30)
    assert journey.restriction() is None, "no hours run while a person looks"
    desk = journey.office.desk
    desk.reviews.open(journey.order().id, SECOND, "to look", journey.now)
    desk.orders.apply(journey.order().id, Event.PASS, SECOND, "the face is hers", journey.now)
    is_back(journey)


def test_the_woman_in_shanghai_whose_checks_online_fail_is_back_at_a_counter(begun: Begun) -> None:
    journey = begun("shanghai_woman")
    session = journey.agrees(journey.token())
    while journey.order().state is State.IN_PROGRESS:
        journey.tries(session, OTHER)
    assert journey.restriction() is None
    assert journey.passes_at("淮海路营业厅", CLERK) < 10 * MINUTE
    is_back(journey, "verify", "verify_at_counter")  # the second tells where to go now


def test_the_customer_in_sichuan_has_a_concrete_reason_and_24_hours_and_is_back_a_month_later(
    begun: Begun,
) -> None:
    journey = begun("sichuan_customer")
    journey.later(hours=49)
    one_reason_everywhere(journey, "与另外的卡共用终端，同机共 4 张卡")
    assert "频繁换机" in journey.page()["stopText"]["text"]
    journey.later(days=28)
    assert journey.passes_without_a_link() < 5 * MINUTE
    is_back(journey)


def test_the_traveller_in_nepal_is_back_from_a_browser_there(begun: Begun, casebook: Path) -> None:
    journey = begun("nepal_traveller", FIRST_EVENING)
    journey.later(hours=25)
    assert journey.stopped().state is State.OUTGOING_BARRED
    one_reason_everywhere(journey, "出现在境外涉诈高发地 Nepal")
    assert journey.passes_without_a_link() < 5 * MINUTE, "not eight days"
    is_back(journey)
    office = journey.office
    office.takes(casebook / ALL.name, at_six(ALL.morning))
    assert office.asked(journey.card) == 1, "five more days there ask nothing"


def test_the_traveller_keeps_the_lines_that_matter_where_the_first_stage_is_the_lifeline(
    casebook: Path, new_sqlite_order_database: Path, tmp_path: Path
) -> None:
    stages = (DeadlineStage(24, NetworkState.LIFELINE), DeadlineStage(48, NetworkState.SUSPENDED))
    policy = replace(national(), orders=replace(national().orders, stages=stages))
    url = sqlite_order_database(new_sqlite_order_database, tmp_path / "lifeline.sqlite")
    with opened_office(url, policy) as office, callers(office.desk.api()) as calling:
        journey = started(office, calling, casebook, FIRST_EVENING, "nepal_traveller")
        journey.later(hours=25)
        assert (journey.stopped().state, journey.network()) == (State.LIFELINE, "lifeline")
        assert journey.passes_without_a_link() < 5 * MINUTE, "over the Wi-Fi of the hotel"
        is_back(journey)


def test_the_childs_watch_is_asked_nothing_for_a_month_without_use(casebook: Path) -> None:
    cases = decided(casebook / ALL.name)
    assert not cases["childs_watch"].rules
    assert cases["childs_new_watch"].action == "watch"


def test_a_watch_that_is_stopped_all_the_same_is_not_charged_meanwhile(begun: Begun) -> None:
    journey = begun("childs_watch", STRICTER)
    journey.later(hours=25)
    one_reason_everywhere(journey, "30 天以上未通话、未发短信、无流量")
    assert journey.billed() == ["paused"]
    journey.later(days=14)
    assert journey.passes_without_a_link() < 5 * MINUTE, "by the parent, in whose name it is"
    assert journey.billed() == ["paused", "resumed"]
    is_back(journey)


def test_the_intern_is_back_in_the_browser_within_minutes(begun: Begun) -> None:
    journey = begun("intern")
    journey.later(hours=25)
    one_reason_everywhere(journey, "七天内主叫")
    assert journey.page()["online"]["open"], "the page does not refuse"
    assert journey.passes_without_a_link() < 5 * MINUTE, "not four days"
    is_back(journey)


def test_the_teacher_proves_who_she_is_after_the_first_evening_and_calls_on_all_week(
    begun: Begun, casebook: Path
) -> None:
    journey = begun("class_teacher", FIRST_EVENING)
    assert journey.passes_in_a_browser() < 5 * MINUTE
    is_back(journey)
    for night in (SECOND_EVENING, ALL):
        journey.office.takes(casebook / night.name, at_six(night.morning))
        journey.later(hours=30)
    is_back(journey)


def test_a_teacher_who_lies_in_hospital_has_three_days_more(begun: Begun) -> None:
    journey = begun("class_teacher", FIRST_EVENING)
    journey.office.desk.orders.extend(
        journey.order().id, "hospital", CLERK, "a note of the ward", journey.now
    )
    journey.later(hours=24 + 71)
    assert journey.restriction() is None
    assert journey.passes_in_a_browser() < 5 * MINUTE
    is_back(journey)


def test_the_restaurant_is_asked_in_its_busiest_week_and_never_stopped(begun: Begun) -> None:
    journey = begun("restaurant_owner", STRICTER)
    assert "一小时内主叫" in journey.notice("verify")
    assert journey.passes_in_a_browser() < 5 * MINUTE
    is_back(journey)
    assert "outgoing_barred" not in dict(journey.told)


@pytest.mark.parametrize("case", ["yunnan_woman", "harbin_man"])
def test_long_silence_bars_no_incoming_call_and_a_foreign_call_gives_no_second_reason(
    begun: Begun, case: str
) -> None:
    journey = begun(case, STRICTER)
    journey.later(hours=25)
    assert journey.network() == "outgoing_barred"
    assert "接听和紧急电话不受影响" in journey.notice("outgoing_barred")
    one_reason_everywhere(
        journey, "30 天以上未通话、未发短信、无流量，自 2021-02-20 18:00:00 起，2021-05-27 09:40:00 再次启用"
    )
    assert tuple(journey.order().rules) == ("sleeping_card",), "no rule is about a call from abroad"
    assert journey.passes_without_a_link() < 5 * MINUTE
    is_back(journey)


def test_the_man_in_shanghai_has_the_stored_reason_for_a_court(begun: Begun) -> None:
    journey = begun("shanghai_man", STRICTER)
    journey.later(hours=49)
    one_reason_everywhere(journey, "30 天以上未通话、未发短信、无流量，自 2021-04-12 10:00:00 起")
    desk, shown = journey.office.desk, journey.page()["stopText"]
    copy = desk.papers.copies.copy(journey.stopped().id, CLERK, "for the court", journey.now)
    assert copy.plain == shown["text"].encode()
    assert copy.texts[-1].sha256 == shown["sha256"] == sha256(copy.plain).hexdigest()
    assert desk.papers.copies.pdf(copy).startswith(b"%PDF")
    assert journey.passes_without_a_link() < 5 * MINUTE
    is_back(journey)
    again = desk.papers.copies.copy(journey.last(Kind.RESTRICTION).id, CLERK, "for the court", journey.now)
    assert [one.sha256 for one in again.texts] == [one.sha256 for one in copy.texts], "two years later too"


def test_a_number_that_is_not_theirs_is_stopped_at_their_request_and_blames_nobody(
    begun: Begun, casebook: Path
) -> None:
    journey = begun("not_mine")
    desk = journey.office.desk
    in_shanghai = Scope(cities=frozenset({"310100"}))  # where she lives; the card was opened in Haikou
    clerk = Person("zhang", Role.DESK, scope=in_shanghai)
    second = Person("qian", Role.SUPERVISOR, scope=in_shanghai)
    seen = DisavowalSeen(Document.ID_CARD, "长安路营业厅", True, True, True)
    said = desk.disavowals.record(
        journey.card, seen, clerk, "the document is hers, the number is not", journey.now
    )
    assert journey.restriction() is None, "one person's word stops nothing"
    desk.counter.confirm(said.id, second, "seen too", journey.now)
    assert journey.stopped().state is State.STOPPED_AT_REQUEST
    assert journey.last(Kind.VERIFICATION).state is State.DISOWNED, (
        "not failed, not expired: nothing against her"
    )
    real = "8619900000016"
    assert journey.office.told(real) == [], "her own number is left alone"
    journey.office.takes(casebook / STRICTER.name, journey.now)
    journey.later(days=7, hours=1)
    assert journey.last(Kind.RESTRICTION).state is State.CANCELLED
    assert journey.office.asked(journey.card) == 1
