"""All checks of `duanka doctor`, in output order. To add a check, write its function and add a line here."""

from __future__ import annotations

from duanka.bootstrap.doctor import folders, machine, network, online, optional_parts
from duanka.bootstrap.doctor import order_database as order_book
from duanka.bootstrap.doctor import settings as set_up
from duanka.bootstrap.doctor.examination import DoctorCheck

CHECKS = (
    DoctorCheck("settings", set_up.settings),
    DoctorCheck("place", set_up.place),
    DoctorCheck("zone", machine.zone),
    DoctorCheck("clock", machine.clock),
    DoctorCheck("memory", machine.memory),
    DoctorCheck("threads", machine.threads),
    DoctorCheck("orders folder", folders.orders),
    DoctorCheck("other folders", folders.others),
    DoctorCheck("private files", folders.private_files),
    DoctorCheck("database", order_book.database),
    DoctorCheck("backup", order_book.backup, needs_book=True),
    DoctorCheck("people", order_book.people, needs_book=True),
    DoctorCheck("invitations", order_book.invitations, needs_book=True),
    DoctorCheck("alarms", order_book.alarms, needs_book=True),
    DoctorCheck("network", network.elements),
    DoctorCheck("home register", network.home_register),
    DoctorCheck("call proxy", network.call_proxy),
    DoctorCheck("message proxy", network.message_proxy),
    DoctorCheck("message centre", network.message_centre),
    DoctorCheck("faces", online.faces),
    DoctorCheck("photos", online.photos),
    DoctorCheck("NATS", optional_parts.nats),
    DoctorCheck("Spark", optional_parts.spark),
)
