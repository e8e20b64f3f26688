"""What a policy says about orders and messages: read from its file, and asked of it."""

from __future__ import annotations

import re
from dataclasses import fields
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from duanka.domain.errors import PolicyError
from duanka.domain.identity_policy import IdentityPolicy
from duanka.domain.lifeline import LifelinePolicy, OpenLines
from duanka.domain.network import NetworkState
from duanka.domain.order_policy import DeadlineStage, MessagePolicy, OrderPolicy
from duanka.domain.policy import Policy
from duanka.domain.store_policy import StorePolicy
from duanka.domain.text import BilingualText
from duanka.policy_files.identity import IdentityTable
from duanka.policy_files.loader import read_policy
from duanka.policy_files.orders import LifelineTable, MessagesTable, OrdersTable
from duanka.policy_files.store import StoreTable
from duanka.rules import RULES

POLICIES = Path(__file__).parents[2] / "policies"
WITHOUT = (
    '[policy]\nid = "p"\ntitle = "省"\ntitle_en = "P"\nauthority = "A"\ngrade = "K"\nsince = 2026-01-01\n'
)
WITHOUT += '[deciding]\nmode = "triggers"\n[rules.fan_out]\n'


def _read(folder: Path, more: str) -> Policy:
    (folder / "p.toml").write_text(WITHOUT + more, encoding="utf-8")
    return read_policy(folder / "p.toml", RULES)


def test_a_policy_that_says_nothing_of_orders_is_strict_and_refuses_no_text(tmp_path: Path) -> None:
    policy = _read(tmp_path, "")
    assert policy.orders == OrderPolicy()
    assert policy.orders.two_people
    assert policy.messages == MessagePolicy()


def test_every_field_can_be_set_by_a_file() -> None:
    other_tables = "identity", "weights", "lifeline"  # weights: of [deciding] and [rules]
    assert [*OrdersTable.model_fields, *other_tables] == [field.name for field in fields(OrderPolicy)]
    assert list(IdentityTable.model_fields) == [field.name for field in fields(IdentityPolicy)]
    assert list(LifelineTable.model_fields) == [field.name for field in fields(LifelinePolicy)]
    assert list(MessagesTable.model_fields) == [field.name for field in fields(MessagePolicy)]


