"""State of each requirement: as in SPECIFICATION.md, limited by test results."""

from __future__ import annotations

from duanka.specification.document import Requirement, State
from duanka.specification.evidence import EvidenceRun


def state_of(requirement: Requirement, ran: EvidenceRun | None) -> tuple[State, int]:
    """State supported by tests, and the number of tests.

    Without a passed test it is `not yet`, whatever the document says; with a failed one, `partly`; without a
    run, as in the document. `partly` in the document remains: tests cannot know what is missing.
    """
    if ran is None:
        return requirement.state, 0
    passed, failed = ran.tests_of(requirement.number)
    if not passed:
        return "not yet", failed
    if failed:
        return "partly", passed + failed
    return ("partly" if requirement.state == "partly" else "works"), passed
