"""Register updates: find changed rows, store them, and mark the cards concerned.

The passes of second verifications are kept up to date like a register.
"""

from __future__ import annotations

from duanka.domain.passed_cards import Passes
from duanka.domain.schema import REGISTER_KEYS, TABLES
from duanka.engine.live.state.state_file import LiveState, Run
from duanka.engine.shared.duckdb_database import lent, pass_rows


def upsert(state: LiveState, register: str, *, touch: bool) -> list[str]:
    """Store the rows of `given_REGISTER`; with `touch`, mark the cards concerned as touched.

    Returns the cards with a published decision that name another operator or city now.
    """
    find_news(state.run, register)
    moved = []
    if register == "cards":
        if touch:
            touch_left_behind(state)
        moved = moved_cards(state.run)
    take_news(state.run, register)
    state.progress.registers.add(register)
    if touch:
        turn = state.progress.turn
        state.run(f"INSERT INTO state.touched SELECT DISTINCT '{register}', card, {turn} FROM news")
    return moved


def find_news(run: Run, register: str) -> None:
    """Create table `news`: changed rows of `given_REGISTER`, the last one per key."""
    columns, key = _columns(register), REGISTER_KEYS.get(register)
    last = (
        f" QUALIFY row_number() OVER (PARTITION BY {key} ORDER BY place DESC, line DESC) = 1" if key else ""
    )
    run(
        f"CREATE OR REPLACE TEMP TABLE news AS SELECT {columns} FROM given_{register}{last}"
        f" EXCEPT SELECT {columns} FROM state.{register}"
    )


def take_news(run: Run, register: str) -> None:
    """Upsert `news` into the register."""
    if key := REGISTER_KEYS.get(register):
        run(f"DELETE FROM state.{register} WHERE {key} IN (SELECT {key} FROM news)")
    run(f"INSERT INTO state.{register} SELECT {_columns(register)} FROM news")


def touch_left_behind(state: LiveState) -> None:
    """Mark the previous holder's cards as touched when a card changes hands."""
    state.run(
        f"INSERT INTO state.touched SELECT DISTINCT 'cards', card, {state.progress.turn} FROM state.cards"
        " WHERE holder IN"
        " (SELECT c.holder FROM state.cards c JOIN news n ON n.card = c.card WHERE c.holder <> n.holder"
        " OR n.holder IS NULL)"
    )


def moved_cards(run: Run) -> list[str]:
    """Cards with a published decision for which `news` has another operator or city."""
    moved = run(
        "SELECT number_text(n.card) FROM news n LEFT JOIN state.cards c ON c.card = n.card WHERE n.card IN"
        " (SELECT card FROM state.hits UNION SELECT card FROM state.confirmed)"
        " AND (coalesce(n.operator, '') <> coalesce(c.operator, '')"
        " OR coalesce(n.home_city, '') <> coalesce(c.home_city, ''))"
    )
    return [card for (card,) in moved]


def _columns(register: str) -> str:
    return ", ".join(column.name for column in TABLES[register].columns)


def take_passes(state: LiveState, passes: Passes) -> None:
    """Replace the stored passes with `passes`; mark the cards that differ as touched."""
    with lent(state.db, "given", pass_rows(passes.read())):
        state.run(
            f"INSERT INTO state.touched SELECT DISTINCT 'cards', card, {state.progress.turn} FROM"
            " ((FROM given EXCEPT FROM state.passes)"
            " UNION ALL (FROM state.passes EXCEPT FROM given)) SEMI JOIN state.cards USING (card)"
        )
        state.run("DELETE FROM state.passes")
        state.run("INSERT INTO state.passes SELECT card, passed_at FROM given")
