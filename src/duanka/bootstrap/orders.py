"""Wires the order database: database, secret, acting person, intake of decisions."""

from __future__ import annotations

import getpass
import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from duanka.application.desk import DeskServices
from duanka.bootstrap.assessment.opened import keys_of
from duanka.bootstrap.links.served import ServedGraph
from duanka.bootstrap.links.statements import StatedCards, Statements
from duanka.bootstrap.order_resources import (
    AttachedStore,
    database_of,
    elements_of,
    end_folders,
    forms_of,
    secret_of,
    status_in,
)
from duanka.bootstrap.order_resources import acting_person as acting_person  # noqa: PLC0414  # for callers of `desk`
from duanka.bootstrap.papers.rules_told import rules_told
from duanka.bootstrap.policies import policy_named
from duanka.bootstrap.settings import Settings
from duanka.bootstrap.store.register import registered_places
from duanka.decision_log.reader import DecisionFile, KeptLines
from duanka.domain.authority import Permission, authorize
from duanka.domain.bounds import reason_for
from duanka.domain.bulk_action import card_of
from duanka.domain.case_source import listed
from duanka.domain.disavowal import DisownedCard, DisownedCards
from duanka.domain.errors import DuankaError
from duanka.domain.evidence import had_a_hand_in
from duanka.domain.local_time import use_zone
from duanka.domain.order import Kind, NoSuchTransition, OrderError, Person
from duanka.domain.passed_cards import PURPOSE
from duanka.domain.policy import Policy
from duanka.domain.private_files import write_private
from duanka.domain.record_lookups import AttachedTo
from duanka.domain.ring_lookups import RingAnswer, RingTable
from duanka.domain.sealing import derived
from duanka.domain.take import EVERYTHING, Choice
from duanka.domain.text import BilingualText
from duanka.ledger.audit.kept_end import KeptEnds, TrailEnd
from duanka.ledger.audit.trail import AuditEntry, Trail
from duanka.ledger.db.database import Store
from duanka.ledger.db.installation import Upgrade, Upgraded
from duanka.ledger.people.case_sources import CaseSources
from duanka.ledger.people.kept_people import KeptPeople
from duanka.ledger.people.keys import Keys
from duanka.ledger.people.persons import Persons
from duanka.ledger.people.sign_in import SignInServices, sign_in_services
from duanka.ledger.unit_of_work.network_elements import NetworkElements
from duanka.ledger.unit_of_work.unit_of_work import Terms, UnitOfWork
from duanka.orders.bulk_actions.service import BulkActionService
from duanka.orders.bulk_actions.withdrawal import Withdrawals
from duanka.orders.daily_limit import within_a_day
from duanka.orders.disavowals.service import Disavowals
from duanka.orders.intake.takes import TakeService
from duanka.orders.intake.taking import DecisionTaker, Preview, TakeResult
from duanka.orders.monitoring.backups import hours_anew
from duanka.orders.papers.services import paper_services
from duanka.orders.queries.record_queries import RecordQueries
from duanka.orders.queries.ring_queries import RingQueries
from duanka.orders.queries.service import OrderQueries, ViewerContext
from duanka.orders.queries.stated_cards import stated_cards
from duanka.orders.service import OrderService
from duanka.orders.verification.counter import Counter
from duanka.orders.verification.links import Links
from duanka.orders.verification.online_checks import OnlineChecks
from duanka.orders.verification.pass_list import PassList
from duanka.orders.verification.pictures import Pictures
from duanka.orders.verification.reviews import Reviews

if TYPE_CHECKING:
    from duanka.assessment.desk import AssessmentServices
    from duanka.casework.desk import CaseworkServices

_log = logging.getLogger("duanka.orders.database")


@dataclass(frozen=True, kw_only=True)
class OrderDesk(DeskServices):
    """`DeskServices`, and the services that only commands and workers use."""

    elements: NetworkElements
    ends: KeptEnds
    persons: Persons
    pictures: Pictures
    decision_key: bytes
    case_sources: CaseSources
    sources_key: bytes
    pass_list: PassList
    attached_store: AttachedStore

    def now(self) -> datetime:
        """As the function `now` of this module."""
        return now()


