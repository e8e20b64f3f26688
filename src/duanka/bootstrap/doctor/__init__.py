"""`duanka doctor`: examines an installation and changes nothing. One check: one small function in `CHECKS`."""

from duanka.bootstrap.doctor.checks import CHECKS
from duanka.bootstrap.doctor.examination import (
    Check,
    Finding,
    Installation,
    Level,
    Result,
    examine,
    installation,
)

__all__ = ["CHECKS", "Check", "Finding", "Installation", "Level", "Result", "examine", "installation"]
