"""The API does what its description says, and says what it does: asked a little of everything, in a minute."""

from __future__ import annotations

from typing import Any
from zlib import crc32

import pytest
from hypothesis import settings

from support.api.described_api import SETTINGS, Asked, ask, asked_api, described

# a large invented body is a cost of telling it, and no fault
pytestmark = pytest.mark.filterwarnings("ignore:Generating overly large repr")

asked = pytest.fixture(scope="module")(asked_api)
invented = described(boundaries=False)
boundaries = described(boundaries=True, invented=False).include(
    lambda given: crc32(given.operation.label.encode()) % 8 == 0  # the others: test_openapi_at_length.py
)


@invented.parametrize()
@settings(SETTINGS, max_examples=8)
def test_every_answer_is_as_described(asked: Asked, case: Any) -> None:
    ask(asked, case)


@boundaries.parametrize()
@settings(SETTINGS)
def test_answers_on_both_sides_of_each_limit_are_as_described(asked: Asked, case: Any) -> None:
    ask(asked, case)