@dataclass(frozen=True)
class _LaterRooms:
    """Makes the services of the rooms that most commands do not use, and imports them only then."""

    settings: Settings
    secret: bytes
    policy: Policy
    orders: OrderService
    rings: RingQueries[RingAnswer, RingTable]
    records: AttachedStore
    sources: CaseSources

    def casework(self) -> CaseworkServices:
        from duanka.bootstrap.casework.desk import installed_casework  # noqa: PLC0415  # takes 0.1 s

        return installed_casework(
            self.settings,
            self.secret,
            self.policy,
            self.orders,
            self.rings,
            self.records.opened,
            self.sources,
        )

    def assessment(self) -> AssessmentServices:
        from duanka.bootstrap.assessment import desk as wiring  # noqa: PLC0415  # takes 0.05 s

        store, trail = self.orders.store, self.orders.terms.trail
        return wiring.assessment(store, trail, self.policy, self.records.opened, self.records.archive)


@contextmanager
def desk(
    settings: Settings,
    policy: Policy,
    *,
    create: bool = False,
    check_network: bool = True,
    read_only: bool = False,
    upgrade: Upgrade | None = None,
) -> Iterator[OrderDesk]:
    """Open the order database.

    `create`: create it where it does not exist; otherwise NoOrderDatabase says where it was searched.
    `check_network`: refuse settings that name other elements than the order database (ElementDiffers).
    `read_only`: every write fails. `upgrade`: how a database of an earlier version is upgraded; None: by
    `upgrade_terms`, with messages to the log.
    """
    use_zone(policy.orders.zone)
    store = Store(
        database_of(settings),
        lambda is_new: [keys.installation for keys in keys_of(secret_of(settings, is_new))],
        create=create,
        read_only=read_only,
        upgrade=upgrade or upgrade_terms(settings, log_upgrade),
    )
    secret = secret_of(settings)
    root = _root_key(secret, store)
    records = AttachedStore(settings.store, derived(root, "record store"), settings.threads)
    try:
        trail = Trail(derived(root, "audit"))
        elements = NetworkElements(store, trail)
        if create:  # the end of the audit trail is kept in this folder, even if the database is on a server
            settings.orders.mkdir(parents=True, exist_ok=True, mode=0o700)
        if check_network:
            elements.check(elements_of(settings))
        kept = KeptPeople(store, trail, lambda: end_folders(settings, elements))
        ends = KeptEnds(store, trail, lambda: end_folders(settings, elements), kept)
        trail.ends_kept_elsewhere = lambda: [(end.seq, end.hash) for end in ends.ends()]
        order_service = OrderService(store, order_terms(policy, trail, records))
        links = Links(derived(root, "links"), policy.orders)
        sources = CaseSources(store, trail, derived(secret, "case source rows"), kept)
        kept.removed_sources = sources.removed
        pictures = Pictures(order_service, derived(root, "pictures"))
        rings = RingQueries(store, trail, ServedGraph(settings, records).checked)
        acts, decision_key = BulkActionService(order_service), derived(secret, "decisions")
        later = _LaterRooms(settings, secret, policy, order_service, rings, records, sources)
        yield OrderDesk(
            store=store,
            policy=policy,
            elements=elements,
            ends=ends,
            orders=order_service,
            bulk_actions=acts,
            keys=Keys(store, trail, kept),
            persons=Persons(store, trail, kept),
            sign_in=sign_in_of(settings, store, trail, root, kept),
            links=links,
            reading=OrderQueries(store, trail, records.archive, order_service.terms.stop_texts),
            records=RecordQueries(store, trail, records.lookups),
            rings=rings,
            make_casework=later.casework,
            make_assessment=later.assessment,
            attached_store=records,
            trail=trail,
            pictures=pictures,
            checks=OnlineChecks(order_service, links, pictures, derived(root, "frames")),
            counter=Counter(order_service),
            disavowals=Disavowals(order_service),
            papers=paper_services(order_service, records.lookups, policy.store),
            reviews=Reviews(order_service, pictures),
            decision_key=decision_key,
            case_sources=sources,
            sources_key=derived(secret, "case sources"),
            pass_list=PassList(store, trail, settings.passes_file, derived(secret, PURPOSE)),
            takes=TakeService(acts, KeptLines(decision_key), signers(sources)),
            withdrawals=Withdrawals(acts),
        )
    finally:
        records.close()
        store.close()


