"""Checks of home register, call proxy, message proxy and message centre. Read-only."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from duanka.bootstrap.doctor.examination import (
    Finding,
    Installation,
    OrderDatabaseUnusable,
    fault,
    ok,
    warning,
)
from duanka.bootstrap.order_resources import (
    CALL_PROXY,
    HOME_REGISTER,
    MESSAGE_PROXY,
    elements_of,
    register_ports,
)
from duanka.bootstrap.serve import Network
from duanka.domain.errors import DuankaError
from duanka.domain.network import ListOrigin
from duanka.network.hlr.element import SERVICES, HomeRegister
from duanka.network.hlr.services_file import ServicesFile
from duanka.network.sip.element import CallProxy
from duanka.network.sms.element import MessageProxy

SECONDS = 3.0  # timeout for the answer of an element
WAITING_SECONDS = 60.0  # age of a pending change that causes a warning
_COMMANDS = {CALL_PROXY: "duanka call-proxy", MESSAGE_PROXY: "duanka message-proxy"}


def elements(found: Installation) -> Iterator[Finding]:
    """Check that elements are configured, and are the same in settings and order database."""
    with suppress(OrderDatabaseUnusable):
        found.order_database().desk.elements.check(_by_settings(found))  # ElementDiffers names the next step
    named = _addresses(found)
    if named:
        yield ok(", ".join(f"{name} {where}" for name, where in named.items()))
    else:
        yield warning(
            "no element is set up: orders are kept, and no network is told",
            "set DUANKA_HOME_REGISTER, DUANKA_CALL_PROXY, DUANKA_MESSAGE_PROXY (docs/NETWORK.md)",
        )


def home_register(found: Installation) -> Iterator[Finding]:
    """Check that the VTY and CTRL ports answer."""
    elements_of(found.settings)  # raises DuankaError for a malformed address
    where = _addresses(found).get(HOME_REGISTER)
    if where is None:
        yield _not_set_up(HOME_REGISTER)
        return
    services = ServicesFile(found.settings.orders / SERVICES)  # not read by this check
    register = HomeRegister(*register_ports(where), seconds=SECONDS, services=services)
    try:
        register.check_interfaces()
    except DuankaError as error:
        yield fault(str(error), "start OsmoHLR, or see DUANKA_HOME_REGISTER (`duanka network set`)")
        return
    finally:
        register.close()
    yield from _waiting(found, HOME_REGISTER) or [ok(f"{where} answers on both ports")]


def call_proxy(found: Installation) -> Iterator[Finding]:
    """Check that the proxy answers and that its list matches the order database."""
    yield from _proxy(found, CALL_PROXY, CallProxy)


def message_proxy(found: Installation) -> Iterator[Finding]:
    """Check that the proxy answers and that its list matches the order database."""
    yield from _proxy(found, MESSAGE_PROXY, MessageProxy)


def _proxy(found: Installation, name: str, kind: type[CallProxy] | type[MessageProxy]) -> Iterable[Finding]:
    where = _addresses(found).get(name)
    if where is None:
        return [_not_set_up(name)]
    folder = Path(where)
    if folder.is_dir():
        return _list(found, name, kind(folder, seconds=SECONDS))
    hint = f"start `{_COMMANDS[name]} --folder {folder} ...`, or see DUANKA_{name.upper()} (`duanka network set`)"
    return [fault(f"its folder {folder} is not there", hint)]


def message_centre(found: Installation) -> Iterator[Finding]:
    """Check the credentials: bind by SMPP, and unbind at once."""
    sender = Network(found.settings.model_copy(update={"home_register": None})).message_centre()
    if sender is None:
        yield warning(
            "not set up: notices wait, and no deadline begins that rests on one",
            "set DUANKA_MESSAGE_CENTRE_FILE to a file with smpp://user:password@host:2775",
        )
        return
    try:
        sender.try_bind(SECONDS)
    except DuankaError as error:
        yield fault(str(error), "see address, account and password in DUANKA_MESSAGE_CENTRE")
    else:
        yield ok(f"{sender.where} lets us in: bound, and given back")


def _addresses(found: Installation) -> dict[str, str]:
    """Element -> address: from the order database, else from the settings."""
    named = _by_settings(found)
    with suppress(OrderDatabaseUnusable):
        named |= found.order_database().desk.elements.addresses()
    return named


def _by_settings(found: Installation) -> dict[str, str]:
    """Element -> address from the settings. Omits a malformed home register, which its own check reports."""
    try:
        return elements_of(found.settings)
    except DuankaError:
        return elements_of(found.settings.model_copy(update={"home_register": None}))


def _not_set_up(name: str) -> Finding:
    return ok(f"not set up (DUANKA_{name.upper()})")


def _list(found: Installation, name: str, proxy: CallProxy | MessageProxy) -> Iterator[Finding]:
    """Check that the proxy answers, and compare its list with the order database."""
    try:
        if isinstance(proxy, CallProxy):
            held, origin = proxy.count(), ListOrigin.FILE  # `serve` raises an alarm for a corrupt list
        else:
            said = proxy.status()
            held, origin = int(said["cards"]), ListOrigin(said.get("list_from", ListOrigin.FILE))
    except DuankaError as error:
        yield fault(str(error), f"start `{_COMMANDS[name]}`; calls and messages do not pass it meanwhile")
        return
    finally:
        proxy.close()
    if origin is not ListOrigin.FILE:
        yield fault(
            f"its list was spoilt, and it judges by {origin.value}",
            "see that `duanka serve` runs: its comparison puts the list right",
        )
        return
    troubles = _waiting(found, name)
    wanted = _wanted(found)
    if not troubles and wanted is not None and held != wanted:
        troubles = [
            warning(
                f"its list holds {held:,} card(s), the order database wants {wanted:,}",
                "see that `duanka serve` runs: it compares, and alarms say what it may not put right",
            )
        ]
    yield from troubles or [ok(f"answers; {held:,} card(s) on its list, as in the order database")]


def _wanted(found: Installation) -> int | None:
    try:
        return sum(found.order_database().condition.restricted.values())
    except OrderDatabaseUnusable:
        return None


def _waiting(found: Installation, name: str) -> list[Finding]:
    """Warning where changes for the element have been pending for too long."""
    try:
        backlog = found.order_database().backlog
    except OrderDatabaseUnusable:
        return []
    if backlog.outbox_oldest.get(name, 0.0) <= WAITING_SECONDS:
        return []
    count, age = backlog.outbox[name], backlog.outbox_oldest[name]
    return [
        warning(
            f"it answers, and {count:,} change(s) wait for it, the oldest for {age / 60:,.0f} min",
            "see that `duanka serve` runs, and the alarms above",
        )
    ]
