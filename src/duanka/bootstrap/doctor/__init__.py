"""`duanka doctor`: examines an installation without changing it, by the checks in `CHECKS`."""

from duanka.bootstrap.doctor.checks import CHECKS
from duanka.bootstrap.doctor.examination import (
    DoctorCheck,
    DoctorResult,
    Finding,
    Installation,
    Level,
    examine,
    installation,
)

__all__ = [
    "CHECKS",
    "DoctorCheck",
    "DoctorResult",
    "Finding",
    "Installation",
    "Level",
    "examine",
    "installation",
]
