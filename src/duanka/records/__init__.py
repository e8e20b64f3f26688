"""An operator's files -> the canonical tables, and a quarantine for what does not fit."""

from duanka.records.bus import Bus
from duanka.records.inbox import Inbox, check_holds_records
from duanka.records.intake import take_in
from duanka.records.landed_file import Patience
from duanka.records.mapping import NATIVE, Mapping
from duanka.records.mapping_file import read_mapping

__all__ = ["NATIVE", "Bus", "Inbox", "Mapping", "Patience", "check_holds_records", "read_mapping", "take_in"]
