"""Order databases of earlier versions: files that `scripts/build_old_database.py` made with the code of then."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine, text

from duanka.bootstrap import orders as app_orders
from duanka.bootstrap.orders import OrderDesk
from duanka.bootstrap.policies import policy_named
from duanka.bootstrap.settings import Settings

FOLDER = Path(__file__).parent / "old_databases"
RELEASE = "release-0.1.0"
NAMES = sorted(path.name.removesuffix(".json.gz") for path in FOLDER.glob("*.json.gz"))

__all__ = ["NAMES", "RELEASE", "load", "opened", "put", "settings_for"]


def load(name: str) -> dict[str, Any]:
    """What the file holds: statements, rows, the secret, keys and ids."""
    held: dict[str, Any] = json.loads(gzip.decompress((FOLDER / f"{name}.json.gz").read_bytes()))
    return held


def put(old: dict[str, Any], url: str) -> None:
    """Make the database at `url` what it was."""
    engine = create_engine(url.replace("postgresql:", "postgresql+psycopg:"))
    dialect = engine.dialect.name
    if dialect == "sqlite":  # as every version left it
        with engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA journal_mode=WAL")
    with engine.begin() as connection:
        for statement in old["statements"][dialect]:
            connection.exec_driver_sql(statement.replace("%%", "%"))
        for table, rows in old["rows"].items():
            names = ", ".join(f'"{name}"' for name in rows[0])
            places = ", ".join(f":{name}" for name in rows[0])
            connection.execute(text(f'INSERT INTO "{table}" ({names}) VALUES ({places})'), [*map(_row, rows)])
        if dialect == "postgresql":
            for table, rows in old["rows"].items():
                for name in {"id", "seq"} & set(rows[0]):
                    found = connection.exec_driver_sql(f"SELECT pg_get_serial_sequence('{table}', '{name}')")
                    if sequence := found.scalar():
                        last = max(row[name] for row in rows)
                        connection.exec_driver_sql(f"SELECT setval('{sequence}', {last})")
    engine.dispose()


def _row(row: dict[str, Any]) -> dict[str, Any]:
    return {
        name: base64.b64decode(value["base64"]) if isinstance(value, dict) else value
        for name, value in row.items()
    }


def settings_for(old: dict[str, Any], folder: Path, url: str | None = None) -> Settings:
    """Settings of a process on the database, in a folder of its own with the secret in its file."""
    folder.mkdir(mode=0o700, exist_ok=True)
    (folder / "secret").write_text(old["secret"] + "\n", encoding="ascii")
    return Settings(orders=folder, **({"database_url": url} if url else {}))  # type: ignore[arg-type]


@contextmanager
def opened(settings: Settings, **how: Any) -> Iterator[OrderDesk]:
    """The order database, upgraded where it is of an earlier version."""
    with app_orders.desk(settings, policy_named("national"), **how) as here:
        yield here
