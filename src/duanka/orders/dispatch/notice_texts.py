"""Texts of notices to holders: sender, reason, deadline, place, how to verify.

Fraudsters send short messages too. So only the request to verify has a link; every notice names a way to
verify it that does not depend on the notice itself; none asks for anything that gives access to an account.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Connection

from duanka.domain.evidence import lifted_by_passing
from duanka.domain.holder_grounds import grounds_for_holder
from duanka.domain.network import NetworkState
from duanka.domain.order import Kind, Order, OrderError
from duanka.domain.order_policy import OrderPolicy
from duanka.domain.text import BilingualText
from duanka.orders.verification.links import Links

MOST_PARTS = 4
VERIFY, VICTIM_WARNING = "verify", "victim_warning"
_SINGLE_UNITS, _PART_UNITS = 70, 67  # UCS-2 units of a single message, and of each part of a longer one
_REASON_LETTERS = (48, 40, 32, 26, 20, 15, 10)  # tried in turn until the rest of the text fits

_FROM = "【{operator} {short_code}】您尾号{tail}的号码"
_CHECK = "真伪可拨{hotline}或发“{id}”至{short_code}核实。我们不会索要银行卡号、密码、验证码。"
# Of stops that a check lifts. `anywhere`: the page without a link, its address in words, where there is room for it.
_PROVE_ANYWHERE = "请带{papers}到{counter}{anywhere}核验，通过立即恢复。"
_ANYWHERE = "，或用浏览器打开{page}，凭号码和文末工单号刷脸"
_FROM_EN = "Your number ending {tail}"
_CHECK_EN = " Check: call {hotline}. We never ask for card numbers, passwords or codes."
_PROVE_EN = " Bring {papers_en} to {counter_en}."
_IF_ASKED = "如要求过您核验，仍可带{papers}到{counter}办理，通过立即恢复。"
_IF_ASKED_EN = " If you were asked to prove who you are, bring {papers_en} to {counter_en}."
_PROVE_ANYWHERE_EN = _PROVE_EN[:-1] + "{anywhere_en}."
_ANYWHERE_EN = ", or open {page_en} in a browser, with number and order {id}"


def _words(zh: str, en: str) -> BilingualText:
    gap = "" if en.startswith(":") else " "
    return BilingualText(f"{_FROM}{zh}{_CHECK}", f"{_FROM_EN}{gap}{en}{_CHECK_EN}")


TEMPLATES: Mapping[str, BilingualText] = {
    VERIFY: _words(
        "因{reason}，须实人核验。请于{by}打开 {link} 办理，或带{papers}到{counter}。逾期将{otherwise}。异议及",
        "must be verified by {by_en}: {link} Otherwise it {otherwise_en}.",
    ),
    "verify_at_counter": _words(
        "因{reason}，须本人到场实人核验。请于{by}带{papers}到{counter}办理。逾期将{otherwise}，核验通过立即恢复。异议及",
        "must be verified in person by {by_en}. Otherwise it {otherwise_en}." + _PROVE_EN,
    ),
    "passed": _words(
        "已通过实人核验，可正常使用，无需再办理任何手续。",
        "is verified and works as before. Nothing is left to do.",
    ),
    "withdrawn": _words(
        "此前的实人核验要求已撤销，您无需办理任何手续，给您带来不便，敬请谅解。",
        "need not be verified any more. We are sorry for the trouble.",
    ),
    "outgoing_barred": _words(
        "因{reason}，自{since}起限制呼出（单停），直至核验通过；接听和紧急电话不受影响，可拨12345和{hotline}。{next}"
        + _PROVE_ANYWHERE
        + "异议及",
        "cannot call out since {since_en}; emergency calls, 12345 and {hotline} work. {next_en}"
        + _PROVE_ANYWHERE_EN,
    ),
    "lifeline": _words(
        "因{reason}，自{since}起只保留保底服务，直至核验通过：紧急电话不受影响，可拨12345和{hotline}，"
        "可接本运营商和银行来电及名单内短信，不能上网。{next}" + _PROVE_ANYWHERE + "异议及",
        "keeps the lifeline alone since {since_en}: emergency calls, 12345 and {hotline} work; we and banks call you;"
        " no data. {next_en}" + _PROVE_ANYWHERE_EN,
    ),
    "suspended": _words(
        "因{reason}，自{since}起停机（双停），直至核验通过；紧急电话不受影响。" + _PROVE_ANYWHERE + "异议及",
        "is suspended since {since_en}; emergency calls work." + _PROVE_ANYWHERE_EN,
    ),
    "forced_stop": _words(
        "因{reason}，自{since}起停机，直至公安机关同意解除；紧急电话不受影响。"
        "如有异议，请带{papers}到{counter}提出，我们转交公安机关。",
        "was stopped by police notice on {since_en}; only the police lift it. To object, bring {papers_en} to"
        " {counter_en}.",
    ),
    "punished": _words(
        "因{reason}，自{since}起停机至{until}；紧急电话不受影响，您名下可保留一个号码。"
        "如有异议，请带{papers}到{counter}提出，{days}个工作日内答复。",
        "is stopped until {until_en}; you keep one number. To object, bring {papers_en} to {counter_en}.",
    ),
    "stopped_at_request": _words(
        "经登记人本人声明并非其办理，按其申请自{since}起停机，{until}销户；这不是处罚，不影响登记人其他号码，紧急电话不受影响。"
        "如有误，请登记人本人在此之前带{papers}到{counter}撤回，立即恢复。",
        "is stopped since {since_en}: its registrant says that it is not theirs; cancelled on {until_en}. An error? Its"
        " registrant brings {papers_en} to {counter_en}.",
    ),
    "restored": _words(
        "已于{since}恢复使用，无需办理手续，给您带来不便，敬请谅解。",
        "works again ({since_en}). Nothing is left to do.",
    ),
    "restored_undecided": _words(
        "：您提出的异议我们未在期限内答复，已于{since}恢复使用，无需办理手续，给您带来不便，敬请谅解。",
        "works again ({since_en}): we did not answer your objection in time. Nothing is left to do.",
    ),
    "cancelled": _words(
        "因{reason}，已于{since}销户。如有异议，请带{papers}到{counter}提出，{days}个工作日内答复。",
        "was cancelled on {since_en}. To object, bring {papers_en} to {counter_en}.",
    ),
    "upheld": _words(
        "：您提出的异议成立，原要求即日撤销，您无需办理任何手续，给您带来不便，敬请谅解。",
        ": your objection was right. Nothing is left to do.",
    ),
    "objection_accepted": _words(
        "：您提出的异议已受理，我们将{answered}答复。" + _IF_ASKED,
        ": we answer your objection {answered_en}." + _IF_ASKED_EN,
    ),
    "objection_passed_on": _words(
        "：您提出的异议已转交公安机关，停机由其决定是否解除，我们将{answered}答复。",
        ": the police, who alone lift the stop, have your objection; we answer {answered_en}.",
    ),
    "objection_rejected": _words(
        "：您提出的异议经复核未予支持，原措施继续。" + _IF_ASKED + "仍有异议，可拨{hotline}要求复核。",
        ": your objection was not upheld; you can call {hotline}." + _IF_ASKED_EN,
    ),
    VICTIM_WARNING: _words(
        "近期的来电或短信涉嫌诈骗：{reason}。请勿转账、勿共享屏幕、勿告诉他人验证码。"
        "如已转账请立即拨打110，咨询请拨96110。本短信不含链接。",
        "was contacted by a suspected swindler. Do not pay or share your screen. If you paid, call 110.",
    ),
}

# Of stops that staff decided without a verification: a check lifts none of them.
_OBJECT = (
    "这是工作人员的决定，如有异议，请带{papers}到{counter}或拨{hotline}提出，{days}个工作日内答复，"
    "异议成立立即恢复。"
)
_OBJECT_EN = " Staff decided it. To object, bring {papers_en} to {counter_en}, or call {hotline}."
_BY_STAFF: Mapping[str, BilingualText] = {
    "outgoing_barred": _words(
        "因{reason}，自{since}起限制呼出（单停）；接听和紧急电话不受影响，可拨12345和{hotline}。" + _OBJECT,
        "cannot call out since {since_en}; emergency calls, 12345 and {hotline} work." + _OBJECT_EN,
    ),
    "lifeline": _words(
        "因{reason}，自{since}起只保留保底服务：紧急电话不受影响，可拨12345和{hotline}，"
        "可接本运营商和银行来电及名单内短信，不能上网。" + _OBJECT,
        "keeps the lifeline alone since {since_en}: emergency calls, 12345 and {hotline} work; we and banks call you;"
        " no data." + _OBJECT_EN,
    ),
    "suspended": _words(
        "因{reason}，自{since}起停机（双停）；紧急电话不受影响。" + _OBJECT,
        "is suspended since {since_en}; emergency calls work." + _OBJECT_EN,
    ),
}

TITLES: Mapping[str, BilingualText] = {
    VERIFY: BilingualText("核验通知", "asked to verify"),
    "verify_at_counter": BilingualText("到厅核验通知", "asked to verify at counter"),
    "passed": BilingualText("核验通过", "passed"),
    "withdrawn": BilingualText("撤销核验", "withdrawn"),
    "outgoing_barred": BilingualText("单停通知", "outgoing barred"),
    "lifeline": BilingualText("保底服务通知", "lifeline"),
    "suspended": BilingualText("双停通知", "suspended"),
    "forced_stop": BilingualText("公安停机通知", "stopped by police"),
    "punished": BilingualText("惩戒停机通知", "punished"),
    "stopped_at_request": BilingualText("本人申请停机通知", "stopped at own request"),
    "restored": BilingualText("复通通知", "restored"),
    "restored_undecided": BilingualText("异议逾期未决，复通通知", "restored, objection undecided"),
    "cancelled": BilingualText("销户通知", "cancelled"),
    "upheld": BilingualText("异议成立", "objection upheld"),
    "objection_accepted": BilingualText("异议受理", "objection accepted"),
    "objection_passed_on": BilingualText("异议转公安", "objection passed on"),
    "objection_rejected": BilingualText("异议不成立", "objection rejected"),
    VICTIM_WARNING: BilingualText("受害提醒", "warning to a victim"),
}
"""What each notice is called."""

_OTHERWISE = {
    NetworkState.OUTGOING_BARRED: BilingualText("限制呼出（单停）", "cannot call out"),
    NetworkState.LIFELINE: BilingualText("转为保底服务", "keeps the lifeline alone"),
    NetworkState.SUSPENDED: BilingualText("停机（双停）", "is suspended"),
    NetworkState.ACTIVE: BilingualText("再次通知", "will be asked about again"),
}
_NO_END = BilingualText("另行通知之日", "further notice")


def _otherwise(policy: OrderPolicy) -> BilingualText:
    """What follows without an answer: the first stage, and the hours until the second."""
    first = policy.stages[0].state
    told, following = _OTHERWISE[first], policy.after(first)
    if following is None:
        return told
    hours, then = f"{policy.hours_until_next(first):g}", _OTHERWISE[following.state]
    return BilingualText(
        f"{told.zh}，再过{hours}小时{then.zh}", f"{told.en}, and {hours} hours later {then.en}"
    )


@dataclass(frozen=True)
class NoticeTexts:
    """Writes the notices of one operator; hours, days, places, papers by its policy."""

    policy: OrderPolicy

    def text(self, template: str, order: Order, now: datetime, link: str = "") -> str:
        """Return the notice about `order`: at most MOST_PARTS parts if the policy permits.

        `link`: for VERIFY only; OrderError where another notice would carry one.
        """
        if template not in TEMPLATES:
            raise OrderError(f"no notice {template!r}; there are {', '.join(TEMPLATES)}")
        if (template == VERIFY) != bool(link):
            raise OrderError(f"{VERIFY} carries a link and no other notice does; {template} does not fit")
        order = replace(order, grounds=grounds_for_holder(order, self.policy))
        words = TEMPLATES[template]
        if order.kind is Kind.RESTRICTION and not lifted_by_passing(order):
            words = _BY_STAFF.get(template, words)
        return self._fitting(
            template, words, self._facts(template, order, now, link), order.grounds.reason, link
        )

    def warning(self, card: str, reason: BilingualText, number: str) -> str:
        """Warning to a possible victim, without a link. `number`: the reference to verify."""
        facts = {**self._always(), "tail": card[-4:], "id": number}
        return self._fitting(VICTIM_WARNING, TEMPLATES[VICTIM_WARNING], facts, reason, "")

    def _fitting(
        self, template: str, words: BilingualText, facts: dict[str, str], reason: BilingualText, link: str
    ) -> str:
        """Fit as much of the reason as possible; the line in English only if room is left."""
        zh, first = "", {"otherwise": _OTHERWISE[self.policy.stages[0].state].zh}
        # rather drop the second stage, then the page without a link, than the whole reason
        nowhere = {"anywhere": "", "anywhere_en": ""}
        tries = [
            *((letters, facts) for letters in _REASON_LETTERS[:-1]),
            *((letters, facts | first) for letters in _REASON_LETTERS[:-1]),
            *((letters, facts | first | nowhere) for letters in _REASON_LETTERS),
        ]
        for letters, shown in tries:
            told = {"reason": shortened(without_links(reason.zh), letters)}
            zh = words.zh.format(**shown, **told)
            if parts(zh) <= MOST_PARTS:
                break
        both = f"{zh}\n{words.en.format(**shown)}"
        text = both if not link and parts(both) <= MOST_PARTS else zh
        if found := _LINK.search(text.replace(link, "", 1) if link else text):
            raise OrderError(
                f"the notice {template} would carry the link {found[0]!r}; take it out of the policy's words"
            )
        return text

    def _always(self) -> dict[str, str]:
        policy = self.policy
        return {
            **_both(operator=policy.operator, counter=policy.counter),
            "short_code": policy.short_code,
            "hotline": policy.hotline,
            "days": str(policy.objection_days),
        }

    def _facts(self, template: str, order: Order, now: datetime, link: str) -> dict[str, str]:
        stage = next((one for one in NetworkState if one.value == template), None)
        following = self.policy.after(stage) if stage else None
        then = BilingualText("", "")
        if following and order.due_at:
            due, told = self._moment(order.due_at), _OTHERWISE[following.state]
            then = BilingualText(f"{due.zh}前未通过核验将{told.zh}。", f"From {due.en} it {told.en}.")
        return {
            **self._always(),
            **_both(
                papers=order.grounds.papers,
                by=self._by(order, now),
                answered=self._answered(order),
                otherwise=_otherwise(self.policy),
                since=self._moment(order.updated_at),
                until=self._moment(order.until) if order.until else _NO_END,
                next=then,
            ),
            **_both(anywhere=_anywhere(self.policy, order.id)),
            "tail": order.card[-4:],
            "id": order.id,
            "link": link,
        }

    def _answered(self, order: Order) -> BilingualText:
        """Until when an objection is answered; its term may be over when somebody takes it up."""
        if order.due_at is None:
            return BilingualText("尽快（答复期限已过）", "as soon as possible (its term is over)")
        ends = self._moment(order.due_at)
        return BilingualText(f"于{ends.zh}前", f"by {ends.en}")

    def _by(self, order: Order, now: datetime) -> BilingualText:
        """The time to answer by; a first notice states hours from delivery instead."""
        ends = self._moment(order.due_at or now + self.policy.answer_within)
        if order.due_at:
            return BilingualText(f"{ends.zh}前", ends.en)
        hours = f"{self.policy.stages[0].hours:g}"
        return BilingualText(f"收到后{hours}小时内（即{ends.zh}前）", f"{ends.en} ({hours} hours)")

    def _moment(self, at: datetime) -> BilingualText:
        local = self.policy.local_time.local(at)
        en = f"{local.day} {_MONTHS[local.month - 1]} {local.year} {local:%H:%M}"
        return BilingualText(f"{local.year}年{local.month}月{local.day}日{local:%H:%M}", en)


def _both(**words: BilingualText) -> dict[str, str]:
    """Return each text by its name, and in English by its name with `_en`."""
    return {name: text.zh for name, text in words.items()} | {
        f"{name}_en": text.en for name, text in words.items()
    }


def writing(policy: OrderPolicy, links: Links) -> Callable[[Connection, str, Order, datetime], str]:
    """Return the function that writes a notice when it is sent; new link in VERIFY.

    Its arguments: connection, template, order, now.
    """
    texts = NoticeTexts(policy)

    def write(connection: Connection, template: str, order: Order, now: datetime) -> str:
        link = links.address(links.make(connection, order.id, now)) if template == VERIFY else ""
        return texts.text(template, order, now, link)

    return write


def _anywhere(policy: OrderPolicy, number: str) -> BilingualText:
    """How a holder proves who they are without the link of a notice."""
    page = in_words(policy.site)
    return BilingualText(_ANYWHERE.format(page=page.zh), _ANYWHERE_EN.format(page_en=page.en, id=number))


def in_words(site: str) -> BilingualText:
    """Return the address of the holder's page in words, which no telephone makes a link of: verify点operator点cn."""
    address = re.sub("^https?://", "", site).rstrip("/")
    zh, en = address, address
    for mark, words, words_en in ((".", "点", "dot"), ("/", "斜杠", "slash"), (":", "冒号", "colon")):
        zh, en = zh.replace(mark, words), en.replace(mark, f" {words_en} ")
    return BilingualText(zh, en)


