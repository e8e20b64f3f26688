"""Input and output of a check, and parallel execution of all checks with timeouts."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from enum import StrEnum

from duanka.bootstrap import orders as app_orders
from duanka.bootstrap.orders import OrderDesk
from duanka.bootstrap.policies import policy_named
from duanka.bootstrap.settings import Resolved, Settings, check_settings
from duanka.domain.errors import DuankaError
from duanka.domain.policy import Policy
from duanka.ledger.db.database import NoOrderDatabase
from duanka.orders.monitoring.backlog import Backlog, backlog
from duanka.orders.monitoring.condition import Condition, condition

CHECK_SECONDS = 5.0  # timeout of one check
ALL_SECONDS = 8.0  # timeout of all checks, so that the command ends within 10 s


class Level(StrEnum):
    """Severity: a FAULT keeps something from working, a WARNING may lead to one or wastes something."""

    OK = "OK"
    WARNING = "WARNING"
    FAULT = "FAULT"


@dataclass(frozen=True)
class Finding:
    """One line: a state and, unless OK, the next step; no secret and no complete phone number."""

    level: Level
    text: str
    next_step: str = ""


def ok(text: str) -> Finding:
    """It works, or is optional and not configured."""
    return Finding(Level.OK, text)


def warning(text: str, next_step: str) -> Finding:
    """It works, but needs attention."""
    return Finding(Level.WARNING, text, next_step)


def fault(text: str, next_step: str = "") -> Finding:
    """It does not work. `next_step` may be empty where `text` is an error message that already names it."""
    return Finding(Level.FAULT, text, next_step)


class OrderDatabaseUnusable(DuankaError):
    """The order database cannot be opened. `not_begun`: because it does not exist yet."""

    not_begun = False


@dataclass
class OpenedOrderDatabase:
    """The order database, opened read-only once for all checks that need it."""

    desk: OrderDesk
    condition: Condition
    backlog: Backlog


@dataclass
class Installation:
    """What a check examines. `errors`: of invalid settings, whose defaults are used."""

    resolved: Resolved
    errors: tuple[DuankaError, ...]
    policy: Policy
    policy_error: DuankaError | None
    nats: str | None = None
    remote: str | None = None
    _open: ExitStack = field(default_factory=ExitStack)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _database: OpenedOrderDatabase | OrderDatabaseUnusable | None = None

    @property
    def settings(self) -> Settings:
        """The settings in force."""
        return self.resolved.settings

    def order_database(self) -> OpenedOrderDatabase:
        """The opened order database. Where it cannot be opened, every call raises the same OrderDatabaseUnusable."""
        with self._lock:
            if self._database is None:
                self._database = self._opened()
        if isinstance(self._database, OrderDatabaseUnusable):
            raise self._database
        return self._database

    def _opened(self) -> OpenedOrderDatabase | OrderDatabaseUnusable:
        try:
            desk = self._open.enter_context(
                app_orders.desk(self.settings, self.policy, check_network=False, read_only=True)
            )
            return OpenedOrderDatabase(desk, condition(desk.store), backlog(desk.store, app_orders.now()))
        except DuankaError as error:
            told = OrderDatabaseUnusable(str(error))
            told.not_begun = isinstance(error, NoOrderDatabase)
            return told
        except Exception as error:  # a corrupt file, or a lost connection; reported by one check only
            return OrderDatabaseUnusable(
                f"the order database cannot be read ({type(error).__name__}); `duanka audit verify` says more, and"
                " docs/OPERATIONS.md how to restore a backup"
            )

    def close(self) -> None:
        """Close the order database."""
        self._open.close()


def installation(nats: str | None = None, remote: str | None = None) -> Installation:
    """The installation of this process, as far as its settings can be read."""
    resolved, errors = check_settings()
    policy_error = None
    try:
        policy = policy_named(resolved.settings.policy)
    except DuankaError as error:
        policy, policy_error = policy_named("national"), error
    return Installation(resolved, errors, policy, policy_error, nats, remote or resolved.settings.remote)


@dataclass(frozen=True)
class DoctorCheck:
    """A check. `look`: returns its findings; a DuankaError it raises is a fault.

    `needs_database`: the check needs the order database, and is skipped where that cannot be opened; the check of the
    database reports the cause. `seconds`: timeout.
    """

    name: str
    look: Callable[[Installation], Iterable[Finding]]
    needs_database: bool = False
    seconds: float = CHECK_SECONDS


@dataclass(frozen=True)
class DoctorResult:
    """One line of output."""

    check: str
    finding: Finding


def examine(
    found: Installation, checks: Sequence[DoctorCheck], seconds: float = ALL_SECONDS
) -> list[DoctorResult]:
    """Run all checks in parallel, within `seconds`; a late one is a fault. Results in order of `checks`."""
    done: dict[str, list[Finding]] = {}

    def run(check: DoctorCheck) -> None:
        done[check.name] = _looked(check, found)

    begun = time.monotonic()
    threads = {
        check.name: threading.Thread(target=run, args=(check,), name=f"doctor {check.name}", daemon=True)
        for check in checks
    }
    for thread in threads.values():
        thread.start()
    results = []
    for check in checks:
        within = min(check.seconds, seconds)
        threads[check.name].join(max(0.0, begun + within - time.monotonic()))
        late = fault(
            f"no answer within {within:g} s", "see whether the machine, disk or server behind it hangs"
        )
        results += [DoctorResult(check.name, one) for one in done.get(check.name, [late])]
    if not any(thread.is_alive() for thread in threads.values()):
        found.close()
    return results


def _looked(check: DoctorCheck, found: Installation) -> list[Finding]:
    try:
        if check.needs_database:
            try:
                found.order_database()
            except OrderDatabaseUnusable:
                return []
        return list(check.look(found))
    except DuankaError as error:
        return [fault(str(error))]
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        return [fault(f"{where}{error.strerror or error}", "put the file, folder or address right")]
    except Exception as error:  # a defective check must not prevent the others
        return [fault(f"this check failed itself ({type(error).__name__})", "please report it")]
