"""Words of rings: what links cards, and who is who in a ring."""

from __future__ import annotations

from duanka.domain.text import WordedEnum


class LinkKind(WordedEnum):
    """What links cards. docs/LINKS.md says how much each kind tells."""

    DEVICE = "device", "同一终端轮流使用", "in turn in one device"
    DEVICE_RUN = "device_run", "终端串号相连", "in devices with consecutive numbers"
    BATCH = "batch", "同一网点同批开户", "opened together at one outlet"
    SERIALS = "serials", "卡序列号相连而未按序售出", "serial numbers in a row, not sold in turn"
    HOLDER = "holder", "同一证件", "one document"
    SWITCHED = "switched", "同一分钟开关机", "switched on and off in the same minutes"
    CALLEES = "callees", "拨打同一名单", "dial the same list"
    CLIQUE = "clique", "高风险卡互相通话", "at risk, and calling each other"
    ACCOUNT = "account", "绑定同一账号", "bound to one account"
    CONTACT = "contact", "与团伙号码往来", "in contact with the ring's cards"
    OUTLET = "outlet", "同一供卡网点的未用卡", "unused stock of the ring's outlet"
    SEED = "seed", "起点", "where the search began"


class RingRole(WordedEnum):
    """What a card does in a ring. Its registered holder has no role: cards are opened in others' names."""

    BOX_CARD = "box_card", "设备用卡"
    STOCK = "stock", "库存卡"
    OPERATOR = "operator", "运营者"
    MINDER = "minder", "看护者"
    SUPPLIER = "supplier", "供卡者"
    CODE_RECEIVER = "code_receiver", "接码卡"
    CALLER = "caller", "话务卡"
    UNKNOWN = "unknown", "未知"


class DeviceRole(WordedEnum):
    """What a device is, by what its cards do; docs/LINKS.md says by which signs."""

    BOX = "box", "猫池设备", "SIM box"
    BRIDGED_PHONE = "bridged_phone", "搭桥手机"
    GATEWAY = "gateway", "单位语音网关", "firm's gateway"
    REPAIR_SHOP = "repair_shop", "维修店试机"
    SHARED_PHONE = "shared_phone", "多人共用的手机"
    COPIED_NUMBER = "copied_number", "串号重复的多部手机", "number of many phones"
    PHONE = "phone", "手机"


PEOPLE = frozenset({RingRole.OPERATOR, RingRole.MINDER, RingRole.SUPPLIER})
