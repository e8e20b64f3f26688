"""Checks of the machine: time zone, clock, memory, cores."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

from duanka.bootstrap import orders as app_orders
from duanka.bootstrap import scan as app
from duanka.bootstrap.doctor.examination import (
    Finding,
    Installation,
    OrderDatabaseUnusable,
    fault,
    ok,
    warning,
)
from duanka.domain.errors import DuankaError
from duanka.domain.local_time import OperatorZone
from duanka.ledger.monitoring.clock_guard import IDLE, JUMP, SOURCE

SERVER_DIFFERS = timedelta(seconds=5)  # tolerated difference from the clock of a database server
FACE_WORKER = 400 << 20  # bytes; 340 MB measured
# If a zone has daylight saving time, one of two times half a year apart is in it.
_HALF_A_YEAR = timedelta(days=182)
_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))
_MEMINFO = Path("/proc/meminfo")


def zone(found: Installation) -> Iterator[Finding]:
    """Check that the machine's UTC offset is the operator's, now and in half a year."""
    operator = OperatorZone(found.policy.orders.zone)
    now = app_orders.now()
    named = os.environ.get("TZ", "").lstrip(":")
    if named and not named.startswith("/"):
        try:
            OperatorZone(named)
        except DuankaError:
            yield warning(
                f"TZ={named} is no zone that this machine knows, so its programs work in UTC",
                f"set TZ={operator.name}, or install the package tzdata",
            )
            return
    differs = [
        at
        for at in (now, now + _HALF_A_YEAR)
        if at.astimezone().utcoffset() != operator.local(at).utcoffset()
    ]
    if not differs:
        yield ok(f"{operator.name}, of the operator and of the machine")
        return
    ours, theirs = _written(now.astimezone()), _written(operator.local(now))
    yield warning(
        f"the machine is at UTC{ours}, the operator ({operator.name}) at UTC{theirs}",
        f"orders and lists go by the operator's; cron goes by the machine's: CRON_TZ={operator.name} before"
        " `duanka morning`",
    )


def _written(at: datetime) -> str:
    return at.isoformat()[-6:]


def clock(found: Installation) -> Iterator[Finding]:
    """Check the clock against the order database and a database server."""
    now = app_orders.now()
    operator = OperatorZone(found.policy.orders.zone)
    said = operator.written(now)
    try:
        condition = found.order_database().condition
    except OrderDatabaseUnusable:
        yield ok(f"{said}; no order database is open here to hold it against")
        return
    if condition.server and abs(condition.server - now) > SERVER_DIFFERS:
        yield fault(
            f"{said}, and the database server says {operator.written(condition.server)}",
            "let a time server (chrony) set both clocks",
        )
    elif condition.newest and now < condition.newest - JUMP:
        yield fault(
            f"{said} is before the newest row of the trail ({operator.written(condition.newest)}): deadlines are held",
            "let a time server (chrony) set the clock",
        )
    elif SOURCE in condition.alarms:
        yield fault(
            "the clock jumped, and nobody is restricted by it",
            f"set it right; if it is, a supervisor: `duanka orders clear-alarm {SOURCE} --why ...`",
        )
    elif condition.newest and now > condition.newest + IDLE:
        days = (now - condition.newest) // timedelta(days=1)
        yield warning(
            f"{said}, {days} days after the newest row of the trail: `serve` will ask whether the clock is right",
            f"if it is, a supervisor, after the start: `duanka orders clear-alarm {SOURCE} --why ...`",
        )
    else:
        told = ", as the database server's" if condition.server else ""
        yield ok(f"{said}{told}")


def memory(found: Installation) -> Iterator[Finding]:
    """Check that the configured memory is available."""
    try:
        scan = app.in_bytes(found.settings.memory)
        app.engine_memory(found.settings.memory)
    except DuankaError as error:
        yield fault(str(error))
        return
    workers = found.settings.face_workers if found.settings.face == "embedded" else 0
    wanted = scan + workers * FACE_WORKER
    total, free = _memory()
    said = f"{_gb(wanted)} set (DUANKA_MEMORY{f' and {workers} face worker(s)' if workers else ''})"
    if wanted > total:
        yield fault(
            f"{said}, the machine has {_gb(total)}: the system ends such a process",
            "set DUANKA_MEMORY lower: a scan spills to disk",
        )
    elif wanted > free:
        yield warning(f"{said}, {_gb(free)} free now", "set DUANKA_MEMORY lower, or end what else runs here")
    else:
        yield ok(f"{said}, {_gb(free)} free of {_gb(total)}")


def _memory() -> tuple[int, int]:
    """(total, free) bytes of the machine, or of the container where that is less."""
    kept = {
        name: int(value.split()[0]) << 10
        for name, _, value in (line.partition(":") for line in _MEMINFO.read_text().splitlines())
        if name in ("MemTotal", "MemAvailable")
    }
    limits = [int(text) for text in map(_read, _LIMITS) if text.isdigit()]
    total = min([kept["MemTotal"], *limits])
    return total, min(total, kept.get("MemAvailable", total))


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except OSError:
        return ""


def _gb(size: int) -> str:
    return f"{size / (1 << 30):.1f} GB"


def threads(found: Installation) -> Iterator[Finding]:
    """Check that no more threads are configured than there are cores."""
    cores = len(os.sched_getaffinity(0))
    own = found.settings
    if own.threads and own.threads > cores:
        yield warning(
            f"DUANKA_THREADS is {own.threads}, the process may use {cores} core(s)",
            "set it to the cores at most: more threads take memory and no less time",
        )
    elif own.face == "embedded" and own.face_workers > cores:
        yield warning(
            f"DUANKA_FACE_WORKERS is {own.face_workers}, the process may use {cores} core(s)",
            "set it to the cores at most: a check takes a core for a second",
        )
    else:
        yield ok(f"{own.threads or cores} of {cores} core(s)")
