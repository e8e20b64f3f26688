"""Tables and SCHEMA_VERSION change together: the version says which databases this Duanka may use."""

from __future__ import annotations

import hashlib

from sqlalchemy import Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.schema import CreateIndex, CreateTable

import duanka.ledger.db.installation  # noqa: F401  # brings all tables
from duanka.ledger.db.tables import SCHEMA_VERSION, metadata
from duanka.ledger.migrations.steps import STEPS

# of the tables as they are in this version; of no other, so that two changes at once meet in one line
VERSION, DIGEST = 14, "f97085be07298007"


def _statements(table: Table) -> list[str]:
    """What makes the table and its indexes on each database."""
    made: list[str] = []
    for dialect in (sqlite.dialect(), postgresql.dialect()):  # type: ignore[no-untyped-call]
        made.append(str(CreateTable(table).compile(dialect=dialect)))
        made += sorted(str(CreateIndex(index).compile(dialect=dialect)) for index in table.indexes)
    return made


def test_the_version_is_raised_with_the_tables() -> None:
    tables = sorted(metadata.tables.values(), key=lambda table: table.name)
    text = "\n".join(statement for table in tables for statement in _statements(table))
    digest = hashlib.sha256(text.encode()).hexdigest()[:16]
    if digest == DIGEST:
        assert SCHEMA_VERSION == VERSION, (
            "no table changed, but SCHEMA_VERSION: order databases would be refused"
        )
        return
    assert SCHEMA_VERSION > VERSION, (
        f"the tables are not those of version {VERSION}: an order database of before would be used as if it were new."
        f" Raise SCHEMA_VERSION in src/duanka/ledger/db/tables.py to {VERSION + 1}, write the step that leads there in"
        " src/duanka/ledger/migrations/steps.py, build a small database of the version before with"
        " scripts/build_old_database.py, and start this test again"
    )
    raise AssertionError(f'write here: VERSION, DIGEST = {SCHEMA_VERSION}, "{digest}"')


def test_a_step_leads_to_every_version() -> None:
    assert max(STEPS) == SCHEMA_VERSION, "write the step to this version in ledger/migrations/steps.py"
    assert list(STEPS) == sorted(STEPS)