def test_what_a_file_says_is_what_the_policy_is(tmp_path: Path) -> None:
    more = """
[orders]
stages = [{ hours = 24, state = "outgoing_barred" }, { hours = 72.5, state = "suspended" }]
hardships = ["hospital"]
hardship_hours = 48
two_people = false
link_hours = 24
objection_days = 3
holidays = [2026-10-02, 2026-10-01]
alarm_minutes = 2
reconcile_minutes = 1.5
reconcile_max = 2.5
protected = ["95588", "+8613900000000"]
operator = { zh = "某运营商", en = "An operator" }
short_code = "10000"
hotline = "10001"
site = "https://verify.example/cards"
counter = { zh = "营业厅", en = "a counter" }
redress = { zh = "可申诉", en = "object" }
papers = { zh = "身份证", en = "an identity card" }
reasons = { leased = { zh = "疑似出租", en = "it seems to be rented out" } }
holders_a_day = 20
review_within = 2
ask_again_days = 30
ask_again_rules = ["device_changed"]
[lifeline]
numbers = ["96111"]
callers = ["95xxx"]
accounts = ["Bank"]
[messages]
keywords = ["安全账户+转账"]
links = ["bit.example"]
per_minute = 100
trusted = ["10086"]
trusted_accounts = ["notices"]
[store]
keep_records_days = 30
keep_rollups_days = 90
keep_refusals_days = 7
"""
    policy = _read(tmp_path, more)
    assert policy.store == StorePolicy(30, 90, 7)
    assert policy.orders == OrderPolicy(
        stages=(DeadlineStage(24, NetworkState.OUTGOING_BARRED), DeadlineStage(72.5, NetworkState.SUSPENDED)),
        hardships=("hospital",),
        hardship_hours=48,
        two_people=False,
        link_hours=24,
        objection_days=3,
        holidays=(date(2026, 10, 1), date(2026, 10, 2)),
        alarm_minutes=2,
        reconcile_minutes=1.5,
        reconcile_max=2.5,
        protected=("95588", "+8613900000000"),
        operator=BilingualText("某运营商", "An operator"),
        short_code="10000",
        hotline="10001",
        site="https://verify.example/cards",
        counter=BilingualText("营业厅", "a counter"),
        redress=BilingualText("可申诉", "object"),
        papers=BilingualText("身份证", "an identity card"),
        reasons=(("leased", BilingualText("疑似出租", "it seems to be rented out")),),
        holders_a_day=20,
        review_within=2,
        ask_again_days=30,
        ask_again_rules=("device_changed",),
        lifeline=LifelinePolicy(("96111",), ("95xxx",), ("Bank",)),
    )
    own = ("10000", "10001")
    assert policy.orders.lines == OpenLines(("12345", *own, "96111"), (*own, "95xxx"), ("bank",))
    assert policy.messages == MessagePolicy(
        (("安全账户", "转账"),), ("bit.example",), 100, ("10086",), ("notices",)
    )


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ("orders = 3", "orders"),
        ("[orders]\nstage = []", "does not know 'stage'; did you mean stages"),
        ("[orders]\nstages = []", "at least one stage"),
        ("[orders]\nstages = 24", "stages must be a list"),
        ("[orders]\nstages = [24]", "stages 1 must be"),
        (
            '[orders]\nstages = [{ hours = 24, state = "active" }]',
            "outgoing_barred, lifeline or suspended, not 'active'",
        ),
        ('[orders]\nstages = [{ hours = 24, stat = "suspended" }]', "did you mean state"),
        ("[orders]\nstages = [{ hours = 24 }]", "state must be"),
        ("[orders]\nstages = [{ hours = 24, state = [] }]", "state must be"),
        ('[orders]\nstages = [{ hours = 0, state = "suspended" }]', "hours must be hours above 0"),
        ('[orders]\nstages = [{ hours = nan, state = "suspended" }]', "above 0"),
        ('[orders]\nstages = [{ hours = 99999, state = "suspended" }]', "at most 8784"),
        (
            '[orders]\nstages = [{ hours = 24, state = "outgoing_barred" }, { hours = 24, state = "suspended" }]',
            "later one by one: 24 hours follow 24",
        ),
        (
            '[orders]\nstages = [{ hours = 24, state = "suspended" }, { hours = 72, state = "outgoing_barred" }]',
            "stricter one by one",
        ),
        (
            '[orders]\nstages = [{ hours = 24, state = "suspended" }, { hours = 72, state = "suspended" }]',
            "stricter one by one",
        ),
        ('[orders]\nhardships = ["roaming", "roaming"]', "twice"),
        ("[orders]\nhardships = [1]", "must be a text"),
        ("[orders]\nhardship_hours = -1", "above 0"),
        ("[orders]\ntwo_people = 1", "true or false"),
        ("[orders]\nlink_hours = true", "hours above 0"),
        ("[orders]\nobjection_days = 2.5", "whole number from 1 to 60"),
        ("[orders]\nobjection_days = 0", "whole number from 1 to 60"),
        ('[orders]\nholidays = ["2026-10-01"]', "must be a day"),
        ("[orders]\nalarm_minutes = 0", "minutes above 0"),
        ("[orders]\nreconcile_minutes = 1441", "at most 1440"),
        ("[orders]\nreconcile_max = 101", "at most 100"),
        ("[orders]\nreconcile_max = 0", "above 0"),
        ("[orders]\nprotected = [110]", "must be a text"),
        ('[orders]\nprotected = ["138*"]', "3 to 21 digits"),
        ('[orders]\nprotected = ["11"]', "3 to 21 digits"),
        ('[orders]\noperator = "A"', "zh ="),
        ('[orders]\noperator = { zh = "甲" }', "operator en must be a text"),
        ('[orders]\nredress = { zh = "甲", en = " " }', "redress en must be a text"),
        ('[orders]\npapers = { zh = "甲", en = "A", fr = "A" }', "does not know 'fr'"),
        ('[orders]\nshort_code = "ten"', "3 to 21 digits"),
        ('[orders]\nsite = "http://verify.example"', "begins with https://"),
        ('[orders]\nsite = "https://verify.example/#x"', "begins with https://"),
        (
            '[orders]\nstages = [{ hours = 24, state = "suspended" }, { hours = 72, state = "lifeline" }]',
            "stricter one by one",
        ),
        (
            '[orders]\nstages = [{ hours = 24, state = "lifeline" }, { hours = 72, state = "outgoing_barred" }]',
            "stricter one by one",
        ),
        ('[lifeline]\ncallers = ["95*"]', "3 to 21 digits in quotes, of which the last may be x"),
        ('[lifeline]\ncallers = ["xxxxx"]', "the last may be x"),
        ("[lifeline]\nnumbers = [12345]", "must be a text"),
        ('[lifeline]\naccount = ["bank"]', "did you mean accounts"),
        ("[messages]\nkeywords = 3", "must be a list"),
        ('[messages]\nkeywords = ["转账+"]', "none of them empty"),
        ('[messages]\nlinks = ["https://bit.example"]', "a host like bit.example"),
        ("[identity]\nreview = 0.5", "must not be above similarity"),
        ("[identity]\nsimilarity = 1.5", "a cosine above 0"),
        ("[identity]\ndarkest = 230", "darkest must be below brightest"),
        ("[identity]\nface_pixels = 20", "whole number from 40"),
        ('[identity]\nreview_tiers = ["hihg"]', "one of low, medium, high, extreme"),
        ("[identity]\nfaces = 1", "does not know 'faces'"),
        ("[messages]\nper_minute = -1", "whole number from 0"),
        ("[messages]\nword = []", "does not know 'word'"),
        (
            "[store]\nkeep_records_days = 0",
            r"\[store\] keep_records_days must be a whole number from 1 to 3660",
        ),
        ("[store]\nkeep_refusals_days = 3661", "whole number from 1 to 3660"),
        ("[store]\nkeep_rollups_days = 179", r"must not be below keep_records_days \(180\)"),
        ("[store]\nkeep_recods_days = 9", "did you mean keep_records_days"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, more: str, says: str) -> None:
    with pytest.raises(PolicyError, match=says) as refused:
        _read(tmp_path, more)
    assert "\n" not in str(refused.value)


