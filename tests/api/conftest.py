"""A desk on both databases, its API served, and somebody of each role who asks it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import pytest

from desks import Caller, TestDesk, callers, desk_on
from duanka.domain.order import Role
from duanka.orders.store import Store

Calling = Callable[[str | None], Caller]


@pytest.fixture
def desk(store: Store) -> TestDesk:
    return desk_on(store)


@pytest.fixture
def calling(desk: TestDesk) -> Iterator[Calling]:
    with callers(desk.api()) as caller:
        yield caller


@pytest.fixture
def people(desk: TestDesk, calling: Calling) -> Mapping[Role, Caller]:
    """Somebody of each role."""
    return {role: calling(key) for role, key in desk.given.items()}
