"""Upgrade of an order database: once, after a backup copy, in one transaction."""

from __future__ import annotations

import hashlib
import secrets
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy import Connection, select, update

from duanka.domain.errors import MAKE_ROOM, DuankaError
from duanka.domain.order import SYSTEM
from duanka.domain.private_files import put_in_place
from duanka.ledger.audit.trail import UPGRADED, AuditEntry, Trail
from duanka.ledger.db.installation import (
    OlderVersion,
    SecretKeys,
    Upgrade,
    Upgraded,
    fitting_secret,
    put_installation,
    version_words,
)
from duanka.ledger.db.tables import SCHEMA_VERSION
from duanka.ledger.db.tables_installation import installation
from duanka.ledger.migrations.baseline import columns_of, tell_rows
from duanka.ledger.migrations.standing_stops import confirm_standing_stops
from duanka.ledger.migrations.steps import STEPS
from duanka.ledger.migrations.trail_facts import TrailFacts, read_trail

_CONFIRMED_SINCE = 13  # version from which on a police stop leaves a confirmation


class TrailDoesNotHold(DuankaError):
    """The audit trail of the database to upgrade is broken; a person must look first."""


def upgrade_database(
    connection: Connection, name: str, terms: Upgrade, older: OlderVersion, database: Path | None
) -> Upgraded:
    """Upgrade in the open transaction of `connection`, which holds the upgrade lock.

    `database`: the SQLite file to copy first. Raised before anything is written: NotUsable (the secret does not fit),
    TrailDoesNotHold.
    """
    now = datetime.now(UTC)
    keys, trail, facts = _read(connection, name, terms, older.version, now)
    copy = _copied(database, older.version, now) if database else None
    before = columns_of(connection)
    operations = Operations(MigrationContext.configure(connection))
    for version, step in STEPS.items():
        if version > older.version:
            step(operations, facts)
    if older.version == 0:
        put_installation(connection, _number(facts), keys.installation, now)
    connection.execute(update(installation).values(schema_version=SCHEMA_VERSION))
    entries = tell_rows(connection, trail, facts, before)
    if older.version < _CONFIRMED_SINCE:
        entries += confirm_standing_stops(connection, trail, now)
    why = "; ".join(filter(None, (f"by {terms.by}", terms.despite_faults, *facts.faults)))
    told = {"version": SCHEMA_VERSION, "rows": entries, "baseline": "digests" not in before["audit"]}
    entry = AuditEntry(now, SYSTEM, UPGRADED, "order database", why, {"version": older.version}, told)
    trail.append(connection, [entry])
    return Upgraded(older.version, copy, entries, tuple(facts.said))


def _read(
    connection: Connection, name: str, terms: Upgrade, version: int, now: datetime
) -> tuple[SecretKeys, Trail, TrailFacts]:
    """Return the fitting keys, the trail and its facts; writes nothing."""
    forms = terms.keys()
    if version:
        number, seal = connection.execute(
            select(installation.c.installation_id, installation.c.secret_seal)
        ).one()
        keys = forms[fitting_secret(name, number, seal, [one.installation for one in forms])]
    else:
        keys = _of_trail(connection, name, forms)
    trail = Trail(keys.audit)
    facts = read_trail(connection, trail, now)
    if facts.faults and not terms.despite_faults:
        raise TrailDoesNotHold(
            f"{name} is an order database {version_words(version).en} whose audit trail does not hold"
            f" ({facts.faults[0]}): look at it with the Duanka that it was made with (`duanka audit verify`); a person"
            " who knows why goes on with `duanka database upgrade --despite-faults WHY`; nothing was changed"
        )
    return keys, trail, facts


def _of_trail(connection: Connection, name: str, forms: Sequence[SecretKeys]) -> SecretKeys:
    """Return the keys that fit the trail, for a database without a seal of its own.

    They match the seal of the trail's end, or the hash of a row.
    """
    for one in forms:
        trail = Trail(one.audit)
        if trail.is_sealed(trail.head(connection)):
            return one
    for one in forms:
        if read_trail(connection, Trail(one.audit), datetime.now(UTC)).has_rows_of_ours:
            return one
    fitting_secret(name, "", "", [])
    raise AssertionError  # fitting_secret has raised


def _number(facts: TrailFacts) -> str:
    """Derive the installation's id from the trail: every copy gets the same one."""
    if not facts.first_hash:
        return secrets.token_hex(16)
    return hashlib.sha256(f"duanka installation {facts.first_hash}".encode()).hexdigest()[:32]


def _copied(database: Path, version: int, now: datetime) -> Path:
    """Copy the locked database. DuankaError, OSError: the copy cannot be written."""
    named = "0.1.0" if version == 0 else f"v{version}"
    copy = database.with_name(f"{database.stem}-{named}-{now:%Y%m%dT%H%M%S%f}.sqlite")
    try:
        with (
            put_in_place(copy) as aside,
            closing(sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro", uri=True)) as source,
            closing(sqlite3.connect(aside)) as target,
        ):
            source.backup(target)
            target.execute("PRAGMA journal_mode=DELETE")
    except sqlite3.Error as error:
        raise DuankaError(
            f"the copy {copy} that an upgrade begins with cannot be written ({error}){MAKE_ROOM}"
        ) from None
    return copy
