"""Why an order cannot be changed as requested."""

from __future__ import annotations

from duanka.domain.errors import DuankaError


class OrderError(DuankaError):
    """The order cannot be changed as requested."""


class UnknownOrder(OrderError):
    """No such order."""


class NoSuchTransition(OrderError):
    """TRANSITIONS has no row for this state and event."""


class PermissionDenied(OrderError):
    """The role may not do that."""


class NeedsSecondPerson(OrderError):
    """A stop without other evidence, or a release of a tier that the policy names, takes two people."""


class TooManyHolders(OrderError):
    """The person has contacted as many holders today as the policy allows."""


class TooManyTries(OrderError):
    """The person typed as many order numbers that lead nowhere within a day as the policy allows."""


class ProtectedCard(OrderError):
    """The card is on the protected list: no order may change it."""


class NoLifeline(OrderError):
    """The card is confirmed by the police, or a rule hit it whose cards never get the lifeline."""


class GroundsMissing(OrderError):
    """A restriction lacks its reason, redress or papers in one of the two languages."""


class AlreadyUsed(OrderError):
    """A single-use link was used or has expired."""
