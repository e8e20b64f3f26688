"""What a device is: a box by what its cards do, and honest devices of many cards as what they are."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from duanka.domain.rings import DeviceRole
from duanka.engine.links.device_use import device_cards, device_use
from duanka.engine.links.source import LinkSource
from duanka.links.devices import judged_devices, listed_devices
from duanka.links.graph.devices import DEVICES, device_facts
from duanka.links.graph.graph import build_graph
from support.engine.filled_store import fill
from support.engine.store_deliveries import Row
from support.link_worlds import FactWorld

MONDAY = datetime(2021, 4, 19)
PORT, PHONE, PASSED = "86012304000001", "35200000000001", "35200000000002"
PORT_CARDS = tuple(f"861370000000{n}" for n in range(4))
Facts = Mapping[str, object]

BOX: Facts = {
    "cards": 12,
    "a_day": 3.0,
    "an_hour": 0.4,
    "dialled": 20.0,
    "pairs": 30,
    "one_place": 0.9,
    "at_site": 0.9,
    "calls": 900,
    "out": 0.99,
    "strangers": 0.98,
    "stay": 0.2,
    "busy_days": 36,
    "spike": 0.1,
}
GATEWAY: Facts = {**BOX, "out": 0.7, "organisation": 1.0, "weekend": 0.2}
TRIED: Facts = {**BOX, "out": 0.5, "stay": 0.01, "dialled": 1.0, "strangers": 0.4}


def judged(**facts: object) -> dict[str, object]:
    """What one device with these facts is said to be."""
    row = {name: "" if kind == pl.String else 0 for name, kind in DEVICES.items()} | {"weekend": None} | facts
    (found,) = judged_devices(pl.DataFrame([row], schema=DEVICES)).to_dicts()
    return found


@pytest.mark.parametrize(
    ("facts", "role"),
    [
        (BOX, DeviceRole.BOX),
        ({**BOX, "a_day": 1.0, "an_hour": 0.2, "one_place": 0.1, "at_site": 0.5}, DeviceRole.BOX),
        ({**BOX, "a_day": 1.0, "an_hour": 0.2, "dialled": 9.9, "at_site": 0.5, "pairs": 0}, DeviceRole.PHONE),
        ({**BOX, "calls": 0, "out": 0.0, "dialled": 0.0, "codes": 120}, DeviceRole.BOX),
        ({"cards": 12, "a_day": 3.0, "an_hour": 0.4, "codes": 119}, DeviceRole.PHONE),
        ({"cards": 12, "a_day": 3.0, "an_hour": 0.4, "codes": 120}, DeviceRole.BOX),
        ({**BOX, "bridged": 4}, DeviceRole.BRIDGED_PHONE),
        ({**BOX, "bridged": 3}, DeviceRole.BOX),
        (GATEWAY, DeviceRole.GATEWAY),
        ({**GATEWAY, "out": 0.96}, DeviceRole.BOX),
        ({**GATEWAY, "organisation": 0.7}, DeviceRole.SHARED_PHONE),
        ({**GATEWAY, "out": 0.9, "confirmed": 1}, DeviceRole.BOX),
        (TRIED, DeviceRole.REPAIR_SHOP),
        ({**TRIED, "stay": 0.06}, DeviceRole.SHARED_PHONE),
        ({**TRIED, "out": 0.99, "dialled": 20.0, "strangers": 0.9}, DeviceRole.BOX),
        ({**TRIED, "stay": 0.3, "a_day": 1.9}, DeviceRole.PHONE),
        ({**TRIED, "a_day": 70.0, "one_place": 0.1}, DeviceRole.COPIED_NUMBER),
        ({**TRIED, "a_day": 70.0, "one_place": 0.1, "pairs": 19}, DeviceRole.REPAIR_SHOP),
        ({"cards": 3, "a_day": 1.0, "at_site": 1.0, "calls": 60, "out": 0.5}, DeviceRole.PHONE),
    ],
)
def test_what_its_cards_do_says_what_a_device_is(facts: Facts, role: DeviceRole) -> None:
    assert judged(**facts)["role"] == role


def test_the_reasons_of_a_box_are_its_signs_with_their_numbers() -> None:
    found = judged(**{**BOX, "steady": 0.3, "spike": 0.5})
    assert found["reason_en"] == (
        "12 cards sat in it; 3.0 cards a day; 0.40 cards an hour; 20 outgoing calls an hour; its cards are at one cell;"
        " 99% of its calls go out; 98% of the numbers called are strangers; switched in one minute with others, 30%;"
        " on 50% of the days it stops at one number of calls"
    )
    assert str(found["reason_zh"]).startswith("先后或同时使用 12 张卡；每天 3.0 张卡")
    assert judged(cards=3, calls=60, dialled=20.0)["reason_en"] == (
        "3 cards, too few signs of a box; 20 outgoing calls an hour"
    )
    assert "weekends" in str(judged(**GATEWAY)["reason_en"])
    assert "weekends" not in str(judged(**{**GATEWAY, "weekend": 0.6})["reason_en"])


def called(card: str, at: datetime, peer: int, imei: str, direction: str = "out") -> Row:
    fixed = {"seconds": 9, "answered": True, "cell": "46000123", "city": "130100"}
    return {
        "card": card,
        "started_at": at,
        "peer": f"86159{peer:08}",
        "imei": imei,
        "direction": direction,
        **fixed,
    }


def port_days() -> list[Row]:
    """Four cards in turn, five calls each on a day, three days of work and a Saturday."""
    return [
        called(
            card,
            MONDAY + timedelta(days=day, hours=8 + 3 * turn, minutes=10 * n),
            100 * day + 10 * turn + n,
            PORT,
        )
        for day in (0, 1, 2, 5)
        for turn, card in enumerate(PORT_CARDS)
        for n in range(5)
    ]


def read(folder: Path, calls: list[Row], bridged: str) -> tuple[pl.DataFrame, pl.DataFrame]:
    """What the store says of its devices, and the cards in them; the calls of `bridged` are passed on."""
    with fill(folder / "store", {"calls": calls}).writing(MONDAY) as writer:
        writer.merge_life()
        writer.commit()
    source = LinkSource(folder / "store", folder / "work", memory="512MB")
    source.run(f"CREATE OR REPLACE VIEW hits AS SELECT {bridged}::BIGINT AS card, 'bridged_calls' AS rule")
    found = pl.DataFrame(device_use(source)), pl.DataFrame(device_cards(source))
    source.close()
    return found


def test_a_store_says_what_the_cards_of_a_port_did_in_turn(tmp_path: Path) -> None:
    own = [called("8613800000001", MONDAY + timedelta(hours=9, minutes=n), n, PHONE, "in") for n in range(9)]
    beside = [called("8613800000002", MONDAY + timedelta(hours=10), 1, PASSED)]
    use, sat = read(tmp_path, [*port_days(), *own, *beside], "8613800000002")
    port, passed = use.sort("imei", descending=True).iter_rows(named=True)
    assert (passed["device"], passed["bridged"], passed["cards"]) == (
        PASSED,
        1,
        1,
    )  # an own phone is nobody's question
    assert sat["imei"].value_counts().sort("count")["count"].to_list() == [1, 4]
    seconds = 9 * 3600 + 40 * 60  # from the first call of the first card to the last of the fourth
    told = {
        "device": PORT,
        "cards": 4,
        "bridged": 0,
        "stay": 1.0,
        "a_day": 4.0,
        "calls_out": 80,
        "calls_in": 0,
    }
    assert {name: port[name] for name in told} == told
    assert port["an_hour"] == pytest.approx(4 * 3600 / seconds)
    assert port["dialled"] == pytest.approx(20 * 3600 / seconds)
    assert (port["spike"], port["busy_days"]) == (1.0, 16)
    assert port["weekend"] == pytest.approx(1.0)  # as many calls on the Saturday as on a day of work


def test_boxes_come_first_and_name_the_ring_of_their_cards() -> None:
    world = FactWorld()
    world.phones(5)
    box, counter = world.cards(1, 6, cell=7, callees=90, strangers=80, at_risk=True), world.cards(20, 5)
    world.device(11, box)
    world.device(12, counter)
    world.uses(11, box, a_day=3.0, an_hour=0.4, dialled=20.0, calls_out=400)
    world.uses(12, counter, stay=0.01, calls_out=50, calls_in=50)
    world.device(13, own := world.cards(30, 3))
    world.uses(13, own, calls_out=50, calls_in=50)
    graph = build_graph(world.evidence())
    members = pl.DataFrame({"card": box, "ring": "R00007"})
    rows = listed_devices(graph, members).select("imei", "role", "cards", "site", "at_risk", "ring").rows()
    assert rows == [
        (f"{11:014}", "box", 6, "990101/7", 6, "R00007"),
        (f"{12:014}", "repair_shop", 5, "", 0, ""),
    ]
    assert device_facts(world.evidence()).filter(pl.col("device") == f"{11:014}")[
        "strangers"
    ].item() == pytest.approx(80 / 90)