def parts(text: str) -> int:
    """Number of UCS-2 short messages for `text`: 70 units in one, else 67 in each."""
    units = len(text.encode("utf-16-be", "surrogatepass")) // 2
    return 1 if units <= _SINGLE_UNITS else -(-units // _PART_UNITS)


# What a phone turns into a link: a scheme, a path, a name with a top-level domain after a dot of any width, a
# numeric address, a mailbox. False matches are accepted: they remove a word of the reason; a missed link can
# be abused for fraud.
_DOT = "[.．｡\u2024]"
_TOP = r"(?:[A-Za-zＡ-Ｚａ-ｚ]{2}|中国|中國|公司|网络|網絡|网址|网店|商城|集团|在线|我爱你|香港)"
_RUN = r"[^\s，。；：！？、（）【】“”《》]*"
_LINK = re.compile(
    rf"{_RUN}(?:[/／]{{2}}|[\\＼]{{2}}|{_DOT}(?={_TOP})|(?<=[A-Za-z0-9])。(?=[A-Za-z]{{2}})|@|＠"
    rf"|[0-9]{{1,3}}(?:{_DOT}[0-9]{{1,3}}){{3}}|www{_DOT}){_RUN}",
    re.IGNORECASE,
)
_INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff]"
)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\U00010000-\U0010ffff]+")


def without_links(text: str) -> str:
    """Return `text` on one line, without anything that a phone would turn into a link."""
    plain = _CONTROL.sub(" ", _INVISIBLE.sub("", text))
    while _LINK.search(plain):
        plain = _LINK.sub("…", plain)
    return re.sub(r"\s+", " ", plain).strip(" .．｡。，,；;：:")


def shortened(text: str, letters: int) -> str:
    """Cut `text` to `letters` letters, at a mark or space, never within a word or between a number and its unit."""
    if len(text) <= letters:
        return text
    kept = text[: letters - 1]
    marks = [found.end() for found in re.finditer(r"[，。；、：,;:]|(?<![0-9])\s", kept)]
    at = marks[-1] if marks and marks[-1] > letters // 2 else len(kept)
    if at == len(kept) and (re.match(r"[A-Za-z0-9]", text[at]) or re.search(r"[0-9] ?$", kept)):
        at = len(re.sub(r"[A-Za-z0-9]+ ?$", "", kept)) or at
    return kept[:at].rstrip(" ，。；、：,;:") + "…"


# not %B: it depends on the locale of the machine
_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
