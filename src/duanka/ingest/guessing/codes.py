"""Meaning of code values: direction of a call, answered or not, service."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple, TypeVar

from duanka.ingest.guessing.values import spoken
from duanka.ingest.model.header_names import brackets

Meant = TypeVar("Meant")


class Way(NamedTuple):
    """Meaning of a direction code; `table`: service it implies, with "?" if unsure, or ""."""

    way: str
    table: str = ""


_WAYS = {
    Way("out"): "主叫 呼出 去话 拨出 拨打 主 呼出通话 去 out outgoing outbound caller "
    "calling originating originated orig mo moc moccall"
    " outcall callout o",
    Way("in"): "被叫 呼入 来话 接听 被 呼入通话 来 in incoming inbound callee called "
    "terminating terminated term mt mtc mtccall incall"
    " callin t",
    Way(
        "out", "calls"
    ): "主叫通话 主叫语音 语音主叫 通话主叫 语音呼出 mocallrecord mobileoriginatedcall voiceout voicemo movoice callmo",
    Way(
        "in", "calls"
    ): "被叫通话 被叫语音 语音被叫 通话被叫 语音呼入 mtcallrecord mobileterminatedcall voicein voicemt mtvoice callmt",
    Way("out", "messages"): "短信发送 发送短信 发短信 短信主叫 主叫短信 短信上行 短信发 smsout smsmo "
    "mosms smmo smo mosmsrecord messageout smssend",
    Way(
        "in", "messages"
    ): "短信接收 接收短信 收短信 短信被叫 被叫短信 短信下行 短信收 smsin smsmt mtsms smmt smt mtsmsrecord messagein"
    " smsreceive",
    Way("out", "messages?"): "发送 发 发出 上行 send sent submit",
    Way("in", "messages?"): "接收 收 收到 下行 receive received recv deliver",
}
_SERVICES = {
    "calls": "语音 通话 语音通话 电话 话音 语音业务 语音话单 呼叫 11 12 voice call calls speech telephony",
    "messages": "短信 短消息 点对点短信 短信业务 短信话单 彩信 21 22 sms message messages shortmessage mms text",
    "": "数据 流量 上网 gprs 数据业务 上网业务 data internet volte数据",
}
_FLAGS = {
    "true": "answered answer 接通 已接通 是 已接 应答 成功 已应答 yes y true t ok connected success 1",
    "false": "noanswer busy failed congestion cancel canceled cancelled rejected 未接通 否 未接 无应答 未应答 "
    "忙 占线 拒接 失败 关机 无法接通 no n false f missed notconnected unanswered 0",
}
_CHOICES = {
    "holder_kind": {
        "person": "个人 个人客户 自然人 公众 公众客户 person individual personal private 私",
        "organisation": "单位 单位客户 企业 政企 集团 集团客户 政企客户 organisation "
        "organization company enterprise corporate group 公",
    },
    "kind": {
        "voice": "语音 语音卡 普通 普通卡 公众 手机卡 移动电话 voice human normal phone",
        "iot": "物联网 物联网卡 物联卡 机器卡 m2m iot machine",
    },
}
_LEGEND = re.compile(r"([A-Za-z0-9]{1,4})\s*[:：=\-、.]?\s*([A-Za-z\u4e00-\u9fff]{1,12})")


_PAIRS = (
    ("主叫", "被叫"), ("呼出", "呼入"), ("拨出", "接听"), ("去话", "来话"), ("发送", "接收"),
    ("MO", "MT"), ("MOC", "MTC"),
    ("OUT", "IN"), ("out", "in"), ("outgoing", "incoming"), ("outbound", "inbound"), ("短信发送", "短信接收"),
)  # fmt: skip


def _by_word(words: Mapping[Meant, str]) -> dict[str, Meant]:
    return {word: meaning for meaning, some in words.items() for word in some.split()}


_WAY_OF, _SERVICE_OF, _FLAG_OF = _by_word(_WAYS), _by_word(_SERVICES), _by_word(_FLAGS)
_CHOICE_OF = {column: _by_word(words) for column, words in _CHOICES.items()}


def with_others(found: Mapping[str, Way]) -> dict[str, Way]:
    """`found` plus the counterparts of paired codes, which the sample may lack."""
    more = dict(found)
    for pair in _PAIRS:
        for code in pair:
            if code in found:
                more |= {one: more.get(one, _WAY_OF[spoken(one)]) for one in pair}
    return more


def ways(values: Iterable[str], header: str) -> dict[str, Way]:
    """Meaning of each value as a direction; {} if one is unknown."""
    found = {value: _WAY_OF.get(spoken(value)) for value in values}
    if None in found.values():
        legend = {code: _WAY_OF.get(spoken(word)) for code, word in _LEGEND.findall(brackets(header))}
        found = {value: way or legend.get(value.lower()) for value, way in found.items()}
    return _if_all_known(found)


def services(values: Iterable[str]) -> dict[str, str]:
    """Table for each value as a service ("" for unused services); {} if one is unknown."""
    found = _if_all_known({value: _SERVICE_OF.get(spoken(value)) for value in values})
    return found if any(found.values()) else {}


def answers(values: Iterable[str]) -> dict[str, str]:
    """Meaning of each value as a flag, "true" or "false"; {} if one is unknown."""
    return _if_all_known({value: _FLAG_OF.get(spoken(value)) for value in values})


def choices(values: Iterable[str], column: str) -> dict[str, str]:
    """Meaning of each value for `column` holder_kind or kind; {} if one is unknown."""
    return _if_all_known({value: _CHOICE_OF[column].get(spoken(value)) for value in values})


def _if_all_known(found: Mapping[str, Meant | None]) -> dict[str, Meant]:
    known = {value: meaning for value, meaning in found.items() if meaning is not None}
    return known if len(known) == len(found) else {}
