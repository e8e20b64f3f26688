"""Who passes the second verification while a live run goes on is judged anew at once, and after a restart."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from duanka.domain.errors import DuankaError
from duanka.domain.streaming import Batch
from duanka.engine.live import Live
from support.engine.streams import NOW, opened, piece
from support.engine.worlds import LISTS, World, canonical

CARD, OTHER = "8617000000001", "8617000000002"
RULE = "virtual_operator_stock"
OPENED = datetime(2018, 3, 1, 10)
PASSED = NOW + timedelta(days=1)  # later than every record


class Said:
    """Who passed, as somebody says it."""

    def __init__(self, **passes: datetime) -> None:
        self.passes: Mapping[str, datetime] = passes
        self.fails = False

    def version(self) -> object:
        return tuple(self.passes.items()), self.fails

    def read(self) -> Mapping[str, datetime]:
        if self.fails:
            raise DuankaError("the list does not bear the seal")
        return self.passes


def register(**changes: object) -> Batch:
    row = {"virtual_operator": True, "opened_at": OPENED, "verified_at": OPENED, **changes}
    cards = canonical("cards", [{"card": card, **row} for card in (CARD, OTHER)])
    return Batch((piece("cards", cards),), records=2)


def calls() -> Batch:
    call = {"card": CARD, "peer": "8613900000000", "direction": "out", "started_at": NOW, "seconds": 1}
    return Batch((piece("calls", canonical("calls", [call])),), records=1)


def hit(live: Live) -> set[str]:
    return {
        card for card, rule in live._run("SELECT number_text(card), rule FROM state.hits") if rule == RULE
    }


def test_a_pass_is_taken_while_it_runs_and_outlives_restart_register_and_failure(tmp_path: Path) -> None:
    said, world = Said(), World({}, {}, LISTS)
    with opened(tmp_path, world, passes=said) as live:
        live.take(register(), NOW)
        live.take(calls(), NOW)
        assert hit(live) == {CARD, OTHER}
        said.passes = {CARD: PASSED}
        live.take(Batch(), NOW)
        assert hit(live) == {OTHER}
        live.take(register(operator="mobile"), NOW)  # says again when the register verified it
        assert hit(live) == {OTHER}
        said.fails = True
        with pytest.raises(DuankaError, match="seal"):
            live.take(Batch(), NOW)
        said.fails, said.passes = False, {CARD: PASSED, OTHER: PASSED}
        live.take(Batch(), NOW)
        assert hit(live) == set()
    said.passes = {OTHER: PASSED}  # while it was down
    with opened(tmp_path, world, passes=said) as live:
        live.take(Batch(), NOW)
        assert hit(live) == {CARD}
        assert live.lacks().get(RULE) is None


def test_passes_alone_do_not_let_a_rule_run_that_the_register_cannot_feed(tmp_path: Path) -> None:
    with opened(tmp_path, World({}, {}, LISTS), passes=Said(**{CARD: PASSED})) as live:
        live.take(register(verified_at=None), NOW)
        live.finish(NOW)
        assert hit(live) == set(), "or else everybody who has not passed here would count as never verified"
        assert live.lacks()[RULE] == ("cards.verified_at",)
