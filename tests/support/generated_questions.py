"""Every operation of a described API, asked what schemathesis makes up for it while the test runs.

`schema.parametrize()` makes it up while tests are collected: ten seconds, in each process of a run.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from schemathesis.checks import load_all_checks
from schemathesis.core.result import Ok
from schemathesis.pytest.lazy import get_all_tests
from schemathesis.schemas import BaseSchema


def ask_each_operation(schema: BaseSchema, ask: Callable[[Any], None], subtests: pytest.Subtests) -> None:
    """Call `ask`, which may have settings of hypothesis, with each case; the argument's name must be `case`."""
    load_all_checks()
    made = list(get_all_tests(schema=schema, test_func=ask, settings=None, given_kwargs=None))
    assert made, "nothing is described"
    for one in made:
        assert isinstance(one, Ok), one.err()
        operation, test = one.ok()
        with subtests.test(operation.label):
            test()
