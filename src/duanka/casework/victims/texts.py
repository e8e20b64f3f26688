"""Texts to victims: warning, correction, and what is read out in a call.

Swindlers send short messages too: so no link, no number to call, nothing to enter. One message has 70 letters, and a
second part may come late or not at all, so a warning fits into one.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import date

from duanka.domain.fraud_kind import fraud_kind_of
from duanka.domain.text import BilingualText

MOST_LETTERS = 70  # UCS-2 units of one message
_WARNING = (
    "【{operator}】警方已确认{who}涉嫌{kind}诈骗，该号码近期与您联系过。"
    "请勿转账、共享屏幕、告知验证码；如已转账请立即报警。"
)
_SHORTER = "【{operator}】警方确认{who}涉嫌{kind}诈骗，曾与您联系。勿转账、勿共享屏幕、勿告知验证码；已转账请立即报警。"
_CORRECTION = (
    "【{operator}】更正：{day}提醒您{who}涉嫌诈骗，警方已撤销该认定，该提醒作废，您无需办理手续，敬请谅解。"
)
_PARENTHESES = str.maketrans({"（": "\n", "）": "\n"})
_TO_READ = BilingualText(
    "您好，这里是{operator}反诈劝阻岗。警方已确认{who}涉嫌{kind}诈骗，它近期与您联系过。请您不要转账，不要共享屏幕，"
    "不要把验证码告诉任何人，也不要再接它的电话。我们不会问您的卡号、密码和验证码。请问您是否已经转账？如果已经转账，"
    "请挂断后立即报警，并联系您的银行。如不放心，请您自己拨打110核实我们的身份。",
    "Hello, this is the fraud warning desk of {operator_en}. The police confirmed that {who_en} is used for fraud"
    " ({kind_en}); it was in contact with you. Do not pay, do not share your screen, tell nobody a code, and do not"
    " answer it again. We ask for no card number, password or code. Have you paid already? If so, hang up, call the"
    " police at once, and then your bank. To check who we are, call 110 yourself.",
)
_TO_READ_NOT_CONFIRMED = BilingualText(
    "您好，这里是{operator}反诈劝阻岗。近期有可疑号码与您联系过，是否涉诈尚未经警方确认。如对方要您转账、共享屏幕或提供验证码，"
    "请先挂断，自己拨打110核实。我们不会问您的卡号、密码和验证码。请问对方是否要您转账，您是否已经转账？",
    "Hello, this is the fraud warning desk of {operator_en}. A suspicious number was in contact with you; the police"
    " have not confirmed it. If it asks you to pay, to share your screen or for a code, hang up and call 110 yourself."
    " We ask for no card number, password or code. Did it ask you to pay, and have you paid?",
)


def warning_text(operator: BilingualText, card: str, kind: str) -> str:
    """The warning to a person with whom `card` was in contact; one message unless the operator's name is long."""
    texts = [
        one.format(operator=operator.zh, who=_who(card), kind=kind_words(kind).zh)
        for one in (_WARNING, _SHORTER)
    ]
    return next((text for text in texts if len(text) <= MOST_LETTERS), texts[-1])


def correction_text(operator: BilingualText, cards: Collection[str], warned_on: Collection[date]) -> str:
    """What takes the warnings of these days back, which named `cards`."""
    first = min(warned_on)
    day = f"{first.month}月{first.day}日{'起' if len(set(warned_on)) > 1 else ''}"
    who = _who(min(cards))
    if len(set(cards)) > 1:
        who = who.replace("的号码", "等号码")
    return _CORRECTION.format(operator=operator.zh, who=who, day=day)


def text_to_read(operator: BilingualText, card: str, kind: str, *, confirmed: bool) -> BilingualText:
    """What whoever calls the person reads out; of a card that is not confirmed it says so, and not which."""
    said = _TO_READ if confirmed else _TO_READ_NOT_CONFIRMED
    words = kind_words(kind)
    return said.filled(
        operator=operator.zh,
        operator_en=operator.en,
        who=_who(card),
        who_en=f"the number ending {card[-4:]}" if card.isdigit() else "a number",
        kind=words.zh,
        kind_en=words.en or "telecom and network fraud",
    )


def kind_words(kind: str) -> BilingualText:
    """The kind of fraud in words that fit before 诈骗; empty if it is unknown."""
    found = fraud_kind_of(kind)
    if found is None:
        return BilingualText("", "")
    return BilingualText(found.words.zh.translate(_PARENTHESES).partition("\n")[0], found.words.en)


def _who(card: str) -> str:
    """The number by its last four digits; a pseudonym has none to show."""
    return f"尾号{card[-4:]}的号码" if card.isdigit() else "有号码"
