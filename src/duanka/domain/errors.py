"""Every error that Duanka raises on purpose: the docstring says what in general, the argument in particular.

DuankaError                 exit code 2: one clear line, with the next step
├── UnreadableInput         the records cannot be read at all
├── MappingError            a mapping file is wrong
├── PolicyError             a policy file is wrong
├── RuleError               a rule does not fit its own declaration
├── MissingKey              a key from the settings is needed and absent
└── LostRecords             counts in and counts used plus quarantined differ: a defect of ours
"""

from __future__ import annotations

MAKE_ROOM = "; make room on the disk, then do the same again: what was there before is as it was"


class DuankaError(Exception):
    """Something is wrong that a person can put right."""


class UnreadableInput(DuankaError):
    """The input cannot be read."""


class MappingError(DuankaError):
    """The mapping does not fit."""


class PolicyError(DuankaError):
    """The policy does not fit."""


class RuleError(DuankaError):
    """The rule does not fit its own declaration."""


class MissingKey(DuankaError):
    """A secret key is needed and not set."""


class LostRecords(DuankaError):
    """Records went in that are neither used nor quarantined."""
