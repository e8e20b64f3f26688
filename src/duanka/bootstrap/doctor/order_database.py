"""Checks of the order database: database, backups, persons, alarms, listed units."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from duanka.bootstrap import orders as app_orders
from duanka.bootstrap.doctor.examination import (
    Finding,
    Installation,
    OrderDatabaseUnusable,
    fault,
    ok,
    warning,
)
from duanka.domain.local_time import OperatorZone
from duanka.domain.phone_masking import masked_text
from duanka.ledger.db.tables import SCHEMA_VERSION
from duanka.ledger.people.requests import REQUEST_DAYS

BACKUP_DAYS = 2  # tolerates one failed daily backup
_MOST_ALARMS = 5


def database(found: Installation) -> Iterator[Finding]:
    """Check connection, version and seal, and that the database is no restored backup."""
    try:
        opened = found.order_database()
    except OrderDatabaseUnusable as error:
        yield ok(f"not set up: {error}") if error.not_begun else fault(str(error))
        return
    if opened.desk.ends.is_ahead:
        yield fault(
            "the order database is older than the kept end of its trail: a backup was restored, and nothing acts",
            "enter what happened since, then a supervisor: `duanka audit accept-restored --why ...`",
        )
    else:
        yield ok(f"{opened.desk.store.name}, version {SCHEMA_VERSION}; the secret fits its seal")


def backup(found: Installation) -> Iterator[Finding]:
    """Check the age of the last backup."""
    opened, now = found.order_database(), app_orders.now()
    if not opened.desk.store.embedded:
        yield ok("left to pg_dump or the database server's archive; Duanka cannot see its age")
        return
    command = "`duanka database backup FILE --why daily`, from cron, and keep the secret apart from it"
    made = opened.condition.backup
    if made is None:
        yield warning("no backup was ever made", command)
    elif now - made > timedelta(days=BACKUP_DAYS):
        days = (now - made) // timedelta(days=1)
        yield warning(f"the last backup is {days} days old", command)
    else:
        yield ok(f"made {OperatorZone(found.policy.orders.zone).written(made)}")


def people(found: Installation) -> Iterator[Finding]:
    """Check for two persons and two supervisors: a stop or a new person takes two."""
    now = found.order_database().condition
    if not now.people:
        yield fault("nobody has a key", "`duanka persons init ID` gives the first one")
    elif not now.supervisors:
        yield fault("no supervisor of all operators has a key", "restore a backup: nobody can give one now")
    elif now.people < 2:
        yield fault(
            "one person alone has a key, and nothing that takes two can be done",
            "the second types: duanka persons join INVITATION ID --name NAME (`duanka persons invite` gives a new one)",
        )
    elif now.supervisors < 2:
        yield warning(
            f"{now.people} people, one of them a supervisor: proposals of theirs wait for a second one",
            "`duanka persons add ID --role supervisor`",
        )
    else:
        yield ok(
            f"{now.people} people with keys, {now.supervisors} of them supervisors (keys end when revoked)"
        )


def invitations(found: Installation) -> Iterator[Finding]:
    """Check invitations and pending proposals, which expire."""
    opened, now = found.order_database().condition, app_orders.now()
    zone = OperatorZone(found.policy.orders.zone)
    still = [end for end in opened.invitations if end > now]
    if still:
        yield warning(
            f"an invitation is open until {zone.written(min(still))}: who has it becomes a supervisor",
            "let the second person join (`duanka persons join`), or leave it to end",
        )
    if opened.proposals and opened.oldest_proposal:
        ends = opened.oldest_proposal + timedelta(days=REQUEST_DAYS)
        yield warning(
            f"{opened.proposals} proposal(s) of people or keys wait; the oldest ends {zone.written(ends)}",
            "a second supervisor looks: `duanka persons list`",
        )
    if not still and not opened.proposals:
        yield ok("none open, no proposal waits")


def alarms(found: Installation) -> Iterator[Finding]:
    """Check that no alarm is open and no order is overdue."""
    opened = found.order_database()
    raised = opened.condition.alarms
    cleared = "`duanka orders alarms` says since when; most alarms end once their cause is gone"
    for source, detail in list(raised.items())[:_MOST_ALARMS]:
        yield warning(f"open, {source}: {masked_text(detail.partition(' / ')[2] or detail)}", cleared)
    if len(raised) > _MOST_ALARMS:
        yield warning(f"and {len(raised) - _MOST_ALARMS} more alarms are open", "mend these first")
    if opened.backlog.overdue:
        yield warning(
            f"{opened.backlog.overdue:,} order(s) are past their deadline and not dealt with",
            "see that `duanka serve` runs",
        )
    elif not raised:
        yield ok("none open")


def listings(found: Installation) -> Iterator[Finding]:
    """Check that no unit is listed for rectification beyond its term."""
    overdue = found.order_database().desk.assessment.listings.overdue(app_orders.now())
    zone = OperatorZone(found.policy.orders.zone)
    for one in overdue[:_MOST_ALARMS]:
        assert one.due_at is not None  # noqa: S101  # it is overdue
        yield warning(
            f"{one.id}: the term of {one.kind.words.en} {one.unit} to put things right ended"
            f" {zone.written(one.due_at)}, and it is {one.state.words.en}",
            f"`duanka assess notice {one.id}` says what was filed; check it, or list the unit again with a new term",
        )
    if len(overdue) > _MOST_ALARMS:
        yield warning(
            f"and {len(overdue) - _MOST_ALARMS} more units are listed beyond their term", "as above"
        )
    if not overdue:
        yield ok("no unit is listed beyond its term")
