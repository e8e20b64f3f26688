"""Every check of `duanka doctor`, in the order of its lines. A new one: a function, and a line here."""

from __future__ import annotations

from duanka.bootstrap.doctor import folders, machine, network, online, optional_parts
from duanka.bootstrap.doctor import order_database as order_book
from duanka.bootstrap.doctor import settings as set_up
from duanka.bootstrap.doctor.examination import Check

CHECKS = (
    Check("settings", set_up.settings),
    Check("place", set_up.place),
    Check("zone", machine.zone),
    Check("clock", machine.clock),
    Check("memory", machine.memory),
    Check("threads", machine.threads),
    Check("orders folder", folders.orders),
    Check("other folders", folders.others),
    Check("private files", folders.private_files),
    Check("database", order_book.database),
    Check("backup", order_book.backup, needs_book=True),
    Check("people", order_book.people, needs_book=True),
    Check("invitations", order_book.invitations, needs_book=True),
    Check("alarms", order_book.alarms, needs_book=True),
    Check("network", network.elements),
    Check("home register", network.home_register),
    Check("call proxy", network.call_proxy),
    Check("message proxy", network.message_proxy),
    Check("message centre", network.message_centre),
    Check("faces", online.faces),
    Check("photos", online.photos),
    Check("NATS", optional_parts.nats),
    Check("Spark", optional_parts.spark),
)
