"""An operator's files -> the canonical tables, and a quarantine for what does not fit."""

from duanka.records.intake import take_in
from duanka.records.mapping import NATIVE, Mapping

__all__ = ["NATIVE", "Mapping", "take_in"]
