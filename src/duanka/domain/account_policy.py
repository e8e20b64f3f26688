"""Policy of linked accounts: what is asked for on which ground, within which time, kept for how long."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from duanka.domain.linked_accounts import AccountGround, RequestKind

# Hosts that the message filter never refuses, with all their subdomains, whoever agreed and whatever a policy says.
NEVER_BLOCKED = ("gov.cn",)


# Hosts of banks, platforms and services that a policy without a list of its own never refuses.
HONEST_HOSTS = (
    *(
        "icbc.com.cn",
        "ccb.com",
        "abchina.com",
        "boc.cn",
        "bankcomm.com",
        "psbc.com",
        "cmbchina.com",
        "cmbc.com.cn",
    ),
    *("spdb.com.cn", "cib.com.cn", "citicbank.com", "cebbank.com", "95516.com", "alipay.com", "taobao.com"),
    *(
        "tmall.com",
        "jd.com",
        "qq.com",
        "weixin.com",
        "baidu.com",
        "bilibili.com",
        "douyin.com",
        "meituan.com",
    ),
    *("pinduoduo.com", "12306.cn", "10086.cn", "10010.com", "189.cn", "12321.cn", "12377.cn", "12381.cn"),
)


@dataclass(frozen=True)
class AccountPolicy:
    """What platforms are asked to do about linked accounts.

    `confirmed`, `failed`: what is asked for by itself for a card that the police confirmed, and for one whose
    verification failed. `close`: grounds on which a person may ask for closing, and a second one approves.
    `answer_hours`: until a request without an answer is overdue. `poll_minutes`: between questions for answers.
    `keep_days`: after the end of a request, its account and what was sent are deleted; `keep_indicator_days`: since an
    item for take-down was last seen. `never_blocked`: hosts beside NEVER_BLOCKED.
    """

    confirmed: tuple[RequestKind, ...] = (RequestKind.RESTRICT,)
    failed: tuple[RequestKind, ...] = (RequestKind.RE_VERIFY,)
    close: tuple[AccountGround, ...] = (AccountGround.CONFIRMED,)
    answer_hours: float = 24
    poll_minutes: float = 15
    keep_days: int = 400
    keep_indicator_days: int = 180
    never_blocked: tuple[str, ...] = HONEST_HOSTS

    @property
    def by_ground(self) -> Mapping[AccountGround, tuple[RequestKind, ...]]:
        """What is asked for by itself."""
        return {
            AccountGround.CONFIRMED: self.confirmed,
            AccountGround.FAILED_CHECK: self.failed,
            AccountGround.FAILED_TWO: self.failed,
        }

    @property
    def answer_within(self) -> timedelta:
        """Time that a platform has."""
        return timedelta(hours=self.answer_hours)

    @property
    def safe_hosts(self) -> tuple[str, ...]:
        """All hosts that are never refused."""
        return (*NEVER_BLOCKED, *self.never_blocked)
