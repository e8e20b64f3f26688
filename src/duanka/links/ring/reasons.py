"""Why a card is in a ring, in words: the link that says most, and the card that it came by."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from duanka.domain.rings import LinkKind
from duanka.domain.text import BilingualText, Many
from duanka.links.graph.graph import LinkGraph
from duanka.links.graph.strength import Ints
from duanka.links.outlet_names import outlet_names, spelled_outlet
from duanka.links.ring.growth import Growth
from duanka.links.ring.stock import Stock
from duanka.links.ring.ties import BATCH_TIME

_SEED = BilingualText("查询的起点", "the search began here")
_PASSED = BilingualText("；持卡人已通过核验", "; its holder passed a verification")
_WORDS: dict[str, BilingualText] = {
    LinkKind.DEVICE.value: BilingualText(
        "与团伙的 {members} 张卡轮流使用终端 {label}",
        "took turns in device {label} with {members:card|cards} of the ring",
    ),
    LinkKind.DEVICE_RUN.value: BilingualText(
        "与团伙的 {members} 张卡用在串号相连、放在一处的终端里（{label}）",
        "used in devices with consecutive numbers in one place, with {members:card|cards} of the ring ({label})",
    ),
    LinkKind.BATCH.value: BilingualText(
        "与团伙的 {members} 张卡在同一网点连续开户（{label}）",
        "opened at one outlet right after {members:card|cards} of the ring ({label})",
    ),
    LinkKind.SERIALS.value: BilingualText(
        "卡序列号与团伙的 {members} 张卡相连，却不是按序售出（{label}）",
        "serial number in a row with {members:card|cards} of the ring, which were not sold in turn ({label})",
    ),
    LinkKind.HOLDER.value: BilingualText(
        "与团伙的 {members} 张卡登记在同一证件下",
        "bears the same document as {members:card|cards} of the ring",
    ),
    LinkKind.SWITCHED.value: BilingualText(
        "与团伙的 {members} 张卡在同一分钟开机或关机，例如 {label}",
        "switched on or off in the same minute as {members:card|cards} of the ring, as at {label}",
    ),
    LinkKind.CALLEES.value: BilingualText(
        "与团伙的卡拨打了 {label} 个相同的陌生号码",
        "dialled {label} of the same strangers as a card of the ring",
    ),
    LinkKind.CLIQUE.value: BilingualText(
        "与团伙的卡互相通话，双方往来的号码中高风险卡异常多",
        "calls a card of the ring and is called by it, and unusually many of both circles are at risk",
    ),
    LinkKind.ACCOUNT.value: BilingualText(
        "与团伙的 {members} 张卡绑定同一账号", "is bound to one account with {members:card|cards} of the ring"
    ),
}
_CONTACTS = BilingualText(
    "其往来的 {circle} 个号码中有 {contacts} 个在团伙内",
    "of the {circle:number|numbers} it talks to {contacts:is|are} in the ring",
)
_STOCK = BilingualText(
    "从未使用，当天在团伙的供卡网点开户而至今未用的卡异常多（{label}）",
    "never used, like unusually many cards that the ring's outlet opened that day ({label})",
)
_MORE = BilingualText("；另有 {more} 条关联", "; and {more:more link|more links}")
_BY = BilingualText("（经由 {card}）", " (by way of {card})")


class Reasons:
    """Words for the cards of one ring. `passed`: rows of cards whose holder passed a verification."""

    def __init__(self, graph: LinkGraph, growth: Growth, stock: Stock, passed: Ints) -> None:
        self._graph, self._growth = graph, growth
        self._passed = frozenset(passed.tolist())
        self._stock_of = dict(
            zip(stock.cards.tolist(), zip(stock.outlet, stock.day, strict=True), strict=True)
        )
        self._members = graph.many_in_groups(growth.members)
        self._peers = graph.cards["peers"].to_numpy()
        bought = np.concatenate([growth.listed, stock.cards])
        self._names = outlet_names(graph.cards.select("outlet", "outlet_name")[bought.tolist()])

    def of(self, cards: Ints) -> Sequence[BilingualText]:
        """The reason of each of `cards` (rows)."""
        links, by = self._links(cards), pl.Series(self._growth.from_card[cards])
        names = self._graph.cards["name"].gather(by.clip(0)).set(by < 0, "")
        each = zip(cards.tolist(), names, links.tolist(), strict=True)
        return [self._reason(card, name, more) for card, name, more in each]

    def _reason(self, card: int, by: str, links: int) -> BilingualText:
        if (opened := self._stock_of.get(card)) is not None:
            outlet, day = opened
            return _STOCK.filled(label=f"{spelled_outlet(outlet, self._names.get(outlet, ''))} {day}")
        if self._growth.round[card] == 0:
            return _joined(_SEED, _PASSED) if card in self._passed else _SEED
        group = int(self._growth.by_group[card])
        if group < 0:
            contacts = int(self._growth.contacts[card])
            said = _CONTACTS.filled(
                contacts=Many(contacts), circle=Many(max(int(self._peers[card]), contacts))
            )
        else:
            kind = self._graph.kind[group]
            label = self._batch(group) if kind == LinkKind.BATCH.value else self._graph.label[group]
            own = int(self._growth.round[card] >= 0)
            said = _WORDS[kind].filled(members=Many(int(self._members[group]) - own), label=label)
        if by:
            said = _joined(said, _BY.filled(card=by))
        return _joined(said, _MORE.filled(more=Many(links - 1))) if links > 1 else said

    def _batch(self, group: int) -> str:
        """The label of a batch, with the name of its outlet."""
        label = self._graph.label[group]
        outlet, at = label[:-BATCH_TIME], label[-BATCH_TIME:]
        return f"{spelled_outlet(outlet, self._names.get(outlet, ''))}{at}"

    def _links(self, cards: Ints) -> Ints:
        """Groups with cards of the ring that each of `cards` is in."""
        entry, owner = self._graph.groups_of.entries(cards)
        group = self._graph.groups_of.other[entry]
        others = self._members[group] - (self._growth.round[cards[owner]] >= 0)
        return np.bincount(owner, weights=others > 0, minlength=len(cards)).astype(np.int64)


def _joined(one: BilingualText, other: BilingualText) -> BilingualText:
    return BilingualText(one.zh + other.zh, one.en + other.en)