def test_the_page_shows_what_holds_where_a_policy_says_nothing(tmp_path: Path) -> None:
    page = (POLICIES.parent / "docs" / "POLICY.md").read_text(encoding="utf-8")
    shown = {part.split("]")[0]: part for part in re.findall(r"```toml\n\[(.*?)```", page, re.DOTALL)}
    policy = _read(
        tmp_path,
        "".join(f"[{shown[name]}" for name in ("orders", "identity", "lifeline", "messages", "store")),
    )
    assert policy.orders == OrderPolicy()
    assert all(f"\n{name} = " in shown["orders"] for name in OrdersTable.model_fields)
    assert all(f"\n{name} = " in shown["identity"] for name in IdentityTable.model_fields)
    assert all(f"\n{name} = " in shown["lifeline"] for name in LifelineTable.model_fields)
    assert policy.store == StorePolicy()
    assert all(f"\n{name} = " in shown["store"] for name in StoreTable.model_fields)
    assert policy.messages == MessagePolicy(
        (("安全账户", "转账"),), ("bit.example",), 100, ("10086",), ("notices",)
    )


def test_the_shipped_policies_stop_a_day_after_delivery_hebei_at_once_and_national_in_two_steps() -> None:
    barred, suspended = (
        DeadlineStage(24, NetworkState.OUTGOING_BARRED),
        DeadlineStage(48, NetworkState.SUSPENDED),
    )
    assert OrderPolicy().stages == (barred, suspended)
    stages = {"national": (barred, suspended), "hebei": (DeadlineStage(24, NetworkState.SUSPENDED),)}
    for name, expected in stages.items():
        orders = read_policy(POLICIES / f"{name}.toml", RULES).orders
        assert orders.stages == expected
        assert orders.two_people
        assert orders.answer_within == timedelta(hours=24)


@pytest.mark.parametrize(
    ("start", "days", "end"),
    [
        ((3, 2, 9), 5, (3, 9, 9)),  # a Monday
        ((3, 1, 23, 30), 1, (3, 2, 23, 30)),  # Monday 07:30 in China, where UTC still has Sunday
        ((3, 6, 15, 0), 1, (3, 9, 15)),  # Friday 23:00 in China
        ((3, 6, 17, 0), 1, (3, 8, 17)),  # Saturday 01:00: the first working day is Monday the 9th, 01:00
        ((9, 30, 9), 2, (10, 9, 9)),  # over the holidays and a weekend
        ((3, 2, 9), 0, (3, 2, 9)),
    ],
)
def test_working_days_are_those_of_the_operator(
    start: tuple[int, ...], days: int, end: tuple[int, ...]
) -> None:
    policy = OrderPolicy(holidays=tuple(date(2026, 10, d) for d in range(1, 8)))
    begin = datetime(2026, *start, tzinfo=UTC)  # type: ignore[arg-type,misc]
    assert policy.working_days_after(begin, days) == datetime(2026, *end, tzinfo=UTC)  # type: ignore[arg-type,misc]
