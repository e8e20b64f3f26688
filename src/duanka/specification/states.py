"""The state of each requirement: what SPECIFICATION.md says, and no better than the tests show."""

from __future__ import annotations

from duanka.specification.document import Requirement, State
from duanka.specification.evidence import EvidenceRun


def state_of(requirement: Requirement, ran: EvidenceRun | None) -> tuple[State, int]:
    """The state that the tests show, and how many there are.

    Without a test it is `not yet`, whatever the document hopes; with a failed one at most `partly`. That a
    requirement is met in part is for the document to say: tests cannot know what nobody wrote.
    """
    if ran is None:
        return requirement.state, 0
    passed, failed = ran.tests_of(requirement.number)
    if not passed:
        return "not yet", failed
    if failed:
        return "partly", passed + failed
    return ("partly" if requirement.state == "partly" else "works"), passed
