"""Turn key owners of release 0.1.0, known by name and role, into persons with ids."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, RowMapping, column, insert, select, table, update

from duanka.domain.person import MOST_LETTERS, SYSTEM, BadPerson, Role, display_name, person_id
from duanka.domain.text import BilingualText
from duanka.ledger.migrations.trail_facts import TrailFacts

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MAX_ID_LETTERS = 28  # letters of an id, which leaves room for a number
# A name with keys of several roles gets the first of these; its keys of the other roles are revoked.
_ROLES = (Role.SUPERVISOR, Role.DESK, Role.POLICE, Role.REGULATOR)

_keys = table(
    "keys",
    # times as raw integers, to keep those that the present version would reject
    *map(column, ("id", "person", "role", "proposed_by", "approved_by", "created_at", "revoked_at")),
)
_persons = table(
    "persons",
    *map(column, ("id", "display_name", "role", "operators", "cities", "created_at")),
)


@dataclass(frozen=True)
class _Owner:
    id: str
    role: str
    keys: Sequence[RowMapping]


def persons_of_keys(connection: Connection, facts: TrailFacts) -> Sequence[_Owner]:
    """Create a person for every name with a key, past or present; sets `facts.ids`."""
    wanted = ("id", "person", "role", "created_at", "revoked_at")
    rows = connection.execute(
        select(*(_keys.c[name] for name in wanted)).order_by(_keys.c.created_at, _keys.c.id)
    )
    by_name: dict[str, list[RowMapping]] = {}
    for row in rows.mappings():
        by_name.setdefault(row["person"], []).append(row)
    owners = []
    for name, keys in by_name.items():
        number = facts.ids[name] = _id_of(name, facts.ids.values())
        in_force = [key["role"] for key in keys if _matches_trail(facts, key)] or [keys[-1]["role"]]
        role = min(in_force, key=_ROLES.index)
        person = {"id": number, "display_name": _shown(name), "role": role, "operators": "", "cities": ""}
        connection.execute(insert(_persons).values(**person, created_at=keys[0]["created_at"]))
        owners.append(_Owner(number, role, keys))
        if number != name:
            facts.said.append(BilingualText(f"{name}：工号 {number}", f"{name} has the id {number}"))
    return owners


def give_keys_to_persons(connection: Connection, owners: Sequence[_Owner], facts: TrailFacts) -> None:
    """Assign keys to their owners' ids; revoke those not issued in the trail.

    Also revokes keys that were issued for another role than the owner's.
    """
    for owner in owners:
        for key in owner.keys:
            values: dict[str, Any] = {"person": owner.id, "proposed_by": SYSTEM.id, "approved_by": SYSTEM.id}
            if key["revoked_at"] is None and not (_matches_trail(facts, key) and key["role"] == owner.role):
                values["revoked_at"] = (facts.at - _EPOCH) // timedelta(microseconds=1)
                facts.revoked.add(key["id"])
                why = (
                    BilingualText(
                        f"{owner.id} 现为{Role(owner.role).words.zh}", f"{owner.id} acts as {owner.role} now"
                    )
                    if _matches_trail(facts, key)
                    else BilingualText("审计链中没有此密钥", "the audit trail does not know it")
                )
                which = BilingualText(
                    f"密钥 {key['id']}（{Role(key['role']).words.zh}）已吊销：{why.zh}",
                    f"key {key['id']} ({key['role']}) is revoked: {why.en}",
                )
                facts.said.append(which)
            connection.execute(update(_keys).where(_keys.c.id == key["id"]).values(values))


def name_acting_persons(connection: Connection, facts: TrailFacts) -> None:
    """Replace names by ids in bulk actions and counter checks, for four-eyes rules."""
    for name, columns in (
        ("acts", ("proposed_by", "approved_by")),
        ("counter_checks", ("first_by", "second_by")),
    ):
        rows = table(name, *map(column, columns))
        for one in columns:
            for person, number in facts.ids.items():
                # An id may equal another name: until all names are replaced, ids carry a mark that no name contains.
                connection.execute(update(rows).where(rows.c[one] == person).values({one: f"\x01{number}"}))
            for number in facts.ids.values():
                connection.execute(update(rows).where(rows.c[one] == f"\x01{number}").values({one: number}))


def name_openers(connection: Connection, facts: TrailFacts) -> None:
    """Set opener and helpers of each order, who may not decide on it, from the trail."""
    orders = table("orders", *map(column, ("id", "opened_by", "helped_by")))
    for number, (who, role) in facts.openers.items():
        opened_by = facts.id_of(who, role)
        helpers = [facts.id_of(one, "") for one in facts.helpers.get(number, ()) if one != who]
        values: Mapping[str, str] = {"opened_by": opened_by, "helped_by": "\n".join(helpers)}
        connection.execute(update(orders).where(orders.c.id == number).values(values))


def _matches_trail(facts: TrailFacts, key: RowMapping) -> bool:
    return key["revoked_at"] is None and facts.keys.get(key["id"]) == (key["person"], key["role"])


def _id_of(name: str, taken: Collection[str]) -> str:
    """Derive an id from the name's letters, else person-NUMBER."""
    plain = unicodedata.normalize("NFKD", name).casefold().encode("ascii", "ignore").decode()
    base = re.sub(r"[^a-z0-9._-]+", ".", plain).strip(".")[:_MAX_ID_LETTERS]
    try:
        person_id(base)
    except BadPerson:
        base = "person"
    number = 1 if base == "person" else 0
    while (made := f"{base}-{number}" if number else base) in taken:
        number = max(number + 1, 2)
    return made


def _shown(name: str) -> str:
    try:
        return display_name(name)
    except BadPerson:
        return "".join(letter for letter in name if letter.isprintable())[:MOST_LETTERS] or "?"
