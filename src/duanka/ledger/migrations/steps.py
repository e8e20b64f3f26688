"""Migration steps between versions; immutable, and independent of present tables.

Before version 11, development changed some tables without a new number. So a step inspects the database and adds what
is missing. Released versions are identified by number alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from alembic.operations import Operations
from sqlalchemy import (
    BigInteger,
    Column,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    inspect,
    text,
)

from duanka.ledger.migrations.assessment import assessment as assessment_tables
from duanka.ledger.migrations.casework import casework as casework_tables
from duanka.ledger.migrations.people import (
    give_keys_to_persons,
    name_acting_persons,
    name_openers,
    persons_of_keys,
)
from duanka.ledger.migrations.trail_facts import TrailFacts

Step = Callable[[Operations, TrailFacts], None]


def _has_table(op: Operations, table: str) -> bool:
    return inspect(op.get_bind()).has_table(table)


def _columns(op: Operations, table: str) -> set[str]:
    return {column["name"] for column in inspect(op.get_bind()).get_columns(table)}


def _add_columns(op: Operations, table: str, *columns: Column[Any]) -> bool:
    """Add the missing columns; return whether there were any."""
    there = _columns(op, table)
    missing = [column for column in columns if column.name not in there]
    for column in missing:
        op.add_column(table, column)
    return bool(missing)


def _create_table(op: Operations, name: str, *columns: Any) -> bool:
    """Create the table if it is missing; return whether it was."""
    if _has_table(op, name):
        return False
    op.create_table(name, *columns)
    return True


def _create_index(
    op: Operations, name: str, table: str, columns: Sequence[str], *, unique: bool = False, where: str = ""
) -> None:
    """Create the index if it is missing. `where`: condition of a partial index."""
    if name in {index["name"] for index in inspect(op.get_bind()).get_indexes(table)}:
        return
    only: dict[str, Any] = {"sqlite_where": text(where), "postgresql_where": text(where)} if where else {}
    op.create_index(name, table, list(columns), unique=unique, **only)


def _text(name: str, *, default: str | None = None, nullable: bool = False) -> Column[str]:
    return Column(name, Text, nullable=nullable, server_default=default)


def _short(name: str, length: int, *, default: str | None = None, nullable: bool = False) -> Column[str]:
    return Column(name, String(length), nullable=nullable, server_default=default)


def _moment(name: str, *, nullable: bool = True) -> Column[int]:
    return Column(name, BigInteger, nullable=nullable)  # microseconds since 1970, UTC


def installation(op: Operations, facts: TrailFacts) -> None:
    """Version 1: version number and seal of the secret."""
    del facts
    _create_table(
        op,
        "installation",
        Column("id", Integer, primary_key=True, autoincrement=False),
        Column("schema_version", Integer, nullable=False),
        _short("installation_id", 32),
        _short("secret_seal", 64),
        _moment("created_at", nullable=False),
    )


def places_and_elements(op: Operations, facts: TrailFacts) -> None:
    """Versions 2 and 3: operator and city of orders and bulk actions; elements."""
    del facts
    _add_columns(op, "orders", _short("operator", 40, default=""), _short("city", 40, default=""))
    new = _create_table(
        op,
        "act_places",
        Column("act_id", String(16), primary_key=True),
        Column("operator", String(40), primary_key=True),
        Column("city", String(40), primary_key=True),
    )
    if new:  # unknown: only persons for all operators and cities see those bulk actions
        op.execute("INSERT INTO act_places (act_id, operator, city) SELECT id, '', '' FROM acts")
    _create_table(
        op,
        "elements",
        Column("name", String(24), primary_key=True),
        _text("address"),
        _moment("changed_at", nullable=False),
        Column("changes_allowed", Integer),
        _moment("allowed_until"),
    )


def persons(op: Operations, facts: TrailFacts) -> None:
    """Version 4: persons with id, role and scope; owners of keys become persons."""
    new = _create_table(
        op,
        "persons",
        Column("id", String(32), primary_key=True),
        _text("display_name"),
        _short("role", 16),
        _text("operators", default=""),
        _text("cities", default=""),
        _moment("created_at", nullable=False),
        _moment("disabled_at"),
    )
    _create_table(
        op,
        "person_requests",
        Column("id", String(16), primary_key=True),
        _short("what", 8),
        _short("person", 32),
        _text("display_name"),
        _short("role", 16),
        _text("operators"),
        _text("cities"),
        _short("half", 64, nullable=True),
        _short("proposed_by", 32),
        _moment("proposed_at", nullable=False),
        _short("decided_by", 32, nullable=True),
        _moment("decided_at"),
        _short("outcome", 16, nullable=True),
    )
    _create_index(
        op, "one_open_request", "person_requests", ["person"], unique=True, where="decided_at IS NULL"
    )
    _create_table(
        op,
        "invitations",
        Column("hash", String(64), primary_key=True),
        _short("made_by", 32),
        _moment("made_at", nullable=False),
        _moment("expires_at", nullable=False),
        _moment("used_at"),
    )
    if new:
        people = persons_of_keys(op.get_bind(), facts)
        with op.batch_alter_table("keys") as keys:
            keys.add_column(_short("proposed_by", 32, default=""))
            keys.add_column(_short("approved_by", 32, default=""))
        give_keys_to_persons(op.get_bind(), people, facts)
        name_acting_persons(op.get_bind(), facts)
        with op.batch_alter_table("keys") as keys:
            keys.drop_column("role")
            keys.alter_column("person", type_=String(32), existing_nullable=False)
            keys.alter_column("proposed_by", server_default=None, existing_type=String(32))
            keys.alter_column("approved_by", server_default=None, existing_type=String(32))
    _create_index(op, "keys_of_person", "keys", ["person"])


def evidence_and_digests(op: Operations, facts: TrailFacts) -> None:
    """Version 5: evidence, links bound to browsers, digests of rows in the trail."""
    new = _add_columns(
        op,
        "orders",
        _text("opened_by", default=""),
        _text("helped_by", default=""),
        _short("decision", 64, default=""),
        _moment("receipt_at"),
        _short("evidence", 24, default=""),
    )
    if new:
        name_openers(op.get_bind(), facts)
    _add_columns(op, "acts", _short("verification", 16, nullable=True))
    waits = "state = 'proposed' AND verification IS NOT NULL"
    _create_index(op, "one_proposal", "acts", ["verification"], unique=True, where=waits)
    _create_table(
        op,
        "decisions_taken",
        Column("decision", String(64), primary_key=True),
        _moment("at", nullable=False),
    )
    if "repeat" not in _columns(op, "notices"):
        _repeat_notices(op)
    if "used_at" in _columns(op, "links"):
        _links_of_browsers(op)
    if "digests" not in _columns(op, "audit"):
        with op.batch_alter_table("audit") as audit:
            audit.add_column(_text("digests", default=""))
        with op.batch_alter_table("audit") as audit:
            audit.alter_column("digests", server_default=None, existing_type=Text)


def _repeat_notices(op: Operations) -> None:
    """Include the repeat number in the key of notices: they can be requested again."""
    repeat = Column("repeat", Integer, nullable=False, server_default="0")
    new = ["order_id", "step", "template", "repeat"]
    if op.get_bind().dialect.name == "sqlite":
        before = Table("notices", MetaData(), autoload_with=op.get_bind())
        for constraint in [one for one in before.constraints if isinstance(one, UniqueConstraint)]:
            before.constraints.discard(constraint)
        with op.batch_alter_table("notices", copy_from=before, recreate="always") as notices:
            notices.add_column(repeat)
            notices.create_unique_constraint("one_notice", new)
        return
    for found in inspect(op.get_bind()).get_unique_constraints("notices"):
        op.drop_constraint(str(found["name"]), "notices", type_="unique")
    op.add_column("notices", repeat)
    op.create_unique_constraint("notices_order_id_step_template_repeat_key", "notices", new)


def _links_of_browsers(op: Operations) -> None:
    """Keep used links unusable: the browser that used them is not known."""
    with op.batch_alter_table("links") as links:
        links.add_column(_short("browser_hash", 64, nullable=True))
        links.add_column(_moment("superseded_at"))
    op.execute("UPDATE links SET superseded_at = used_at")
    with op.batch_alter_table("links") as links:
        links.drop_column("used_at")


def case_sources(op: Operations, facts: TrailFacts) -> None:
    """Version 6: trusted signers of police cases; index for daily limits."""
    del facts
    _create_table(
        op,
        "case_sources",
        Column("id", String(16), primary_key=True),
        _short("name", 32),
        _short("public_key", 64),
        _short("proposed_by", 32),
        _moment("proposed_at", nullable=False),
        _short("approved_by", 32, nullable=True),
        _moment("removed_at"),
        _short("seal", 64),
    )
    by_people = "opened_by <> 'duanka' AND opened_by <> ''"
    _create_index(op, "orders_opened_by", "orders", ["opened_by", "opened_at"], where=by_people)


def passed_orders(op: Operations, facts: TrailFacts) -> None:
    """Version 7: index of passed verifications."""
    del facts
    passed = "kind = 'verification' AND state = 'passed'"
    _create_index(op, "orders_passed", "orders", ["card", "closed_at"], where=passed)


def waiting_orders(op: Operations, facts: TrailFacts) -> None:
    """Version 8: index of orders that wait for a person."""
    del facts
    waiting = (
        "closed_at IS NULL AND due_at IS NULL AND kind <> 'restriction'"
        " AND (kind = 'objection' OR evidence = '' OR state NOT IN ('expired', 'failed'))"
    )
    _create_index(op, "orders_waiting", "orders", ["updated_at"], where=waiting)


def takes(op: Operations, facts: TrailFacts) -> None:
    """Version 9: takes, and the decisions they kept."""
    del facts
    _create_table(
        op,
        "takes",
        Column("id", String(16), primary_key=True),
        _moment("at", nullable=False),
        _text("by"),
        _text("source"),
        _short("run", 32),
        *map(_text, ("chosen", "counts", "covers")),
        Column("narrower", Integer, nullable=False),
        _moment("undone_at"),
        _text("undone_by", nullable=True),
    )
    _create_index(op, "takes_by_time", "takes", ["at", "id"])
    _create_index(op, "takes_of_run", "takes", ["run", "narrower"])
    _create_table(
        op,
        "taken_orders",
        Column("take_id", String(16), primary_key=True),
        Column("order_id", String(16), primary_key=True),
        _short("what", 16),
    )
    _create_index(op, "takes_of_order", "taken_orders", ["order_id"])
    _create_table(
        op,
        "kept_decisions",
        Column("card", String(24), primary_key=True),
        Column("source", String(200), primary_key=True),
        _short("run", 32),
        _short("why", 16),
        _text("line"),
        _short("take_id", 16),
        _moment("kept_at", nullable=False),
        *map(_text, ("kept_by", "reason")),
    )
    _create_index(op, "kept_of_source", "kept_decisions", ["source", "why"])
    _create_index(op, "kept_held", "kept_decisions", ["kept_at", "card"], where="why = 'held'")


def hit_summaries(op: Operations, facts: TrailFacts) -> None:
    """Version 10: hit summaries of orders."""
    del facts
    _add_columns(op, "orders", _text("hit_summaries", default=""))


def refusal_hours(op: Operations, facts: TrailFacts) -> None:
    """Version 11: numbers of the refusals that went into the store of records."""
    del facts
    _create_table(
        op,
        "refusal_hours",
        Column("hour", BigInteger, primary_key=True, autoincrement=False),
        *(
            Column(name, String(length), primary_key=True)
            for name, length in (("carried", 8), ("reason", 24), ("operator", 40), ("city", 40))
        ),
        Column("count", BigInteger, nullable=False),
    )


def disavowals(op: Operations, facts: TrailFacts) -> None:
    """Version 12: what is said of a number that is not one's own, in checks and at counters."""
    del facts
    for table in ("sessions", "checks"):
        _add_columns(op, table, Column("disowns", Integer, nullable=False, server_default="0"))
    _add_columns(op, "counter_checks", _text("outlet", default=""))


def casework(op: Operations, facts: TrailFacts) -> None:
    """Version 13: cases, clues, victims, accounts, confirmations."""
    del facts
    casework_tables(op)


def assessment(op: Operations, facts: TrailFacts) -> None:
    """Version 14: assessment, and what is owed to holders."""
    del facts
    assessment_tables(op)


# Resulting version -> step. Release 0.1.0 is version 0; version 2 never existed.
STEPS: dict[int, Step] = {
    1: installation,
    3: places_and_elements,
    4: persons,
    5: evidence_and_digests,
    6: case_sources,
    7: passed_orders,
    8: waiting_orders,
    9: takes,
    10: hit_summaries,
    11: refusal_hours,
    12: disavowals,
    13: casework,
    14: assessment,
}
