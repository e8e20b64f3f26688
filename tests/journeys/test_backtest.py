"""What another limit would do, told before anybody is asked anything."""

from __future__ import annotations

import re
from collections import Counter
from datetime import datetime
from pathlib import Path

import polars as pl
import pytest
from pydantic import SecretStr

from duanka.application.backtest import Backtest
from duanka.bootstrap.scan import backtest, policy_named, rule_named
from duanka.bootstrap.settings import Settings
from duanka.domain.errors import DuankaError, UnreadableInput
from duanka.domain.policy import Policy
from duanka.domain.ports import Silent
from duanka.domain.rule import Action, Literal
from duanka.evaluation.changes import RuleChangeEffect
from support.desk import Typed, cards_at_risk, duanka, flagged, hits
from support.signed_cases import SECRET, signed, trusting

A, B, C, D, E = (f"861380000000{n}" for n in range(1, 6))
VERIFY, COUNTER = Action.VERIFY, Action.VERIFY_AT_COUNTER
POLICY = """
[policy]
id = "small"
title = "小"
title_en = "Small"
authority = "ours"
grade = "K"
since = 2021-01-01
[deciding]
mode = "weigh"
medium = 3
high = 6
[rules.over_frequency]
weight = 3
{more}
"""
REPEATED = "[rules.repeat_alerts]\nweight = 3\nlimits.min_alerts = 2\n"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A dials 70 times in an hour on two days, B 50 on two days, C 50 on one, D 20; E is in a police case."""
    folder = tmp_path / "data"
    folder.mkdir()
    dials = {A: (70, 70), B: (50, 50), C: (50, 1), D: (20, 20), E: (1, 50)}
    calls = [
        f"{card},86139{i:08},out,2021-05-1{6 + day} 09:{i // 2:02}:{i % 2 * 30:02}"
        for card, counts in dials.items()
        for day, n in enumerate(counts)
        for i in range(n)
    ]
    (folder / "calls.csv").write_text("\n".join(["card,peer,direction,started_at", *calls]) + "\n")
    (folder / "cards.csv").write_text("card\n" + "\n".join(dials) + "\n")
    cases = folder / "cases.csv"
    cases.write_text(f"card,case_id,confirmed_at\n{E},A1,2021-05-01 00:00:00\n")
    signed(cases)
    return folder


@pytest.fixture
def truth(data: Path) -> Path:
    """A, B and E are fraud; B of them evasive."""
    rows = {
        "card": [A, B, C, D, E],
        "fraud": [True, True, False, False, True],
        "role": ["sim_box", "mule", "courier", "person", "mule"],
        "strategy": ["naive", "evasive", "honest", "honest", "naive"],
    }
    pl.DataFrame(rows).write_parquet(data / "truth.parquet")
    return data / "truth.parquet"


def policy(tmp_path: Path, more: str = "") -> Policy:
    path = tmp_path / "small.toml"
    path.write_text(POLICY.format(more=more), encoding="utf-8")
    return policy_named(str(path))


def tried(
    data: Path,
    under: Policy,
    rule: str = "over_frequency",
    *,
    as_of: datetime | None = None,
    truth: Path | None = None,
    **changed: Literal,
) -> tuple[Backtest, RuleChangeEffect]:
    return backtest(
        Settings(
            work=data.parent / "work",
            secret=SecretStr(SECRET),
            case_sources=Path(trusting(data.parent / "trusted")["DUANKA_CASE_SOURCES"]),
        ),
        data,
        rule_named(rule),
        changed,
        policy=under,
        mapping=None,
        lists=None,
        as_of=as_of,
        truth=truth,
        examples=9,
        progress=Silent(),
    )


def counts(changes: RuleChangeEffect) -> dict[str, tuple[int, int]]:
    parts = (changes.before, changes.after, changes.gained, changes.lost)
    return {one.name: (one.cards, one.hits) for one in parts}


def test_a_lower_limit_gains_cards_hits_and_orders(data: Path, tmp_path: Path, truth: Path) -> None:
    outcome, changes = tried(data, policy(tmp_path), max_calls=40)
    assert counts(changes) == {"before": (1, 2), "after": (4, 6), "gained": (3, 4), "lost": (0, 0)}
    assert outcome.moved == {B: (None, VERIFY), C: (None, VERIFY)}, "E is stopped either way"
    assert outcome.orders == {(VERIFY, VERIFY): 1, (None, VERIFY): 2, (Action.STOP, Action.STOP): 1}
    assert [(m.before, m.after, m.cards, m.fraud, m.honest, m.more) for m in changes.moves] == [
        (None, VERIFY, 2, 1, 1, 1)
    ]
    before, after, gained = changes.before.known, changes.after.known, changes.gained.known
    assert before
    assert after
    assert gained
    assert (before.precision, before.recall) == (1, 1 / 3)
    assert (after.precision, after.recall) == (3 / 4, 1)
    assert (gained.fraud, gained.honest) == (2, 1)
    assert gained.recalls == {"naive": 0.5, "evasive": 1.0, "mule": 1.0, "sim_box": 0.0}
    assert changes.strategies == ("evasive", "naive")


def test_a_higher_limit_loses_them_again(data: Path, tmp_path: Path) -> None:
    low = policy(tmp_path, "limits.max_calls = 40")
    outcome, changes = tried(data, low, max_calls=60)
    assert counts(changes) == {"before": (4, 6), "after": (1, 2), "gained": (0, 0), "lost": (3, 4)}
    assert outcome.moved == {B: (VERIFY, None), C: (VERIFY, None)}
    assert [(m.before, m.after, m.cards, m.fraud, m.more) for m in changes.moves] == [
        (VERIFY, None, 2, None, -1)
    ]
    assert changes.lost.known is None
    assert [(e.hit.card, e.moved, e.truth) for e in changes.examples_lost] == [
        (B, (VERIFY, None), ""),
        (C, (VERIFY, None), ""),
        (E, None, ""),
    ]


def test_what_reads_its_hits_is_judged_anew(data: Path, tmp_path: Path) -> None:
    outcome, _ = tried(data, policy(tmp_path, REPEATED), max_calls=40)
    assert outcome.moved == {B: (None, COUNTER), C: (None, VERIFY)}, "B has alerts on two days"
    outcome, _ = tried(data, policy(tmp_path, "limits.max_calls = 40\n" + REPEATED), max_calls=60)
    assert outcome.moved == {B: (COUNTER, None), C: (VERIFY, None)}
    outcome, _ = tried(data, policy(tmp_path, REPEATED), "repeat_alerts", min_alerts=3)
    assert outcome.moved == {A: (COUNTER, VERIFY)}


def test_a_hit_whose_moment_moves_is_neither_gained_nor_lost(data: Path, tmp_path: Path) -> None:
    slept = {"8613700000001": "2021-03-01", "8613700000002": "2021-04-20"}
    rows = [f"{card},2019-01-01 10:00:00,{day} 10:00:00" for card, day in slept.items()]
    (data / "cards.csv").write_text("\n".join(["card,opened_at,last_used_at", *rows]) + "\n")
    under = policy(tmp_path, "[rules.sleeping_card]\nlimits.days = 30\n")
    _, changes = tried(data, under, "sleeping_card", days=20)
    assert counts(changes) == {"before": (1, 1), "after": (2, 2), "gained": (1, 1), "lost": (0, 0)}
    said = duanka(
        "rules", "backtest", "sleeping_card", data, "--policy", tmp_path / "small.toml", "--set", "days=20"
    )
    assert "Ran without messages, data_days: sleeping_card" in said.out


def test_a_limit_that_changes_nothing_moves_nobody(data: Path, tmp_path: Path) -> None:
    outcome, changes = tried(data, policy(tmp_path), max_calls=61)
    assert counts(changes) == {"before": (1, 2), "after": (1, 2), "gained": (0, 0), "lost": (0, 0)}
    assert (outcome.moved, changes.moves, changes.examples_gained) == ({}, (), ())


def test_without_a_change_the_rule_is_set_against_its_absence(data: Path, tmp_path: Path) -> None:
    outcome, changes = tried(data, policy(tmp_path, REPEATED))
    assert outcome.before is None
    assert counts(changes) == {"before": (0, 0), "after": (1, 2), "gained": (1, 2), "lost": (0, 0)}
    assert outcome.moved == {A: (None, COUNTER)}


def test_a_rule_that_the_policy_does_not_run_is_judged_as_if_it_did(data: Path, tmp_path: Path) -> None:
    other = POLICY.replace("over_frequency", "complained").format(more="")
    (tmp_path / "other.toml").write_text(other, encoding="utf-8")
    under = policy_named(str(tmp_path / "other.toml"))
    outcome, changes = tried(data, under, max_calls=40)
    assert counts(changes)["before"] == (1, 2), "its own default limits"
    assert outcome.policy.rules["over_frequency"].weight == 1
    assert outcome.moved == {B: (None, Action.WATCH), C: (None, Action.WATCH)}
    assert [run.rule for run in outcome.runs if not run.ran] == ["complained"]


def test_a_rule_in_shadow_is_judged_as_if_it_counted_and_others_in_shadow_are_not(
    data: Path, tmp_path: Path
) -> None:
    under = policy(tmp_path, REPEATED).with_shadow(["over_frequency", "repeat_alerts"])
    outcome, _ = tried(data, under, max_calls=40)
    assert outcome.moved == {B: (None, VERIFY), C: (None, VERIFY)}
    assert outcome.runs == ()


def test_as_of_sees_nothing_later(data: Path, tmp_path: Path) -> None:
    outcome, changes = tried(data, policy(tmp_path), as_of=datetime(2021, 5, 17), max_calls=40)
    assert counts(changes)["after"] == (3, 3), "E dialled on the second day"
    assert outcome.span.until == datetime(2021, 5, 17)


def test_examples_carry_evidence_of_the_first_time(data: Path, tmp_path: Path, truth: Path) -> None:
    _, changes = tried(data, policy(tmp_path), max_calls=40)
    first = changes.examples_gained[0]
    assert (first.hit.card, first.hit.times, first.truth) == (B, 2, "fraud: mule, evasive")
    assert first.hit.seen_at == datetime(2021, 5, 16, 9)
    assert first.hit.evidence["calls_out"] == 50
    assert [e.truth for e in changes.examples_gained[1:]] == ["honest: courier", "fraud: mule, naive"]


def test_what_cannot_be_tried_says_why(data: Path, tmp_path: Path) -> None:
    under = policy(tmp_path)
    with pytest.raises(DuankaError, match=r"rule fan_out cannot run: the data lack calls\.answered"):
        tried(data, under, "fan_out", min_peers=40)
    with pytest.raises(DuankaError, match=r"rule fan_out cannot run: the data lack calls\.answered"):
        tried(data, under, "fan_out")
    with pytest.raises(UnreadableInput, match=r"none\.parquet: no such file"):
        tried(data, under, truth=tmp_path / "none.parquet", max_calls=40)
    pl.DataFrame({"card": ["x"], "fraud": [True], "role": ["mule"], "strategy": ["naive"]}).write_parquet(
        tmp_path / "foreign.parquet"
    )
    with pytest.raises(UnreadableInput, match="names none of the cards that over_frequency hits"):
        tried(data, under, truth=tmp_path / "foreign.parquet", max_calls=40)


def typed(data: Path, tmp_path: Path, *words: str, **environment: str) -> Typed:
    policy(tmp_path)
    call: tuple[str | Path, ...] = (
        "rules",
        "backtest",
        "over_frequency",
        data,
        "--policy",
        tmp_path / "small.toml",
        *words,
    )
    return duanka(*call, cwd=tmp_path, **environment)


def test_the_desk_reads_tables_and_shortened_numbers(data: Path, tmp_path: Path, truth: Path) -> None:
    said = typed(data, tmp_path, "--set", "max_calls=40", "--show", "1")
    assert said.code == 0, said.err
    assert "over_frequency with max_calls=40 instead of 60; policy small" in said.out
    assert re.search(r"^gained +3 +4 +2 +1 +0\.667", said.out, re.MULTILINE)
    assert re.search(r"^not listed +verify +2 +1 +1", said.out, re.MULTILINE)
    assert "Stricter action: 2 cards (1 fraud, 1 honest); milder action: 0 cards" in said.out
    assert "Orders: 2 cards before, 4 after." in said.out
    assert (
        "Gained: 1 of 3 cards\n+86 138****0002  2 times, first 2021-05-16 09:00; not listed -> verify"
        in said.out
    )
    assert "50 outgoing calls within one hour, more than 40" in said.out
    assert not re.search(r"[0-9]{11}", said.out), "no number stands there whole"
    assert not list(tmp_path.glob(".duanka-work-*"))


def test_it_can_be_put_on_a_page(data: Path, tmp_path: Path) -> None:
    words = ("--set", "max_calls=40", "--show", "9", "--markdown")
    said = typed(data, tmp_path, *words, DUANKA_LANGUAGE="zh")
    assert "\n| 新增 | 3 | 4 |\n" in said.out
    assert "\n| 未列入 | 线上核验 | 2 |\n" in said.out
    assert "加重 2 张卡；减轻 0 张卡。" in said.out
    assert "一小时内主叫 50 次，超过 40 次" in said.out
    assert said.out.count("\n- +86 138****000") == 3


def test_the_policy_is_said_where_it_does_not_count_the_rule(data: Path, tmp_path: Path) -> None:
    policy(tmp_path)
    path = tmp_path / "small.toml"
    path.write_text(path.read_text().replace("weight = 3", "weight = 3\nshadow = true"))
    call: tuple[str | Path, ...] = ("rules", "backtest", "over_frequency", data, "--policy", path)
    assert (
        "over_frequency is in shadow under policy small: judged as if it counted, with weight 3"
        in duanka(*call).out
    )
    path.write_text(path.read_text().replace("over_frequency", "complained"))
    said = duanka(*call).out
    assert "Policy small does not run over_frequency: judged as if it did, with weight 1" in said
    assert "over_frequency (max_calls=60) against running without it" in said


def test_it_tells_what_a_scan_under_the_changed_policy_would_find(
    small_province: Path, small_scanned: Path, tmp_path: Path
) -> None:
    """The whole catalogue over an invented province, against two scans."""
    outcome, changes = tried(small_province, policy_named("national"), max_calls=20)
    text = (Path(__file__).parents[2] / "policies" / "national.toml").read_text(encoding="utf-8")
    lower = re.sub(r"limits\.max_calls = \{ value = 60", "limits.max_calls = { value = 20", text)
    assert lower != text
    (tmp_path / "lower.toml").write_text(lower, encoding="utf-8")
    ran = duanka("scan", small_province, "--policy", tmp_path / "lower.toml", "--out", tmp_path / "out")
    assert ran.code == 0, ran.err

    then, now = (
        {row["card"]: Action[row["action"].upper()] for row in cards_at_risk(out)}
        for out in (small_scanned, tmp_path / "out")
    )
    both = {card: (then.get(card), now.get(card)) for card in then | now}
    assert outcome.moved == {card: asked for card, asked in both.items() if asked[0] != asked[1]}
    assert outcome.moved
    assert outcome.orders == Counter(both.values())
    cards = [flagged(out, "over_frequency") for out in (small_scanned, tmp_path / "out")]
    times = [
        {(row["card"], row["seen_at"]) for row in hits(out) if row["rule"] == "over_frequency"}
        for out in (small_scanned, tmp_path / "out")
    ]
    assert (changes.gained.cards, changes.gained.hits) == (len(cards[1] - cards[0]), len(times[1] - times[0]))
    assert (changes.lost.cards, changes.lost.hits) == (0, 0)
