"""What people see of a ring whose numbers they did not ask for in full."""

from __future__ import annotations

from datetime import date

import numpy as np
import polars as pl

from duanka.domain.rings import LinkKind
from duanka.links.answers import FoundRing
from duanka.links.graph.stored import GraphPeriod
from duanka.links.ring.ring import Ring, Seed
from duanka.links.ring.ties import Ties

CARD, BY, BOX = "8613700000001", "8613700000002", "86012304000001"
NONE = np.empty(0, dtype=np.int64)


def test_cards_devices_reasons_and_what_they_share_are_masked() -> None:
    reason = f"took turns in device {BOX} (by way of {BY})"
    cards = {"card": [CARD, BY], "by": [BY, ""], "reason_zh": [reason, ""], "reason_en": [reason, ""]}
    shared = {
        "kind": [LinkKind.DEVICE.value, LinkKind.ACCOUNT.value, LinkKind.ACCOUNT.value, LinkKind.BATCH.value],
        "label": [BOX, "wechat\x1fzhangsan123", f"qq\x1f{CARD}", "S-1 2026-02-20 09:00"],
    }
    ring = Ring(
        Seed(CARD, NONE, NONE),
        pl.DataFrame(cards),
        pl.DataFrame({"imei": [BOX]}),
        pl.DataFrame(),
        Ties(pl.DataFrame(shared), pl.DataFrame(), pl.DataFrame()),
    )
    period = GraphPeriod(date(2026, 3, 1), date(2026, 3, 5), 1, "Asia/Shanghai")
    seen = FoundRing(ring, period).masked()
    assert seen.seed == "+86 137****0001"
    assert seen.cards.page(0, 9)[0] == {
        "card": "+86 137****0001",
        "by": "+86 137****0002",
        "reason_zh": "took turns in device 86012304****001 (by way of +86 137****0002)",
        "reason_en": "took turns in device 86012304****001 (by way of +86 137****0002)",
    }
    assert seen.cards.page(1, 9)[0]["by"] == ""
    assert seen.devices.page(0, 1) == [{"imei": "86012304****001"}]
    assert seen.ring.ties.groups["label"].to_list() == [
        "86012304****001",
        "wechat\x1f****23",
        "qq\x1f+86 137****0001",
        "S-1 2026-02-20 09:00",
    ]
