"""Hosts and words that the order database asks the message proxy to refuse, beside the policy's lists.

Kept in a file, so that a restarted proxy refuses them at once; a digest says which list is in force.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from duanka.domain.order_policy import MessagePolicy
from duanka.domain.private_files import write_private
from duanka.network.sms.proxy.text_rules import TextLists

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class DeniedTexts:
    """`hosts` with all their subdomains, `words` as they stand in a text without punctuation."""

    hosts: tuple[str, ...] = ()
    words: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """Identifies the list, whatever its order."""
        told = json.dumps([sorted(self.hosts), sorted(self.words)], ensure_ascii=False)
        return hashlib.sha256(told.encode()).hexdigest()[:32]

    def with_policy(self, policy: MessagePolicy) -> TextLists:
        """What is refused in all. It takes a while for thousands: not for the message loop."""
        keywords = (*policy.keywords, *((word,) for word in self.words))
        return TextLists(replace(policy, keywords=keywords, links=(*policy.links, *self.hosts)))

    def write(self, path: Path) -> None:
        """Keep the list. OSError."""
        told = json.dumps({"hosts": self.hosts, "words": self.words}, ensure_ascii=False)
        write_private(path, told.encode())

    @classmethod
    def read(cls, path: Path) -> DeniedTexts:
        """The kept list; an empty one if there is none, or it cannot be read: the next comparison writes it anew."""
        try:
            told = json.loads(path.read_bytes())
            return cls(_texts(told["hosts"]), _texts(told["words"]))
        except FileNotFoundError:
            return cls()
        except (OSError, ValueError, KeyError, TypeError) as error:
            _LOG.error("%s cannot be read (%s): nothing of it is refused until it comes again", path, error)
            return cls()


def _texts(given: Sequence[object]) -> tuple[str, ...]:
    if not isinstance(given, list) or not all(isinstance(one, str) and one.strip() for one in given):
        raise ValueError("a list of texts is wanted")
    return tuple(str(one) for one in given)


def denied_of(request: dict[str, object]) -> DeniedTexts:
    """The list in a request. ValueError, KeyError: it is none."""
    return DeniedTexts(_texts(request["hosts"]), _texts(request["words"]))  # type: ignore[arg-type]