def order_terms(policy: Policy, trail: Trail, records: AttachedStore) -> Terms:
    """What transactions of the order database need: rules as holders are told of them, and the register."""
    return Terms(policy.orders, trail, rules=rules_told(policy), registered=registered_places(records))


def _root_key(secret: bytes, store: Store) -> bytes:
    """The form of the secret that the database was made with; keys that release 0.1.0 had derive from it."""
    return forms_of(secret)[store.secret_form]


def sign_in_of(
    settings: Settings, store: Store, trail: Trail, root: bytes, kept: KeptPeople
) -> SignInServices:
    """What signing in with a browser takes, under these settings."""
    return sign_in_services(store, trail, derived(root, "login names"), kept, settings.session_terms)


def upgrade_terms(
    settings: Settings, say: Callable[[BilingualText], None], despite_faults: str = ""
) -> Upgrade:
    """Terms for upgrading a database of an earlier version. `say`: receives messages that people must see."""
    by = f"{getpass.getuser()} on this machine"
    return Upgrade(_run_upgrade, lambda: keys_of(secret_of(settings)), by, say, despite_faults)


def log_upgrade(words: BilingualText) -> None:
    """Write a message of an upgrade to the log."""
    _log.warning("%s", words.en)


def _run_upgrade(*given: Any) -> Upgraded:
    from duanka.ledger.migrations.upgrading import upgrade_database  # noqa: PLC0415  # imports Alembic

    return upgrade_database(*given)


def take(
    here: OrderDesk, folder: Path | None, by: Person, choice: Choice = EVERYTHING, why: str = ""
) -> TakeResult:
    """Turn new decisions in `folder` into orders; None: the decisions on hold.

    `why`: reason stored with those that `choice` puts on hold. PermissionDenied: `by` has no permission.
    DuankaError: there are no decisions.
    """
    return _taking(here, folder, choice, by, why).take(now(), by)


def preview_take(here: OrderDesk, folder: Path | None, by: Person, choice: Choice) -> Preview:
    """Result that `take` would have, without writing. Raises the same errors."""
    return _taking(here, folder, choice, by, "").preview(now(), by)


def _taking(here: OrderDesk, folder: Path | None, choice: Choice, by: Person, why: str) -> DecisionTaker:
    authorize(by, Permission.TAKE_DECISIONS)
    decisions = DecisionFile(folder, here.decision_key) if folder else None
    if decisions and not decisions.path.is_file():
        raise DuankaError(
            f"no decisions at {decisions.path}: give the folder that `duanka scan` or `duanka live` wrote"
        )
    if here.ends.is_ahead:
        raise DuankaError(
            "the order database is older than the kept end of its trail: a backup was restored, and what was decided"
            " since was dealt with before; a supervisor looks first (`duanka audit accept-restored`)"
        )
    kept, counting = KeptLines(here.decision_key), signers(here.case_sources)
    return DecisionTaker(here.orders, decisions, kept, counting, choice, why)


def accept_restored(here: OrderDesk, by: Person, why: str, at: datetime) -> tuple[list[TrailEnd], int]:
    """Accept a restored backup.

    Returns the lost ends of the trail, and the number of passes applied again: verifications passed since
    the backup are in the list of passes that the worker keeps. They are applied before any deadline of the
    older order database expires, and its deadlines start anew. Raises the errors of `KeptEnds.accept`.
    """
    authorize(by, Permission.ACCEPT_RESTORED)
    passed = 0
    if here.ends.is_ahead:
        passed = here.pass_list.put_in_force(here.orders, at)
        hours_anew(here.orders, at)
    return here.ends.accept(by, why, at), passed


