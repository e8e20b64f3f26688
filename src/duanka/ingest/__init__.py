"""Intake: an operator's files to canonical tables, rejected records to quarantine."""

from duanka.ingest.intake import take_in
from duanka.ingest.live.inbox.feed import Inbox, check_holds_records
from duanka.ingest.live.inbox.finished_files import FinishedFiles
from duanka.ingest.live.inbox.landed_file import LandingTimeouts
from duanka.ingest.live.inbox.putting_away import After, put_away_delivered
from duanka.ingest.live.nats.feed import Bus
from duanka.ingest.mapping_files.loader import read_mapping
from duanka.ingest.model.mapping import NATIVE, Mapping

__all__ = [
    "NATIVE",
    "After",
    "Bus",
    "FinishedFiles",
    "Inbox",
    "LandingTimeouts",
    "Mapping",
    "check_holds_records",
    "put_away_delivered",
    "read_mapping",
    "take_in",
]
