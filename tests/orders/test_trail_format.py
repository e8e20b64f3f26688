"""What a row of the trail and a digest consist of, written down a second time: an older trail must hold for ever."""

from __future__ import annotations

import hashlib
import hmac
import json
import zlib
from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy import select

from duanka.domain.order import State
from duanka.ledger.audit.row_digests import ORDERS
from duanka.ledger.audit.trail_encoding import keyed_hash
from duanka.ledger.db.database import Store
from duanka.ledger.db.installation import GENESIS
from duanka.ledger.db.tables import audit, orders
from support.orders.books import KEY, NOW, SECOND, book_on, delivered

CHINA = timezone(timedelta(hours=8))


@pytest.mark.parametrize("length", [0, 1, 32, 64, 65, 200])
def test_the_keyed_hash_is_hmac(length: int) -> None:
    key = bytes(range(length))
    mac = keyed_hash(key)
    for told in (b"", b"a", "断卡".encode() * 500):
        assert mac(told) == hmac.digest(key, told, "sha256").hex(), "whatever was told before"


def test_a_row_of_the_trail_is_hashed_as_json(store: Store) -> None:
    book = book_on(store)
    order = delivered(book)
    book.object(order.card, 'why "me"? \\ 为什么\n\x7f\u2028 é', SECOND, NOW.astimezone(CHINA))
    with store.reading() as connection:
        rows = connection.execute(select(audit).order_by(audit.c.seq)).mappings().all()
    assert any("为什么" in row["why"] for row in rows)
    last = GENESIS
    for row in rows:
        names = ("who", "role", "what", "subject", "why", "before", "after", "digests")
        told = [last, row["seq"], row["at"].astimezone(UTC).isoformat(), *(row[name] for name in names)]
        text = json.dumps(told, ensure_ascii=False, separators=(",", ":"))
        assert row["hash"] == hmac.digest(KEY, text.encode(), "sha256").hex()
        for facts in (row["before"], row["after"], row["digests"] or "{}"):
            written = json.dumps(json.loads(facts), ensure_ascii=False, sort_keys=True, separators=(",", ":"))
            assert facts == written
        last = row["hash"]


def test_a_digest_is_over_the_hash_of_each_column(store: Store) -> None:
    number = delivered(book_on(store)).id
    with store.reading() as connection:
        row = dict(connection.execute(select(orders).where(orders.c.id == number)).mappings().one())
    assert row["state"] == State.NOTIFIED
    facts = [
        (value - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
        if isinstance(value, datetime)
        else value
        for _, value in sorted(row.items())
    ]
    texts = [ascii(fact).encode() for fact in facts]
    whole = hashlib.sha256(b"".join(hashlib.sha256(text).digest() for text in texts)).hexdigest()
    digits = "".join(f"{zlib.crc32(text) & 0xFFF:03x}" for text in texts)
    for _ in range(2):  # the second time from memory
        assert ORDERS.digest(row) == f"{whole[:32]}.{digits}"
