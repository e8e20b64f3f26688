"""An order database with its people, an attached store with a ring in it, and the graph of that store."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import select

from duanka.bootstrap import orders as app_orders
from duanka.bootstrap.links import building
from duanka.bootstrap.links.ownership import seal_of
from duanka.bootstrap.policies import policy_named
from duanka.bootstrap.settings import Settings
from duanka.domain.person import Role, Scope
from duanka.domain.ports import Silent
from duanka.ledger.db.tables import audit
from support.desk import Typed, duanka
from support.links.ring_world import ring_store
from support.people import People

ROLES: Mapping[str, tuple[Role, Scope]] = {
    "desk": (Role.DESK, Scope()),
    "boss": (Role.SUPERVISOR, Scope()),
    "regulator": (Role.REGULATOR, Scope()),
    "local": (Role.DESK, Scope(cities=frozenset({"130100"}))),
}


@dataclass(frozen=True)
class RingOffice:
    """`folder`: of the order database (orders), the store and its graph (store, links); `keys` by person."""

    folder: Path
    keys: Mapping[str, str]

    @property
    def settings(self) -> Settings:
        return Settings(
            orders=self.folder / "orders", store=self.folder / "store", links=self.folder / "links", threads=1
        )

    def type(self, *words: str | Path, who: str | None = "desk", orders: Path | None = None) -> Typed:
        return duanka(
            *("--language", "en", "links", *words),
            cwd=self.folder,
            DUANKA_ORDERS=str(orders or self.folder / "orders"),
            DUANKA_API_KEY=self.keys[who] if who else "",
            DUANKA_THREADS="1",
        )

    def trail(self) -> list[tuple[str, str, str, str | None]]:
        """What, who, about what and why of the lookups in the trail."""
        columns = audit.c.what, audit.c.who, audit.c.subject, audit.c.why
        return [tuple(row) for row in self._rows(*columns)]

    def told(self) -> list[Any]:
        """What the trail tells beside that."""
        return [row[0] for row in self._rows(audit.c.after)]

    def _rows(self, *columns: Any) -> list[Any]:
        with (
            app_orders.desk(self.settings, policy_named("national")) as here,
            here.store.reading() as reading,
        ):
            query = select(*columns).where(audit.c.what.like("lookup.%")).order_by(audit.c.seq)
            return list(reading.execute(query))


def ring_office(folder: Path) -> RingOffice:
    """Everything set up: the store is attached, and its graph is built."""
    ring_store(folder / "store")
    settings = Settings(orders=folder / "orders", store=folder / "store", links=folder / "links", threads=1)
    with app_orders.desk(settings, policy_named("national"), create=True) as here:
        people = People(here.store, here.trail)
        keys = {name: people.add(f"the.{name}", role, scope) for name, (role, scope) in ROLES.items()}
        app_orders.attach_store(here, None, people.who("the.boss"), "the first store")
    build(settings, folder / "store", folder / "links")
    return RingOffice(folder, keys)


def build(settings: Settings, store: Path, out: Path) -> None:
    """As `duanka links build`."""
    building.build(settings, store, out, policy_named("national"), None, Silent())


def sealed(links: Path) -> Path:
    """The file that says whose the graph is."""
    found = seal_of(links)
    assert found
    return found
