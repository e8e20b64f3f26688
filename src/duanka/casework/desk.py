"""The services of casework that commands and API share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from duanka.casework.accounts.queries import AccountQueries
from duanka.casework.accounts.service import LinkedAccounts
from duanka.casework.accounts.takedown import TakedownItems
from duanka.casework.cases.queries import CaseQueries
from duanka.casework.cases.service import CaseFiles
from duanka.casework.clues.answers import ClueAnswers
from duanka.casework.clues.labels import ConfirmedLabels
from duanka.casework.clues.recipients import Recipients
from duanka.casework.clues.service import ClueService
from duanka.casework.figures import CaseworkFigures
from duanka.casework.victims.calls import VictimCalls
from duanka.casework.victims.finding import VictimFinder
from duanka.casework.victims.proposals import CallProposals
from duanka.casework.victims.queries import VictimQueries
from duanka.casework.victims.retention import VictimRetention
from duanka.casework.victims.searching import VictimSearch
from duanka.domain.account_policy import AccountPolicy
from duanka.domain.linked_accounts import AccountLookups
from duanka.ledger.audit.trail import Trail
from duanka.ledger.db.database import Store
from duanka.ledger.people.account_platforms import AccountPlatforms


@dataclass(frozen=True, kw_only=True)
class AccountServices:
    """The services of linked accounts. `records`: opens the store; `protects`: whether no order changes a card."""

    store: Store
    trail: Trail
    linked: LinkedAccounts
    queries: AccountQueries
    items: TakedownItems
    platforms: AccountPlatforms
    policy: AccountPolicy
    protects: Callable[[str], bool]
    records: Callable[[], AccountLookups]


@dataclass(frozen=True, kw_only=True)
class ClueServices:
    """The services of clues for the police."""

    files: ClueService
    recipients: Recipients
    answers: ClueAnswers
    labels: ConfirmedLabels


@dataclass(frozen=True, kw_only=True)
class VictimServices:
    """The services about victims: the search that all share, and what people and worker do with it."""

    search: VictimSearch
    finder: VictimFinder
    queries: VictimQueries
    calls: VictimCalls
    proposals: CallProposals
    retention: VictimRetention


@dataclass(frozen=True, kw_only=True)
class CaseworkServices:
    """The services that change or read casework, on one order database."""

    files: CaseFiles
    cases: CaseQueries
    figures: CaseworkFigures
    accounts: AccountServices
    clues: ClueServices
    victims: VictimServices
