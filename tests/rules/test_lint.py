"""The rules themselves are linted: a rule that breaks its own declaration does not land."""

from __future__ import annotations

import re
import string
from pathlib import Path

import pytest

import duanka.rules
from duanka.domain.policy import LISTS
from duanka.domain.rollups import ROLLUPS
from duanka.domain.rule import Rule
from duanka.domain.schema import RECORD_TABLES, TABLES
from duanka.engine.sql.render import output_columns, parameters, render, tables
from duanka.orders.dispatch.notice_texts import shortened
from duanka.policy_files.loader import read_policy
from duanka.rules import RULES

POLICIES = Path(__file__).parents[2] / "policies"
each_rule = pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)


def test_ids_are_unique_and_are_file_names() -> None:
    ids = [rule.id for rule in RULES]
    files = {path.stem for path in Path(duanka.rules.__file__).parent.glob("[!_]*.py")}  # _NAME: a family
    assert len(ids) == len(set(ids))
    assert set(ids) == files


def test_a_rule_that_reads_hits_runs_after_those_it_reads() -> None:
    readers = ["hits" in rule.reads for rule in RULES]
    assert readers == sorted(readers)


@each_rule
def test_texts_are_there_in_both_languages(rule: Rule) -> None:
    texts = [rule.title, rule.why, rule.look_alikes, rule.reason]
    texts += [limit.meaning for limit in rule.limits.values()] + [e.title for e in rule.evidence]
    assert all(words.zh.strip() and words.en.strip() for words in texts)
    assert rule.source.text


@each_rule
def test_examples_go_both_ways_and_have_titles_of_their_own(rule: Rule) -> None:
    assert rule.flags
    assert rule.spares
    titles = [example.title for example in rule.flags + rule.spares]
    assert len(titles) == len(set(titles))


@each_rule
def test_sql_gives_card_seen_at_and_the_declared_evidence(rule: Rule) -> None:
    assert output_columns(rule.sql) == ("card", "seen_at", *(e.name for e in rule.evidence))


@each_rule
def test_sql_reads_what_the_rule_says(rule: Rule) -> None:
    read = tables(rule.sql) | (tables(rule.unsure) if rule.unsure else frozenset())
    assert read == set(rule.reads)
    known = {*ROLLUPS, *TABLES, *LISTS, "hits"}
    assert read <= known
    raw = read & set(RECORD_TABLES)
    assert bool(raw) == bool(rule.raw_reason), "reading a raw record table needs a reason, and only that does"


@each_rule
def test_every_limit_is_used_and_no_number_hides_in_the_sql(rule: Rule) -> None:
    named = parameters(rule.sql) | parameters(rule.unsure or "SELECT 1")
    named |= {p for text in rule.narrow.values() for p in parameters(f"SELECT 1 WHERE {text}")}
    assert set(rule.limits) <= parameters(rule.sql)
    assert named <= {*rule.limits, "as_of", "records_from", "records_until"}


@each_rule
def test_needs_and_wants_name_what_exists(rule: Rule) -> None:
    for need in rule.needs:
        table, _, column = need.partition(".")
        assert table in TABLES or table in LISTS
        assert not column or TABLES[table].column(column).name == column
    assert set(rule.wants) <= set(TABLES)


@each_rule
def test_narrow_speaks_of_rollups_and_records_that_the_rule_reads(rule: Rule) -> None:
    assert set(rule.narrow) <= set(rule.reads) & {*ROLLUPS, *RECORD_TABLES}


@each_rule
def test_the_reason_uses_evidence_and_limits_only(rule: Rule) -> None:
    evidence = {e.name for e in rule.evidence}
    assert set(rule.further) <= evidence
    known = evidence | set(rule.limits)
    for text in (part for words in (rule.reason, *rule.further.values()) for part in words):
        assert {name for _, name, _, _ in string.Formatter().parse(text) if name} <= known


@each_rule
def test_sql_translates_to_spark(rule: Rule) -> None:
    values = {name: limit.value for name, limit in rule.limits.items()}
    text = render(rule.sql, {**values, "as_of": 0, "records_from": 0, "records_until": 0}, "spark")
    assert "$" not in text


@pytest.mark.parametrize("path", sorted(POLICIES.glob("*.toml")), ids=lambda path: path.stem)
def test_a_shipped_policy_reads_and_brings_no_area_list(path: Path) -> None:
    policy = read_policy(path, RULES)
    assert policy.id == path.stem
    assert not policy.lists.get("high_risk_areas")
    assert not policy.lists.get("fraud_prone_places")
    assert {rule.id for rule in RULES} == set(policy.rules), (
        "a rule without a word in the policy would not run"
    )


def test_a_rule_names_itself_as_its_file_does() -> None:
    for rule in RULES:
        module = __import__(f"duanka.rules.{rule.id}", fromlist=["RULE"])
        assert module.RULE is rule


@each_rule
def test_what_a_short_message_has_room_for_says_what_the_card_did(rule: Rule) -> None:
    moments = {one.name: "2021-05-17 09:30:00" for one in rule.evidence if one.unit == "local time"}
    values = {one.name: 12 for one in rule.evidence} | dict.fromkeys(rule.limits, 12)
    told = shortened(rule.reason.filled(**values | moments).zh, 20)
    assert len(re.findall(r"[\u4e00-\u9fff]", told)) >= 5, told


def test_a_rule_restates_what_is_there_and_never_what_restates_it() -> None:
    restating = {rule.id: rule.restates for rule in RULES if rule.restates}
    assert restating
    for rule, others in restating.items():
        assert set(others) <= {one.id for one in RULES} - {rule, *restating}
