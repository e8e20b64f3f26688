"""Requirements from SPECIFICATION.md; results from a test run (build/requirements.json)."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from duanka.domain.errors import UnreadableInput

State = Literal["works", "partly", "not yet"]
RESULTS = "build/requirements.json"  # written by the test run
_HEADING = re.compile(r"^#{2,4} (R\d+(?:\.\d+)?) (.+)$")
_STATE = re.compile(r"^- \*\*State\*\*: (works|partly|not yet)\b")


@dataclass(frozen=True)
class Requirement:
    """A numbered requirement and the state that the document gives it."""

    number: str
    title: str
    state: State


@dataclass(frozen=True)
class Results:
    """Test outcomes by requirement number: test id -> passed."""

    outcomes: Mapping[str, Mapping[str, bool]]


def read(path: Path) -> tuple[Requirement, ...]:
    """Read the requirements in order; UnreadableInput when one has no state."""
    found: list[Requirement] = []
    number = title = ""
    for line in path.read_text(encoding="utf-8").splitlines():
        if heading := _HEADING.match(line):
            if number:
                raise UnreadableInput(f"{path}: {number} has no line `- **State**: works|partly|not yet`")
            number, title = heading[1], heading[2]
        elif number and (state := _STATE.match(line)):
            found.append(Requirement(number, title, state[1]))  # type: ignore[arg-type]
            number = ""
    if number:
        raise UnreadableInput(f"{path}: {number} has no line `- **State**: works|partly|not yet`")
    return tuple(found)


def results(path: Path) -> Results | None:
    """Read the results of a test run; None when there was none."""
    if not path.is_file():
        return None
    try:
        outcomes = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UnreadableInput(
            f"{path}: holds no results of a test run ({error}); run `make test` again"
        ) from error
    fine = isinstance(outcomes, dict) and all(
        isinstance(tests, dict) and all(isinstance(passed, bool) for passed in tests.values())
        for tests in outcomes.values()
    )
    if not fine:
        raise UnreadableInput(f"{path}: holds no results of a test run; run `make test` again")
    return Results(outcomes)


def state_of(requirement: Requirement, ran: Results | None) -> tuple[State, int]:
    """The state that the tests show, and how many there are.

    Without a test it is `not yet`, whatever the document hopes; with a failed one at most `partly`. That a
    requirement is met in part is for the document to say: tests cannot know what nobody wrote.
    """
    if ran is None:
        return requirement.state, 0
    outcomes = ran.outcomes.get(requirement.number, {})
    if not any(outcomes.values()):
        return "not yet", len(outcomes)
    if not all(outcomes.values()):
        return "partly", len(outcomes)
    return ("partly" if requirement.state == "partly" else "works"), len(outcomes)
