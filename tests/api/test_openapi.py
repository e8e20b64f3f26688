"""The API does what its description says, and says what it does: asked a little of everything, in a minute."""

from __future__ import annotations

from zlib import crc32

import pytest

from support.api.described_api import Asked, asked_api, asking, described
from support.generated_questions import ask_each_operation

# a large invented body is a cost of telling it, and no fault
pytestmark = pytest.mark.filterwarnings("ignore:Generating overly large repr")

asked = pytest.fixture(scope="module")(asked_api)


def test_every_answer_is_as_described(asked: Asked, subtests: pytest.Subtests) -> None:
    ask_each_operation(described(boundaries=False), asking(asked, max_examples=8), subtests)


def test_answers_on_both_sides_of_each_limit_are_as_described(
    asked: Asked, subtests: pytest.Subtests
) -> None:
    some = described(boundaries=True, invented=False).include(
        lambda given: crc32(given.operation.label.encode()) % 8 == 0  # the others: test_openapi_at_length.py
    )
    ask_each_operation(some, asking(asked), subtests)