def signers(sources: CaseSources) -> Callable[[], frozenset[str]]:
    """Query for the sources whose signature of police cases counts now."""
    return lambda: frozenset(source.name for source in sources.in_force())


def write_sources(here: OrderDesk, path: Path) -> None:
    """Write the sealed list of current sources, as scans and live runs read it."""
    write_private(path, listed(here.case_sources.in_force(), here.sources_key))


def records_in(here: OrderDesk, folder: Path | None) -> RecordQueries:
    """Lookups in the store in `folder`; None: in that of the settings."""
    if folder is None:
        return here.records
    return RecordQueries(here.store, here.trail, here.attached_store.at(folder).lookups)


def disowned_cards(here: OrderDesk, by: Person, why: str) -> DisownedCards:
    """The cards that their registrants disowned, numbers in full, for statistics of outlets; each read is audited."""
    return _Disowned(here.reading, ViewerContext(by, unmasked=True, why=why))


@dataclass(frozen=True)
class _Disowned:
    """The port `DisownedCards` for one reader."""

    queries: OrderQueries
    reader: ViewerContext

    def disowned(self, since: datetime, until: datetime) -> Iterable[DisownedCard]:
        found = self.queries.disowned(since, until, self.reader, now())
        return [replace(one, card=card_of(one.card)) for one in found]


def stated_about(settings: Settings, store: Path, from_files: StatedCards) -> Statements:
    """What the files say, and the order database that `store` is attached to, whose trail has that it was read.

    Where that is another one than the settings name, or cannot be read, `unread` says why.
    """
    try:
        with desk(settings, policy_named(settings.policy), check_network=False) as here:
            if here.attached_store.at(store).sealed_for() is not AttachedTo.THIS:
                return Statements(from_files, unread=f"{store} is attached to another order database")
            found = stated_cards(here.store, here.trail, f"links build {store}", here.now())
    except DuankaError as error:  # the records are there all the same
        return Statements(from_files, unread=str(error))
    return Statements(from_files, StatedCards(found.disowned, found.upheld, found.confirmed))


def attach_store(here: OrderDesk, folder: Path | None, by: Person, why: str) -> AttachedTo:
    """Attach the store in `folder` (None: that of the settings) to this order database; to which it was before.

    DuankaError: there is no store, or its folder cannot be written. The trail keeps who, why, and whether it is taken
    from another order database.
    """
    authorize(by, Permission.ATTACH_STORE)
    store = here.attached_store.at(folder)
    status_in(store.folder)  # raises if it is no store
    before = store.attached_to()
    if before is AttachedTo.THIS:
        return before
    told = {"folder": str(store.folder.absolute()), "attached_to_before": before.value}
    entry = AuditEntry(now(), by, "store.attach", "store", reason_for(why, "a store is attached"), after=told)
    with here.store.writing() as connection:
        here.trail.append(connection, [entry])
        store.write_mark(by, now())
    return before


def link_for(here: OrderDesk, order_id: str, by: Person, why: str, now: datetime) -> str:
    """Make a link for an order, as in a notice, and return its address. The trail keeps who and why."""

    def work(unit: UnitOfWork) -> str:
        order = unit.order(order_id)
        authorize(by, Permission.MAKE_LINK, order)
        if order.kind is not Kind.VERIFICATION:  # `helped_by` belongs on the order that the link answers
            raise OrderError(f"{order_id} is no verification, and a link answers one: give its id (V...)")
        if order.closed_at:
            raise NoSuchTransition(f"{order_id} is {order.state}: nothing is left to do by a link")
        within_a_day(unit, by, 1)
        unit.note(by, "link.make", order_id, why, {}, {})
        if not had_a_hand_in(order, by.id):  # a person with the link can act for the holder
            unit.change(order, by, "link", why, helped_by=(*order.helped_by, by.id))
        return here.links.make(unit.connection, order_id, now)

    authorize(by, Permission.MAKE_LINK)
    reason_for(why, "a link is made")
    return here.links.address(here.orders.transaction(work, now))


def now() -> datetime:
    """Current time with zone, for entry points. The layers below receive the time as an argument."""
    return datetime.now(UTC)
