"""A desk on both databases, its API served, and somebody of each role who asks it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from desks import Caller, TestDesk, callers, desk_on
from duanka.domain.order import Role
from duanka.orders.store import Store

Calling = Callable[[str | None], Caller]


def own_desk(store: Store) -> TestDesk:
    return desk_on(store)


def own_calling(desk: TestDesk) -> Iterator[Calling]:
    with callers(desk.api()) as caller:
        yield caller


def own_people(desk: TestDesk, calling: Calling) -> Mapping[Role, Caller]:
    """Somebody of each role."""
    return {role: calling(key) for role, key in desk.given.items()}
