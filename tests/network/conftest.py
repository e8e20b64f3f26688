"""A message centre and a message proxy of our own, fresh for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from duanka.network.own_message_proxy import OwnMessageProxy
from duanka.network.own_smsc import OwnShortMessageCentre
from esme import POLICY


@pytest.fixture
def centre() -> Iterator[OwnShortMessageCentre]:
    with OwnShortMessageCentre() as one:
        yield one


@pytest.fixture
def proxy(tmp_path: Path, centre: OwnShortMessageCentre) -> Iterator[OwnMessageProxy]:
    with OwnMessageProxy(tmp_path / "proxy", centre.address, POLICY) as one:
        yield one
