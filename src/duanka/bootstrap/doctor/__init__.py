"""`duanka doctor`: examines an installation and changes nothing. One check: one small function in `CHECKS`."""

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
