"""What the message filter never refuses, whoever agreed: honest hosts and what lies above them, services, plain words.

A word is compared with a text without its punctuation, so it must be one that honest texts do not hold: an account with
digits in it, long enough, and no part of an honest host.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection

from duanka.domain.takedown import Indicator, IndicatorKind, under

_HOST = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+(?:[a-z]{2,24}|xn--[a-z0-9-]{2,59})")
_ADDRESS = re.compile(r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}")
_ACCOUNT = re.compile(r"(?=.*[0-9])[a-z0-9][a-z0-9_@.-]{5,252}")
_NUMBER = re.compile(r"[1-9][0-9]{7,14}")
_LEAST_DIGITS = 9  # of an account that is digits alone: shorter ones are dates, codes and services
# Names under which anybody registers: alone, or one below another, they are a registry and no host.
_REGISTRY_NAMES = (
    "com net org gov edu mil ac co ltd plc me info biz name pro cc tv top xyz site online shop store app dev"
    " io cn hk tw mo uk jp kr sg in us eu de fr ru au my th vn ph id kh mm la bj sh tj cq he sx nm ln jl hl"
    " js zj ah fj jx sd ha hb hn gd gx hi sc gz yn xz sn gs qh nx xj"
    " xn--55qx5d xn--io0a7i xn--od0alg"  # 公司, 网络, 網絡
)
_OF_THE_STATE = frozenset({"gov", "mil", "edu", "police"})  # second labels, below which nobody else registers
_MOBILE = re.compile(r"(?:86)?1[3-9][0-9]{9}")
_REGISTRY = frozenset(_REGISTRY_NAMES.split())
# Hosts below which each customer has a name of their own.
_SHARED = frozenset(
    {
        *(
            "github.io",
            "gitee.io",
            "gitlab.io",
            "pages.dev",
            "workers.dev",
            "vercel.app",
            "netlify.app",
            "web.app",
        ),
        *("firebaseapp.com", "herokuapp.com", "onrender.com", "fly.dev", "glitch.me", "repl.co", "surge.sh"),
        *(
            "blogspot.com",
            "wordpress.com",
            "weebly.com",
            "wixsite.com",
            "000webhostapp.com",
            "ngrok.io",
            "ngrok-free.app",
        ),
        *(
            "amazonaws.com",
            "cloudfront.net",
            "azurewebsites.net",
            "windows.net",
            "aliyuncs.com",
            "myqcloud.com",
        ),
        *("bcebos.com", "qiniucdn.com", "myhuaweicloud.com", "cdn20.com", "duckdns.org", "eu.org"),
    }
)


def never_refused(one: Indicator, safe_hosts: Collection[str], protects: Callable[[str], bool]) -> str:
    """Why the filter never refuses `one`; "" if it may. `protects`: whether a number may never be stopped."""
    match one.kind:
        case IndicatorKind.HOST:
            return _host(one.value, safe_hosts)
        case IndicatorKind.NUMBER:
            return _number(one.value, protects)
        case IndicatorKind.ACCOUNT:
            return _account(one.value, safe_hosts, protects)


def _host(value: str, safe_hosts: Collection[str]) -> str:
    if not _HOST.fullmatch(value) and not _ADDRESS.fullmatch(value):
        return "it is no host as it is written in a link"
    if under(value, safe_hosts):
        return "its host is on the list of those that are never refused ([accounts] never_blocked)"
    if _OF_THE_STATE & set(value.split(".")[-2:-1]):
        return "it is a host of a state, of its police or of a school"
    if any(under(host, (value,)) for host in safe_hosts):
        return "honest hosts lie below it"
    shared = set(value.split(".")) <= _REGISTRY or any(under(one, (value,)) for one in _SHARED)
    if shared:
        return "anybody may have a host below it; name the one that is fraud's"
    return ""


def _number(value: str, protects: Callable[[str], bool]) -> str:
    if not _NUMBER.fullmatch(value):
        return "it is no telephone number in E.164; services and short codes are never refused"
    return "the number is protected ([orders] protected)" if _is_protected(value, protects) else ""


def _account(value: str, safe_hosts: Collection[str], protects: Callable[[str], bool]) -> str:
    plain = "".join(filter(str.isalnum, value))
    if not _ACCOUNT.fullmatch(value) or len(plain) < 6:
        return "an account has at least six Latin letters and digits, with a digit; plain words stand in honest texts"
    if _MOBILE.fullmatch(plain):
        return "it is a telephone number; report it as a number"
    if plain.isdigit() and (len(plain) < _LEAST_DIGITS or _is_protected(plain, protects)):
        return "digits alone are an account from nine on, and no protected number"
    names = ["".join(filter(str.isalnum, host)) for host in safe_hosts]
    if _HOST.fullmatch(value) or any(plain in name or name in plain for name in names):
        return "it is a host, or part of an honest one; report it as a host"
    return ""


def _is_protected(digits: str, protects: Callable[[str], bool]) -> bool:
    return protects(digits) or protects(f"86{digits}") or (digits.startswith("86") and protects(digits[2:]))
