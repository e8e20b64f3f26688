"""What a check is given, what it gives back, and how all of them run at once, each within its time."""

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
from duanka.ledger.db.database import NoOrderBook
from duanka.orders.monitoring.backlog import Backlog, backlog
from duanka.orders.monitoring.condition import Condition, condition

CHECK_SECONDS = 5.0  # that a check may take
ALL_SECONDS = 8.0  # that all of them may take, so that the command ends within ten


class Level(StrEnum):
    """How a finding is. A FAULT keeps something from working; a WARNING may soon, or costs something."""

    OK = "OK"
    WARNING = "WARNING"
    FAULT = "FAULT"


@dataclass(frozen=True)
class Finding:
    """One line: how it is, and what to do next where it is not well. Holds no secret and no whole number."""

    level: Level
    text: str
    next_step: str = ""


def ok(text: str) -> Finding:
    """All is well, or something is not set up that need not be."""
    return Finding(Level.OK, text)


def warning(text: str, next_step: str) -> Finding:
    """It works, and somebody should look."""
    return Finding(Level.WARNING, text, next_step)


def fault(text: str, next_step: str = "") -> Finding:
    """It does not work. `next_step` may be empty where `text` is an error that names it."""
    return Finding(Level.FAULT, text, next_step)


class NoBook(DuankaError):
    """The order book cannot be opened; `not_begun`: for there is none."""

    not_begun = False


@dataclass
class OpenedOrderBook:
    """The order book, opened once to be read, for all checks that ask of it."""

    desk: OrderDesk
    condition: Condition
    backlog: Backlog


@dataclass
class Installation:
    """What the checks are given. `errors`: of the settings, where a wrong one has its default."""

    resolved: Resolved
    errors: tuple[DuankaError, ...]
    policy: Policy
    policy_error: DuankaError | None
    nats: str | None = None
    remote: str | None = None
    _open: ExitStack = field(default_factory=ExitStack)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _book: OpenedOrderBook | NoBook | None = None

    @property
    def settings(self) -> Settings:
        """The settings in force."""
        return self.resolved.settings

    def book(self) -> OpenedOrderBook:
        """The order book; the same NoBook for everybody where it cannot be opened."""
        with self._lock:
            if self._book is None:
                self._book = self._opened()
        if isinstance(self._book, NoBook):
            raise self._book
        return self._book

    def _opened(self) -> OpenedOrderBook | NoBook:
        try:
            desk = self._open.enter_context(
                app_orders.desk(self.settings, self.policy, check_network=False, read_only=True)
            )
            return OpenedOrderBook(desk, condition(desk.store), backlog(desk.store, app_orders.now()))
        except DuankaError as error:
            told = NoBook(str(error))
            told.not_begun = isinstance(error, NoOrderBook)
            return told
        except Exception as error:  # a spoilt file, a server that dies in between: said once, by one check
            return NoBook(
                f"the order book cannot be read ({type(error).__name__}); `duanka audit verify` says more, and"
                " docs/OPERATIONS.md how to restore a backup"
            )

    def close(self) -> None:
        """Give the order book back."""
        self._open.close()


def installation(nats: str | None = None, remote: str | None = None) -> Installation:
    """The installation that this process would work with, as far as its settings can be read."""
    resolved, errors = check_settings()
    policy_error = None
    try:
        policy = policy_named(resolved.settings.policy)
    except DuankaError as error:
        policy, policy_error = policy_named("national"), error
    return Installation(resolved, errors, policy, policy_error, nats, remote or resolved.settings.remote)


@dataclass(frozen=True)
class DoctorCheck:
    """A check. `look`: what it finds, a finding for each line; a DuankaError that it raises is a fault.

    `needs_book`: it asks of the order book, and says nothing where that cannot be opened: the check of the database
    says why, once.
    """

    name: str
    look: Callable[[Installation], Iterable[Finding]]
    needs_book: bool = False
    seconds: float = CHECK_SECONDS


@dataclass(frozen=True)
class DoctorResult:
    """One line of the examination."""

    check: str
    finding: Finding


def examine(
    found: Installation, checks: Sequence[DoctorCheck], seconds: float = ALL_SECONDS
) -> list[DoctorResult]:
    """Run all checks at once; the results in the order of `checks`. One that takes too long is a fault of its own."""
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
        if check.needs_book:
            try:
                found.book()
            except NoBook:
                return []
        return list(check.look(found))
    except DuankaError as error:
        return [fault(str(error))]
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        return [fault(f"{where}{error.strerror or error}", "put the file, folder or address right")]
    except Exception as error:  # a defect of a check must not cost the others
        return [fault(f"this check failed itself ({type(error).__name__})", "please report it")]
