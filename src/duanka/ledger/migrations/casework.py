"""Tables that version 13 adds for casework; immutable, and independent of present tables."""

from __future__ import annotations

from typing import Any

from alembic.operations import Operations
from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Integer,
    LargeBinary,
    String,
    Text,
    UniqueConstraint,
    inspect,
    text,
)

from duanka.ledger.migrations.casework_victims import victims

_Serial = BigInteger().with_variant(Integer, "sqlite")


def casework(op: Operations) -> None:
    """Create the tables of cases, clues, victims and accounts."""
    _cases(op)
    _clues(op)
    victims(op)
    _accounts(op)


def _create_table(op: Operations, name: str, *columns: Any) -> None:
    """Create the table if it is missing: a version that was set back makes no second one."""
    if not inspect(op.get_bind()).has_table(name):
        op.create_table(name, *columns)


def _moment(name: str, *, nullable: bool = True) -> Column[int]:
    return Column(name, BigInteger, nullable=nullable)  # microseconds since 1970, UTC


def _short(
    name: str, length: int, *, default: str | None = None, nullable: bool = False, key: bool = False
) -> Column[str]:
    return Column(name, String(length), nullable=nullable, server_default=default, primary_key=key)


def _text(name: str, *, default: str | None = None) -> Column[str]:
    return Column(name, Text, nullable=False, server_default=default)


def _number() -> Column[int]:
    return Column("id", _Serial, primary_key=True, autoincrement=True)


def _index(
    op: Operations, name: str, table: str, *columns: str, unique: bool = False, where: str = ""
) -> None:
    if name in {index["name"] for index in inspect(op.get_bind()).get_indexes(table)}:
        return
    only: dict[str, Any] = {"sqlite_where": text(where), "postgresql_where": text(where)} if where else {}
    op.create_index(name, table, list(columns), unique=unique, **only)


def _cases(op: Operations) -> None:
    _create_table(
        op,
        "cases",
        _short("id", 16, key=True),
        _text("title"),
        _short("state", 16),
        _short("ground", 16),
        _short("ground_number", 80),
        _short("seed_kind", 8),
        _short("seed", 80),
        _short("opened_by", 32),
        _moment("opened_at", nullable=False),
        _short("approved_by", 32, nullable=True),
        _moment("approved_at"),
        _short("assigned_to", 32, nullable=True),
        _moment("updated_at", nullable=False),
        _moment("closed_at"),
        _text("outcome", default=""),
        _short("merged_into", 16, nullable=True),
        _short("split_from", 16, nullable=True),
        Column("change", BigInteger, nullable=False),
        CheckConstraint(
            "state = 'proposed' OR state = 'rejected' OR length(ground_number) > 0 OR approved_by IS NOT NULL",
            name="case_ground",
        ),
    )
    _index(op, "cases_by_change", "cases", "change", unique=True)
    _index(op, "cases_by_time", "cases", "opened_at", "id")
    _create_table(
        op,
        "case_items",
        _number(),
        _short("case_id", 16),
        _short("kind", 8),
        _short("value", 120),
        _short("role", 24, default=""),
        Column("certainty", Integer),
        _text("source"),
        _short("operator", 40, default=""),
        _short("city", 40, default=""),
        _short("added_by", 32),
        _moment("added_at", nullable=False),
        UniqueConstraint("case_id", "kind", "value"),
    )
    _index(op, "case_items_by_value", "case_items", "value", "kind")
    _create_table(
        op,
        "case_notes",
        _number(),
        _short("case_id", 16),
        _moment("at", nullable=False),
        _short("who", 32),
        _text("text"),
    )
    _index(op, "notes_of_case", "case_notes", "case_id", "at")
    _create_table(
        op,
        "case_counter",
        Column("id", Integer, primary_key=True, autoincrement=False),
        Column("value", BigInteger, nullable=False),
    )
    _create_table(
        op,
        "confirmations",
        _number(),
        _short("card", 24),
        _text("case_number"),
        _short("source", 16),
        _short("origin", 16, default=""),
        _short("fraud_kind", 24, default=""),
        _moment("confirmed_at", nullable=False),
        _moment("withdrawn_at"),
        _text("withdrawn_why", default=""),
    )
    _index(op, "confirmations_of_card", "confirmations", "card", "id")
    _index(op, "confirmations_standing", "confirmations", "id", where="withdrawn_at IS NULL")


def _clues(op: Operations) -> None:
    _create_table(
        op,
        "clues",
        _short("id", 16, key=True),
        _short("case_id", 16),
        _text("title"),
        _short("state", 16),
        _short("recipient", 16),
        Column("cards", Integer, nullable=False),
        Column("confirmed", Integer, nullable=False),
        _short("digest", 64),
        Column("package", LargeBinary),
        _moment("package_deleted_at"),
        _short("built_by", 32),
        _moment("built_at", nullable=False),
        _moment("updated_at", nullable=False),
        _short("reviewed_by", 32, nullable=True),
        _moment("reviewed_at"),
        _short("sent_by", 32, nullable=True),
        _moment("sent_at"),
        _text("sent_to", default=""),
        _short("acknowledged_by", 32, nullable=True),
        _moment("acknowledged_at"),
        _short("answered_by", 32, nullable=True),
        _moment("answered_at"),
        _text("case_number", default=""),
        _short("seal", 64),
        CheckConstraint("state = 'draft' OR reviewed_by <> built_by", name="clue_reviewed_by_another"),
    )
    _index(op, "clues_by_time", "clues", "built_at", "id")
    _index(op, "clues_of_case", "clues", "case_id")
    _index(op, "clues_with_package", "clues", "built_at", where="package IS NOT NULL")
    _create_table(
        op,
        "clue_cards",
        _short("clue_id", 16, key=True),
        _short("card", 24, key=True),
        _short("standing", 16),
        _short("operator", 40, default=""),
        _short("city", 40, default=""),
        _short("answer", 16, nullable=True),
        _moment("answered_at"),
        _text("case_number", default=""),
    )
    _index(op, "clues_of_card", "clue_cards", "card")
    _create_table(
        op,
        "clue_files",
        _short("clue_id", 16, key=True),
        _short("name", 64, key=True),
        Column("content", LargeBinary, nullable=False),
    )
    _create_table(
        op,
        "clue_recipients",
        _short("id", 16, key=True),
        _text("name"),
        _text("certificate"),
        _text("address"),
        _short("proposed_by", 32),
        _moment("proposed_at", nullable=False),
        _short("approved_by", 32, nullable=True),
        _moment("removed_at"),
        _short("seal", 64),
    )


