"""Errors raised on purpose; the message names the cause and the next step.

DuankaError                 exit code 2: one clear line, with the next step
├── UnreadableInput         the records cannot be read at all
├── MappingError            a mapping file is wrong
├── PolicyError             a policy file is wrong
├── RuleError               a rule does not fit its own declaration
├── MissingKey              a key from the settings is needed and absent
└── LostRecords             records in != used + quarantined: a defect in Duanka
"""

from __future__ import annotations

MAKE_ROOM = "; make room on the disk, then do the same again: what was there before is as it was"


class DuankaError(Exception):
    """An error that a person can fix."""


class UnreadableInput(DuankaError):
    """The input cannot be read."""


class NoRecords(UnreadableInput):
    """There is nothing that could be records."""


class MappingError(DuankaError):
    """The mapping is invalid."""


class PolicyError(DuankaError):
    """The policy is invalid."""


class RuleError(DuankaError):
    """The rule contradicts its own declaration."""


class MissingKey(DuankaError):
    """A required secret key is not set."""


class LostRecords(DuankaError):
    """Some input records were neither used nor quarantined."""
