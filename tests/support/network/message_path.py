"""A message centre and a message proxy of our own: `centre = pytest.fixture(own_centre)`, fresh for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from duanka.sandbox.message_proxy import OwnMessageProxy
from duanka.sandbox.smsc import OwnShortMessageCentre
from support.network.esme import POLICY


def own_centre() -> Iterator[OwnShortMessageCentre]:
    with OwnShortMessageCentre() as one:
        yield one


def own_proxy(tmp_path: Path, centre: OwnShortMessageCentre) -> Iterator[OwnMessageProxy]:
    """`centre` is the fixture of that name."""
    with OwnMessageProxy(tmp_path / "proxy", centre.address, POLICY) as one:
        yield one
