"""An index over some rows has its condition on every database: without it the waiting work is looked for among all."""

from __future__ import annotations

from types import ModuleType

import pytest
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Dialect
from sqlalchemy.schema import CreateIndex

from duanka.ledger.db.tables import metadata


@pytest.mark.parametrize("dialect", [sqlite, postgresql], ids=["sqlite", "postgresql"])
def test_an_index_over_some_rows_names_them(dialect: ModuleType) -> None:
    of_this: Dialect = dialect.dialect()
    made = {
        str(index.name): str(CreateIndex(index).compile(dialect=of_this))
        for table in metadata.tables.values()
        for index in table.indexes
    }
    assert made["one_open_order"].endswith("ON orders (card, kind) WHERE closed_at IS NULL")
    assert made["outbox_waiting"].endswith("ON outbox (element, next_try_at, id) WHERE done_at IS NULL")
    assert "WHERE" not in made["orders_of_card"]
