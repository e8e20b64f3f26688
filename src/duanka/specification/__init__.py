"""Requirements of SPECIFICATION.md: states shown by tests, and confirmations."""

from duanka.specification.confirmations import (
    FILE,
    Confirmation,
    Standing,
    confirm,
    read_confirmations,
    standing_of,
    unknown_numbers,
)
from duanka.specification.document import (
    AnswerOption,
    OpenQuestion,
    Preface,
    Requirement,
    State,
    named,
    read,
    read_preface,
)
from duanka.specification.evidence import EVIDENCE, RESULTS, Age, EvidenceRun, age, code_of, results
from duanka.specification.figures import (
    MEASURED,
    Measured,
    MeasuredFigures,
    MeasuredRow,
    read_figures,
    write_figures,
)
from duanka.specification.states import state_of

__all__ = [
    "EVIDENCE",
    "FILE",
    "MEASURED",
    "RESULTS",
    "Age",
    "AnswerOption",
    "Confirmation",
    "EvidenceRun",
    "Measured",
    "MeasuredFigures",
    "MeasuredRow",
    "OpenQuestion",
    "Preface",
    "Requirement",
    "Standing",
    "State",
    "age",
    "code_of",
    "confirm",
    "named",
    "read",
    "read_confirmations",
    "read_figures",
    "read_preface",
    "results",
    "standing_of",
    "state_of",
    "unknown_numbers",
    "write_figures",
]
