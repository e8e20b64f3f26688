"""All checks of `duanka doctor`, in output order. To add a check, write its function and add a line here."""

from __future__ import annotations

from duanka.bootstrap.doctor import folders, machine, network, online, optional_parts, order_database, sign_in
from duanka.bootstrap.doctor import links as graph_of_links
from duanka.bootstrap.doctor import settings as set_up
from duanka.bootstrap.doctor import store as record_store
from duanka.bootstrap.doctor.examination import DoctorCheck

CHECKS = (
    DoctorCheck("settings", set_up.settings),
    DoctorCheck("home folder", set_up.home),
    DoctorCheck("zone", machine.zone),
    DoctorCheck("clock", machine.clock),
    DoctorCheck("memory", machine.memory),
    DoctorCheck("threads", machine.threads),
    DoctorCheck("orders folder", folders.orders),
    DoctorCheck("other folders", folders.others),
    DoctorCheck("private files", folders.private_files),
    DoctorCheck("store", record_store.store),
    DoctorCheck("graph of links", graph_of_links.links),
    DoctorCheck("database", order_database.database),
    DoctorCheck("backup", order_database.backup, needs_database=True),
    DoctorCheck("people", order_database.people, needs_database=True),
    DoctorCheck("invitations", order_database.invitations, needs_database=True),
    DoctorCheck("alarms", order_database.alarms, needs_database=True),
    DoctorCheck("listings", order_database.listings, needs_database=True),
    DoctorCheck("network", network.elements),
    DoctorCheck("home register", network.home_register),
    DoctorCheck("call proxy", network.call_proxy),
    DoctorCheck("message proxy", network.message_proxy),
    DoctorCheck("message centre", network.message_centre),
    DoctorCheck("faces", online.faces),
    DoctorCheck("photos", online.photos),
    DoctorCheck("sign-in", sign_in.provider),
    DoctorCheck("dossiers", optional_parts.dossiers),
    DoctorCheck("NATS", optional_parts.nats),
    DoctorCheck("Spark", optional_parts.spark),
)
