"""Model of a policy file's table `[accounts]`."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator

from duanka.domain.account_policy import AccountPolicy
from duanka.domain.linked_accounts import AccountGround, RequestKind
from duanka.policy_files.identity import Minutes
from duanka.policy_files.orders import Hours
from duanka.policy_files.store import KeptDays
from duanka.policy_files.tables import Distinct, Entry, TomlTable, fault, must_be

_SHIPPED = AccountPolicy()
_HOST = re.compile(r"[a-z0-9-]+(?:\.[a-z0-9-]+)+")


def _host(text: str) -> str:
    if not _HOST.fullmatch(text):
        raise fault(f"is a host like bank.example, in lower case, not {text!r:.60}")
    return text


Kind = Annotated[RequestKind, BeforeValidator(RequestKind), must_be("re_verify, restrict or close")]
Ground = Annotated[
    AccountGround, BeforeValidator(AccountGround), must_be("confirmed, failed_check or failed_two")
]


def _by_itself(kinds: tuple[RequestKind, ...]) -> tuple[RequestKind, ...]:
    if RequestKind.CLOSE in kinds:
        raise fault("must not name close: closing takes two people; name its grounds with `close`")
    return kinds


Kinds = Annotated[Distinct[Kind], AfterValidator(_by_itself)]


class AccountsTable(TomlTable):
    """`[accounts]`: the fields of AccountPolicy."""

    confirmed: Kinds = _SHIPPED.confirmed
    failed: Kinds = _SHIPPED.failed
    close: Distinct[Ground] = _SHIPPED.close
    answer_hours: Hours = _SHIPPED.answer_hours
    poll_minutes: Minutes = _SHIPPED.poll_minutes
    keep_days: KeptDays = _SHIPPED.keep_days
    keep_indicator_days: KeptDays = _SHIPPED.keep_indicator_days
    never_blocked: Distinct[Annotated[Entry, AfterValidator(_host)]] = _SHIPPED.never_blocked
