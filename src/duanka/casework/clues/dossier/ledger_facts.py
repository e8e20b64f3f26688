"""What the order database knows of a case and its cards: hits, orders, the network's receipts, the police's word."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection, RowMapping, Table, select

from duanka.casework.cases.rows import items_of, open_row
from duanka.domain.case_file import CaseItem, ItemKind
from duanka.domain.clue import ClueError
from duanka.domain.network import NetworkState
from duanka.domain.order import Event, Kind, Person, State
from duanka.domain.text import BilingualText
from duanka.ledger.db.bulk import among
from duanka.ledger.db.casework.cases import confirmations
from duanka.ledger.db.tables import audit, cards, orders, outbox

MOST_CARDS = 5_000  # of one dossier; a larger case is split
_MOVES = tuple(f"{kind}.{event}" for kind in Kind for event in Event)


@dataclass(frozen=True)
class LedgerFacts:
    """Rows by card, oldest first. `moves`: entries of the trail about the cards' orders, with the card."""

    case: RowMapping
    items: Sequence[CaseItem]
    orders: Mapping[str, Sequence[RowMapping]] = field(default_factory=dict)
    receipts: Mapping[str, Sequence[RowMapping]] = field(default_factory=dict)
    confirmations: Mapping[str, Sequence[RowMapping]] = field(default_factory=dict)
    wanted: Mapping[str, RowMapping] = field(default_factory=dict)
    moves: Sequence[tuple[str, RowMapping]] = ()

    @property
    def numbers(self) -> list[str]:
        """The cards of the case, in order of their numbers."""
        return sorted(self.cards)

    @property
    def cards(self) -> dict[str, CaseItem]:
        """The items that are cards, by number."""
        return {one.value: one for one in self.items if one.kind is ItemKind.CARD}


def facts_of(connection: Connection, case_id: str, by: Person) -> LedgerFacts:
    """Read all about an open case that a dossier needs. UnknownCase; CaseError: not open. ClueError: its cards."""
    case = open_row(connection, case_id, by)
    facts = LedgerFacts(case, items_of(connection, case_id))
    numbers = facts.numbers
    if not numbers:
        raise ClueError(f"{case_id} has no cards; `duanka cases` adds them")
    if len(numbers) > MOST_CARDS:
        raise ClueError(
            f"{case_id} has {len(numbers):,} cards, and a clue at most {MOST_CARDS:,}: split the case"
        )
    of_cards = _by_card(connection, orders, numbers)
    return LedgerFacts(
        case,
        facts.items,
        of_cards,
        _by_card(connection, outbox, numbers),
        _by_card(connection, confirmations, numbers),
        {card: rows[0] for card, rows in _by_card(connection, cards, numbers).items()},
        _moves(connection, of_cards),
    )


def _by_card(connection: Connection, table: Table, numbers: Sequence[str]) -> dict[str, list[RowMapping]]:
    found = defaultdict[str, list[RowMapping]](list)
    order = table.c.opened_at if table is orders else next(iter(table.primary_key.columns))
    rows = select(table).where(among(connection, table.c.card, numbers)).order_by(order)
    for row in connection.execute(rows).mappings():
        found[row["card"]].append(row)
    return found


def _moves(
    connection: Connection, of_cards: Mapping[str, Sequence[RowMapping]]
) -> list[tuple[str, RowMapping]]:
    card_of = {row["id"]: card for card, rows in of_cards.items() for row in rows}
    query = select(audit.c.at, audit.c.what, audit.c.subject, audit.c.role).where(
        among(connection, audit.c.subject, card_of), audit.c.what.in_(_MOVES)
    )
    rows = connection.execute(query.order_by(audit.c.seq)).mappings()
    return [(card_of[row["subject"]], row) for row in rows]


def move_words(what: str) -> BilingualText:
    """An entry of the trail about an order, in words: 停机：双停."""
    kind, _, event = what.partition(".")
    one, other = Kind(kind).words, Event(event).words
    return BilingualText(f"{one.zh}：{other.zh}", f"{one.en}: {other.en}")


def state_words(row: RowMapping | None) -> BilingualText | None:
    """How the network is to treat a card; None: nothing was ever asked."""
    if row is None:
        return None
    state, wanted = State(row["state"]).words, NetworkState(row["wanted"]).words
    return BilingualText(f"{state.zh}（网络：{wanted.zh}）", f"{state.en} (network: {wanted.en})")


def since(rows: Sequence[RowMapping], kind: Kind, *states: State) -> list[tuple[str, datetime]]:
    """Ids and ends of the orders of a kind that came to one of these states."""
    return [
        (row["id"], row["closed_at"] or row["updated_at"])
        for row in rows
        if row["kind"] == kind and row["state"] in {state.value for state in states}
    ]
