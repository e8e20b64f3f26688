"""Kinds of fraud as the police name them in a case; what is not known, or names two kinds, stays unknown."""

from __future__ import annotations

import unicodedata
from functools import lru_cache

from duanka.domain.text import WordedEnum


class FraudKind(WordedEnum):
    """The ten common kinds of telecom and network fraud; values of `cases.fraud_kind`."""

    TASK_REBATE = "task_rebate", "刷单返利", "paid tasks and rebates"
    FAKE_SERVICE = "fake_service", "冒充电商物流客服", "false customer service"
    INVESTMENT = "investment", "虚假投资理财", "false investment"
    FAKE_POLICE = "fake_police", "冒充公检法", "false police, prosecutor or court"
    LOAN = "loan", "虚假贷款", "false loan"
    ACQUAINTANCE = "acquaintance", "冒充领导熟人", "false superior or acquaintance"
    SHOPPING = "shopping", "虚假购物", "false shop or service"
    ROMANCE = "romance", "网络交友（杀猪盘）", "false romance"
    CREDIT = "credit", "虚假征信", "false credit record"
    GAME = "game", "游戏虚假交易", "false trade in a game"


# Words of which one in a text names the kind, as police reports write them.
_CALLED: dict[FraudKind, tuple[str, ...]] = {
    FraudKind.TASK_REBATE: ("刷单", "返利"),
    FraudKind.FAKE_SERVICE: ("客服",),
    FraudKind.INVESTMENT: ("投资", "理财"),
    FraudKind.FAKE_POLICE: ("公检法", "公安", "政法", "法院", "检察"),
    FraudKind.LOAN: ("贷款",),
    FraudKind.ACQUAINTANCE: ("领导", "熟人", "亲友", "老板"),
    FraudKind.SHOPPING: ("购物", "网购"),
    FraudKind.ROMANCE: ("杀猪盘", "婚恋", "交友"),
    FraudKind.CREDIT: ("征信",),
    FraudKind.GAME: ("游戏",),
}


@lru_cache(maxsize=1024)  # asked of every party of a card, with few different texts
def fraud_kind_of(text: str | None) -> FraudKind | None:
    """The kind that `text` names by its value or in Chinese; None: unknown, or it names two."""
    plain = unicodedata.normalize("NFKC", text or "").strip().casefold()
    named = plain.replace(" ", "_").replace("-", "_")
    found = {kind for kind, words in _CALLED.items() if named == kind or any(word in plain for word in words)}
    return found.pop() if len(found) == 1 else None
