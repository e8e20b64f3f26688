"""The API does what its description says: every limit of every operation, and hundreds of invented questions."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import settings

from support.api.described_api import SETTINGS, Asked, ask, asked_api, described

# a large invented body is a cost of telling it, and no fault
pytestmark = pytest.mark.filterwarnings("ignore:Generating overly large repr")

asked = pytest.fixture(scope="module")(asked_api)
schema = described(boundaries=True)


@pytest.mark.long
@schema.parametrize()
@settings(SETTINGS, max_examples=300)
def test_every_answer_is_as_described_at_length(asked: Asked, case: Any) -> None:
    ask(asked, case)
