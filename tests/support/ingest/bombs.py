"""Reads a delivery in a process of its own and says what that took: python bombs.py scan|live FOLDER [LIMIT=N]."""

from __future__ import annotations

import json
import resource
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

_ADDRESSES = 6 << 30  # bytes of addresses, so that a bomb which goes off ends this process alone


def read(how: str, folder: Path) -> dict[str, Any]:
    """Read `folder`/data by a scan or a live run; rows in quarantine by reason, seconds, peak of memory in MB."""
    import polars as pl  # within the limit

    from duanka.ingest import Inbox, LandingTimeouts, take_in

    began = time.monotonic()
    records = rejected = 0
    reasons: Counter[str] = Counter()
    if how == "scan":
        intake = take_in(folder / "data", folder / "out")
        records, rejected = intake.records, intake.quarantined
        reasons.update(pl.read_parquet(intake.quarantine, columns=["reason"])["reason"].to_list())
    else:
        patience = LandingTimeouts(settle=0, whole=0, poll=0.01)
        for batch in Inbox(folder / "data", wait=False, patience=patience).batches({}):
            records += batch.records
            rejected += batch.rejected
            reasons.update(one.reason for one in batch.aside)
    return {
        "records": records,
        "used": records - rejected,
        "reasons": reasons,
        "seconds": time.monotonic() - began,
        "peak": _peak(),
    }


def _peak() -> int:
    # Not ru_maxrss, which begins with that of the process that started this one.
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) >> 10 for line in lines if line.startswith("VmHWM:"))


if __name__ == "__main__":
    from duanka.ingest.files import limits

    for name, number in (one.split("=") for one in sys.argv[3:]):
        assert hasattr(limits, name)
        setattr(limits, name, int(number))
    resource.setrlimit(resource.RLIMIT_AS, (_ADDRESSES, _ADDRESSES))
    sys.stdout.write(json.dumps(read(sys.argv[1], Path(sys.argv[2]))))
