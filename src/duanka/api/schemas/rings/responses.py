"""Rings and outlets, as the API shows them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from pydantic import Field

from duanka.domain.rings import DeviceRole, RingRole
from duanka.orders.masking import ShownNumber, View
from duanka.orders.views import BulkActionShown, WordsShown

_NEXT = "Give it as `after` for the next page; null: this was the last."
FIRM_SAYS = "An organisation's cards that are called back: its gateway or desks."


class DaysShown(View):
    """The records that the graph was built of."""

    first_day: date
    last_day: date
    zone: str = Field(examples=["Asia/Shanghai"])


class RingCardShown(View):
    """A card of the ring; whose name it bears is its registered holder, and no role of the ring."""

    card: ShownNumber
    role: RingRole = Field(
        description="box_card 设备用卡, stock 库存卡, operator 运营者, minder 看护者, supplier 供卡者,"
        " code_receiver 接码卡, caller 话务卡, unknown 未知."
    )
    site: str = Field(description="City code and cell (地点); empty: none.", examples=["130100/46000123"])
    certainty: float = Field(ge=0, le=1, description="How sure it is that the card is the ring's (确定度).")
    joined: bool = Field(description="false: the evidence does not carry it; for a person to look at.")
    reasons: WordsShown = Field(description="The link that says most, and the card that it came by.")


class RingDeviceShown(View):
    """A device (终端) of the ring, and what it is by what its cards do."""

    imei: str = Field(examples=["86012304****001"])
    cards: int = Field(description="Cards of the ring that sat in it.")
    site: str
    role: DeviceRole = Field(
        description="box 猫池设备, bridged_phone 搭桥手机, gateway 单位语音网关, repair_shop 维修店试机,"
        " shared_phone 多人共用的手机, copied_number 串号重复的多部手机, phone 手机."
    )
    reasons: WordsShown


class RingOutletShown(View):
    """An outlet (网点) that supplied the ring far more often than its peers would."""

    outlet: str
    name: str = Field(description="Of the register of outlets; empty: it has none.")
    cards: int = Field(description="Cards of the ring that it opened.")
    expected: float = Field(description="By its peers of the city and size.")
    lift: float = Field(description="How many times its peers.")
    lower_bound: float = Field(description="How many times its peers, at least.")
    reasons: WordsShown


class FoundRingShown(View):
    """The ring (团伙) behind a seed; cards page by page, the most certain first."""

    seed: str = Field(description="What the search began at.", examples=["86012304****001"])
    days: DaysShown
    joined: int = Field(description="Cards that the evidence carries.")
    at_risk: int = Field(description="Of these, cards against which rules speak.")
    confirmed: int = Field(description="Of these, cards that the police confirmed (涉案).")
    firm: bool = Field(description=FIRM_SAYS)
    total: int = Field(description="Of the whole answer, with those to look at.")
    items: list[RingCardShown]
    next: str | None = Field(description=_NEXT)
    devices: list[RingDeviceShown] = Field(description="Those with the most cards of the ring, 1000 at most.")
    device_total: int
    outlets: list[RingOutletShown] = Field(description="1000 at most.")
    outlet_total: int


class RingStopShown(View):
    """A stop of the cards of a ring that waits for a second person."""

    OURS = View.OURS | {"standing"}

    act: BulkActionShown
    left_out: int = Field(description="Listed cards whose certainty is not above the one asked for.")
    standing: dict[str, int] = Field(
        description="Left out too: likely cards that a stop holds already, by its bulk action.",
        examples=[{"A0123456789AB": 270}],
    )
    at_risk: int = Field(description="Cards of the ring against which rules speak.")
    confirmed: int = Field(description="Cards of the ring that the police confirmed (涉案).")


class RingShown(View):
    """A community of cards that is worth a look: counts, and no card."""

    ring: str = Field(description="Stays from night to night.", examples=["R00001"])
    cards: int
    confirmed: int = Field(description="That the police confirmed (涉案).")
    at_risk: int = Field(description="Of which the rules ask more than a watch.")
    expected: float = Field(description="At risk among as many cards of the province.")
    surprise: float = Field(description="Bits: how unlikely chance makes so many.")
    city: str = Field(description="Where most are used, its code (城市代码); empty: unknown.")
    since: date = Field(description="When it was first found.")
    firm: bool = Field(description=FIRM_SAYS)


class RingsShown(View):
    """Communities worth a look, the worst first."""

    days: DaysShown
    total: int
    items: list[RingShown]
    next: str | None = Field(description=_NEXT)


class DeviceShown(RingDeviceShown):
    """A device (终端) that several cards sat in; the number masked, counts, and no card."""

    cards: int = Field(description="That sat in it.")
    at_risk: int = Field(description="Of which the rules ask more than a watch.")
    confirmed: int = Field(description="That the police confirmed (涉案).")
    ring: str = Field(
        description="The ring (团伙) that most of its cards are in; empty: none.", examples=["R00001"]
    )


class DevicesShown(View):
    """Devices that are no ordinary phones, boxes first."""

    days: DaysShown
    total: int
    items: list[DeviceShown]
    next: str | None = Field(description=_NEXT)


class OutletShown(RingOutletShown):
    """An outlet (网点) by what became of the cards that it opened; counts, and no card."""

    cards: int = Field(description="Of those that it opened in these days, how many are at risk.")
    named: bool = Field(description="It stands out; the others are like their peers, or too small to tell.")


class OutletsShown(View):
    """Outlets, by the lower bound on their lift over their peers."""

    days: DaysShown
    total: int
    items: list[OutletShown]
    next: str | None = Field(description=_NEXT)


def with_reasons(row: Mapping[str, object]) -> dict[str, object]:
    """A row with its reasons in both languages as one."""
    return {**row, "reasons": {"zh": row["reason_zh"], "en": row["reason_en"]}}
