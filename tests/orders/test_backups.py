"""A backup is one whole file of its owner's, and a book that goes on from it holds."""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path

from duanka.bootstrap import orders as app_orders
from duanka.domain.order import Kind
from support.orders.books import receive
from support.typed_desk import TypedDesk, card, demand

WHY = ("--why", "every night")


def test_a_backup_is_whole_and_its_owners_alone(tmp_path: Path) -> None:
    desk, file = TypedDesk(tmp_path / "book"), tmp_path / "copy.sqlite"
    before = os.umask(0)
    try:
        with desk.open() as here:  # as a worker has it: what it wrote lies in the log
            receive(here.orders, [demand(0)], app_orders.now())
            assert desk.type("wang", "orders", "backup", str(file), *WHY).code == 2, "it takes a supervisor"
            assert "The secret is not in it" in desk.done("li", "orders", "backup", str(file), *WHY).text
    finally:
        os.umask(before)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [one.name for one in tmp_path.iterdir() if "copy" in one.name] == ["copy.sqlite"]
    assert "there already" in desk.type("li", "orders", "backup", str(file), *WHY).text
    desk.demand(demand(1))
    for ending in ("-wal", "-shm"):
        (desk.folder / f"orders.sqlite{ending}").unlink(missing_ok=True)
    shutil.copyfile(file, desk.folder / "orders.sqlite")
    with desk.open() as here:
        assert here.reading.last(card(0), Kind.VERIFICATION)
        assert here.reading.last(card(1), Kind.VERIFICATION) is None
        assert all(isinstance(one, int) for one in here.trail.verify(here.store))
