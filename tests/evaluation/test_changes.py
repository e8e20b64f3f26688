"""Hits of a rule before and after a change, small enough to count by hand."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import polars as pl

from duanka.domain.rule import Action
from duanka.evaluation.changes import RuleChangeEffect, compare

Rows = list[tuple[str, str, int]]


def changes(
    tmp_path: Path, before: Rows, after: Rows, **moved: tuple[Action | None, Action | None]
) -> RuleChangeEffect:
    """Compare the hits (card, rule, hour) of rule `r`."""
    paths = []
    for name, rows in (("before", before), ("after", after)):
        frame = {
            "card": [card for card, _, _ in rows],
            "rule": [rule for _, rule, _ in rows],
            "seen_at": [datetime(2021, 5, 17, hour) for _, _, hour in rows],
            "evidence": [f'{{"hour": {hour}}}' for _, _, hour in rows],
        }
        kinds: dict[str, pl.DataType | pl.datatypes.DataTypeClass] = {
            "card": pl.String,
            "rule": pl.String,
            "seen_at": pl.Datetime("us"),
            "evidence": pl.String,
        }
        paths.append(tmp_path / f"{name}.parquet")
        pl.DataFrame(frame, schema=kinds).write_parquet(paths[-1])
    return compare(paths[0], paths[1], "r", moved, None, 9)


def test_cards_and_hits_are_counted_of_this_rule_only(tmp_path: Path) -> None:
    found = changes(
        tmp_path,
        [("a", "r", 1), ("a", "r", 2), ("b", "r", 1), ("c", "r", 1), ("z", "other", 1)],
        [("a", "r", 3), ("c", "r", 1), ("c", "r", 2), ("c", "r", 2), ("d", "r", 1), ("y", "other", 1)],
    )
    parts = (found.before, found.after, found.gained, found.lost)
    # a has one hit fewer and one that moved; c has one more, told twice; b is lost, d gained
    assert [(one.cards, one.hits) for one in parts] == [(3, 4), (3, 4), (1, 2), (1, 2)]
    assert [example.hit.card for example in found.examples_gained] == ["d"]
    assert [example.hit.evidence for example in found.examples_lost] == [{"hour": 1}]


def test_examples_begin_with_the_greatest_change(tmp_path: Path) -> None:
    rows = [(card, "r", 1) for card in "abcd"]
    found = changes(
        tmp_path,
        [],
        rows,
        b=(None, Action.WATCH),
        c=(Action.WATCH, Action.VERIFY_AT_COUNTER),
        d=(None, Action.VERIFY),
    )
    assert [one.hit.card for one in found.examples_gained] == ["c", "d", "a", "b"]
    assert [(move.before, move.after, move.more) for move in found.moves] == [
        (Action.WATCH, Action.VERIFY_AT_COUNTER, 2),
        (None, Action.VERIFY, 1),
        (None, Action.WATCH, 0),
    ]


def test_no_hits_at_all_is_an_answer_too(tmp_path: Path) -> None:
    found = changes(tmp_path, [], [])
    assert (found.after.cards, found.gained.hits, found.moves, found.examples_lost) == (0, 0, (), ())
