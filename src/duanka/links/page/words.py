"""Texts of the page, in both languages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from duanka.domain.rings import LinkKind, RingRole
from duanka.domain.text import BilingualText, Language, Many
from duanka.links.page.picture import ClusterKind

# Letters and shapes tell what colours tell, so that nothing is lost without colours.
LETTERS: dict[str, BilingualText] = {
    RingRole.OPERATOR.value: BilingualText("运", "O"),
    RingRole.MINDER.value: BilingualText("看", "M"),
    RingRole.SUPPLIER.value: BilingualText("供", "S"),
}
COLOURS: dict[str, str] = {
    LinkKind.BATCH.value: "#0b7a75",
    LinkKind.DEVICE.value: "#2b5c9e",
    LinkKind.DEVICE_RUN.value: "#2b5c9e",
    LinkKind.SERIALS.value: "#0b7a75",
    LinkKind.HOLDER.value: "#8a5a2b",
    LinkKind.CALLEES.value: "#a3325b",
    LinkKind.SWITCHED.value: "#4d6a1f",
    LinkKind.CLIQUE.value: "#6d3a8c",
    LinkKind.ACCOUNT.value: "#55606d",
    LinkKind.CONTACT.value: "#6d3a8c",
    LinkKind.SEED.value: "#c2410c",
    ClusterKind.DRAWER.value: "#9a6700",
    **{role.value: "#6d3a8c" for role in (RingRole.OPERATOR, RingRole.MINDER, RingRole.SUPPLIER)},
}
# Of days and certainties, stacked in this order; light and dark alternate, so that they part without colours.
ROLE_COLOURS: dict[str, str] = {
    RingRole.BOX_CARD.value: "#2b5c9e",
    RingRole.STOCK.value: "#e3b04b",
    RingRole.CODE_RECEIVER.value: "#7a1f4b",
    RingRole.CALLER.value: "#8fc1c9",
    RingRole.OPERATOR.value: "#3f1d57",
    RingRole.MINDER.value: "#b48ad0",
    RingRole.SUPPLIER.value: "#5d4037",
    RingRole.UNKNOWN.value: "#c3cad1",
}
# One thing of a kind, as it is named in the picture and in lists.
ONE_OF: dict[str, BilingualText] = {
    LinkKind.BATCH.value: BilingualText("开户批次 {label}", "batch {label}"),
    LinkKind.DEVICE.value: BilingualText("终端 {label}", "device {label}"),
    LinkKind.DEVICE_RUN.value: BilingualText("相连终端 {label}", "consecutive devices {label}"),
    LinkKind.SERIALS.value: BilingualText("相连卡序列号 {label}", "serial numbers {label}"),
    LinkKind.HOLDER.value: BilingualText("证件 {label}", "document {label}"),
    LinkKind.CALLEES.value: BilingualText("共同名单", "common list"),
    LinkKind.SWITCHED.value: BilingualText("同一分钟 {label}", "same minute {label}"),
    LinkKind.CLIQUE.value: BilingualText("高风险卡互相通话", "calls among cards at risk"),
    LinkKind.ACCOUNT.value: BilingualText("账号 {label}", "account {label}"),
    LinkKind.SEED.value: BilingualText("起点 {label}", "seed {label}"),
}
MORE_OF: dict[str, BilingualText] = {
    LinkKind.BATCH.value: BilingualText("另 {n} 批", "{n} more batches"),
    LinkKind.DEVICE.value: BilingualText("另 {n} 台终端", "{n} more devices"),
    LinkKind.DEVICE_RUN.value: BilingualText("另 {n} 组相连终端", "{n} more runs of devices"),
    LinkKind.SERIALS.value: BilingualText("另 {n} 段卡序列号", "{n} more runs of serial numbers"),
    LinkKind.HOLDER.value: BilingualText("另 {n} 个证件", "{n} more documents"),
    LinkKind.CALLEES.value: BilingualText("另 {n} 份名单", "{n} more lists"),
    LinkKind.SWITCHED.value: BilingualText("另 {n} 个时刻", "{n} more minutes"),
    LinkKind.CLIQUE.value: BilingualText(
        "另 {n} 对高风险卡互相通话", "{n} more pairs at risk that call each other"
    ),
    LinkKind.ACCOUNT.value: BilingualText("另 {n} 个账号", "{n} more accounts"),
}
MORE_PEOPLE = BilingualText("另 {n} 人", "{n} more")
COLUMNS = (
    BilingualText("供卡：网点与开户批次", "Supply: outlets and opening batches"),
    BilingualText("使用：地点与终端", "Use: sites and devices"),
    BilingualText("人员", "People"),
)
CLUSTERS: dict[ClusterKind, BilingualText] = {
    ClusterKind.OUTLET: BilingualText("网点 {label}", "Outlet {label}"),
    ClusterKind.OTHER_OUTLETS: BilingualText("其他网点：{many} 个", "{many:other outlet|other outlets}"),
    ClusterKind.SITE: BilingualText("地点 {label}", "Site {label}"),
    ClusterKind.OTHER_SITES: BilingualText("其他地点：{many} 处", "{many:other site|other sites}"),
    ClusterKind.DRAWER: BilingualText("库存：从未使用", "In the drawer: never used"),
    ClusterKind.ELSEWHERE: BilingualText("在用，不在任何地点", "Used at no site"),
}
CARDS = (BilingualText("1 张卡", "1 card"), BilingualText("{n} 张卡", "{n} cards"))
DEVICES = (BilingualText("1 台终端", "1 device"), BilingualText("{n} 台终端", "{n} devices"))
BATCHES = (BilingualText("1 批", "1 batch"), BilingualText("{n} 批", "{n} batches"))
BOUND = BilingualText("≥ 同行 {n} 倍", "≥ {n}× its peers")
CITIES = (BilingualText("1 个城市", "1 city"), BilingualText("{n} 个城市", "{n} cities"))
NOBODY = BilingualText("没有找到", "nobody found")
CITY = BilingualText("城市 {city}", "city {city}")
UNKNOWN_OUTLETS = BilingualText("网点不明", "Outlet unknown")
FLOW = BilingualText("{one} → {other}：{n} 张卡", "{one} → {other}: {n:card|cards}")
MINDING = BilingualText(
    "{one} 与 {other} 的 {n} 张卡往来", "{one} is in contact with {n:card|cards} of {other}"
)
AMONG = BilingualText(
    "{one} 与 {other} 往来 {n} 次", "{one} and {other}: {n:call or message|calls and messages}"
)
TIES = BilingualText(
    "{groups} 组，{cards} 张卡；最大一组 {most} 张", "groups: {groups}; cards: {cards}; largest: {most}"
)
SEED_MARK = BilingualText("起点", "seed")
NODE_SAYS = BilingualText("{name}：{n} 张团伙卡", "{name}: {n:card|cards} of the ring")
CERTAINTY = BilingualText("确定度 {certainty}", "certainty {certainty}")
ROLE_MANY: dict[str, BilingualText] = {
    RingRole.BOX_CARD.value: BilingualText("{n} 张在用设备卡", "{n:card|cards} in boxes"),
    RingRole.STOCK.value: BilingualText("{n} 张库存未用", "{n} in the drawer, never used"),
    RingRole.CODE_RECEIVER.value: BilingualText("{n} 张接码卡", "{n:that receives|that receive} codes"),
    RingRole.CALLER.value: BilingualText("{n} 张话务卡", "{n:that calls from a phone|that call from phones}"),
    RingRole.UNKNOWN.value: BilingualText("{n} 张作用不明", "{n} of unknown use"),
}
PEOPLE_MANY: dict[str, tuple[BilingualText, BilingualText]] = {
    RingRole.OPERATOR.value: (
        BilingualText("1 名运营者", "1 operator"),
        BilingualText("{n} 名运营者", "{n} operators"),
    ),
    RingRole.MINDER.value: (
        BilingualText("1 名看护者", "1 minder"),
        BilingualText("{n} 名看护者", "{n} minders"),
    ),
    RingRole.SUPPLIER.value: (
        BilingualText("1 名供卡者", "1 supplier"),
        BilingualText("{n} 名供卡者", "{n} suppliers"),
    ),
}
BOXES_MANY = (BilingualText("1 台设备", "1 box"), BilingualText("{n} 台设备", "{n} boxes"))
SITES_MANY = (BilingualText("，在同一处", " at one site"), BilingualText("，分布 {n} 处", " at {n} sites"))
USED_MANY = (
    BilingualText("在同一处使用", "used at one site"),
    BilingualText("在 {n} 处使用", "used at {n} sites"),
)
OUTLETS_MANY = (
    BilingualText("由 1 个网点供卡", "supplied by 1 outlet"),
    BilingualText("由 {n} 个网点供卡", "supplied by {n} outlets"),
)
HEADINGS: dict[str, BilingualText] = {
    RingRole.OPERATOR.value: BilingualText("运营者", "Operators"),
    RingRole.MINDER.value: BilingualText("看护者", "Minders"),
    RingRole.SUPPLIER.value: BilingualText("供卡者", "Suppliers"),
}


@dataclass(frozen=True)
class Wording:
    """Texts in the language of the page."""

    language: Language

    def say(self, text: BilingualText, **values: object) -> str:
        """`text` with its values; whole numbers are grouped."""
        shown = {name: Many(v) if isinstance(v, int) else str(v) for name, v in values.items()}
        return text.in_(self.language).format_map(shown)

    def kind(self, value: str) -> str:
        """A LinkKind in words."""
        return self.say(LinkKind(value).words)

    def role(self, value: str) -> str:
        """A RingRole in words."""
        return self.say(RingRole(value).words)

    def counted(self, texts: tuple[BilingualText, BilingualText], many: int) -> str:
        """The first of `texts` for one, else the second with its number."""
        return self.say(texts[0] if many == 1 else texts[1], n=many)

    def listed(self, parts: Sequence[str]) -> str:
        """`parts` one after another."""
        return ("，" if self.language == "zh" else ", ").join(parts)

    def colours(self, roles: Mapping[str, int]) -> list[tuple[str, str]]:
        """Name and colour of each of `roles`, in the order in which they are stacked."""
        return [(self.role(role), colour) for role, colour in ROLE_COLOURS.items() if roles.get(role)]