def _accounts(op: Operations) -> None:
    _platforms(op)
    _account_requests(op)
    _account_deliveries(op)
    _takedown(op)


def _platforms(op: Operations) -> None:
    _create_table(
        op,
        "platforms",
        _short("id", 16, key=True),
        _short("name", 64),
        _short("transport", 8),
        _text("address"),
        _text("key_file"),
        _short("public_key", 64),
        _short("proposed_by", 32),
        _moment("proposed_at", nullable=False),
        _short("approved_by", 32, nullable=True),
        _moment("removed_at"),
        _short("seal", 64),
    )
    _create_table(
        op,
        "account_looks",
        _number(),
        _short("card", 24),
        _moment("created_at", nullable=False),
        _moment("next_try_at", nullable=False),
    )
    _index(op, "account_looks_due", "account_looks", "next_try_at", "id")


def _account_requests(op: Operations) -> None:
    _create_table(
        op,
        "account_requests",
        _short("id", 16, key=True),
        _short("card", 24),
        _short("platform", 64),
        _short("account", 120),
        _short("kind", 16),
        _short("ground", 16),
        _short("ground_number", 80),
        _short("state", 16),
        _short("operator", 40, default=""),
        _short("city", 40, default=""),
        _short("requested_by", 32),
        _moment("requested_at", nullable=False),
        _text("why", default=""),
        _short("approved_by", 32, nullable=True),
        _moment("due_at"),
        _moment("sent_at"),
        _moment("asked_at"),
        _moment("answered_at"),
        _short("answered_by", 32, nullable=True),
        _moment("release_at"),
        _short("released_by", 32, nullable=True),
        _moment("released_at"),
        _moment("over_at"),
        _moment("updated_at", nullable=False),
        CheckConstraint(
            "kind <> 'close' OR approved_by IS NOT NULL OR state IN ('proposed', 'withdrawn', 'rejected')",
            name="close_by_two",
        ),
    )
    table = "account_requests"
    key = ("card", "platform", "account", "kind", "ground")
    _index(op, "one_open_account_request", table, *key, unique=True, where="over_at IS NULL")
    _index(op, "account_requests_waiting", table, "due_at", where="due_at IS NOT NULL")
    unanswered = "state IN ('sent', 'releasing')"
    _index(op, "account_requests_unanswered", table, "platform", "asked_at", where=unanswered)
    _index(op, "account_requests_of_card", table, "card", "requested_at")
    _index(op, "account_requests_by_time", table, "requested_at", "id")


def _account_deliveries(op: Operations) -> None:
    _create_table(
        op,
        "account_deliveries",
        _number(),
        _short("request_id", 16),
        _short("what", 8),
        _short("platform", 64),
        _text("body"),
        _short("seal", 64),
        _moment("created_at", nullable=False),
        _moment("next_try_at", nullable=False),
        Column("tries", Integer, nullable=False, server_default="0"),
        _moment("leased_until"),
        _short("leased_by", 40, nullable=True),
        _moment("done_at"),
        _short("outcome", 16, nullable=True),
        Column("error", Text),
        UniqueConstraint("request_id", "what"),
    )
    waiting = ("account_deliveries_waiting", "account_deliveries", "platform", "next_try_at")
    _index(op, *waiting, where="done_at IS NULL")
    _create_table(
        op,
        "account_answers",
        _number(),
        _short("request_id", 16),
        _moment("at", nullable=False),
        _short("state", 16),
        _short("who", 32),
        _text("note", default=""),
        _text("signature", default=""),
    )
    _index(op, "answers_of_request", "account_answers", "request_id", "id")


def _takedown(op: Operations) -> None:
    _create_table(
        op,
        "refused_indicators",
        _short("element", 24, key=True),
        _short("key", 160, key=True),
        _short("kind", 8, key=True),
        _short("value", 255, key=True),
        _moment("at", nullable=False),
    )
    _create_table(
        op,
        "takedown_items",
        _short("id", 16, key=True),
        _short("kind", 8),
        _short("value", 255),
        _short("state", 16),
        Column("refused", BigInteger, nullable=False, server_default="0"),
        Column("complaints", BigInteger, nullable=False, server_default="0"),
        _moment("first_seen", nullable=False),
        _moment("last_seen", nullable=False),
        _short("agreed_by", 32, nullable=True),
        _moment("agreed_at"),
        _short("blocked_by", 32, nullable=True),
        _moment("blocked_at"),
        _text("passed_to", default=""),
        _moment("updated_at", nullable=False),
        UniqueConstraint("kind", "value"),
    )
    _index(op, "takedown_items_blocked", "takedown_items", "kind", where="blocked_at IS NOT NULL")
    _index(op, "takedown_items_by_time", "takedown_items", "last_seen", "id")
