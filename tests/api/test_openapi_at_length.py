"""The API does what its description says: every limit of every operation, and hundreds of invented questions."""

from __future__ import annotations

import pytest

from support.api.described_api import Asked, asked_api, asking, described
from support.generated_questions import ask_each_operation

# a large invented body is a cost of telling it, and no fault
pytestmark = pytest.mark.filterwarnings("ignore:Generating overly large repr")

asked = pytest.fixture(scope="module")(asked_api)


@pytest.mark.long
def test_every_answer_is_as_described_at_length(asked: Asked, subtests: pytest.Subtests) -> None:
    ask_each_operation(described(boundaries=True), asking(asked, max_examples=300), subtests)
