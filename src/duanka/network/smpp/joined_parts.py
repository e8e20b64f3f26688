"""Parts of long texts, kept until their fellows come, and read together in every alphabet."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from duanka.network.smpp.text_encodings import READERS, claimed, gsm_text, readings_again

_GAP = "〇"  # where a part is missing: a letter, so that no word reaches over it
_VARIANTS = 4  # of one part number: sent again, in another alphabet, replaced
_LONGEST = 4096  # bytes of a part that are kept: its beginning and its end
_READ_TOGETHER = 32_768  # bytes of parts around the newest one
_TAILS = 32  # ways in which a word may have begun; as claimed comes first
_EDGE = 24  # characters of a part in which a word may begin that ends in the next
_OVERHEAD = 400  # bytes that a part costs beside its text
_LOOKED_THROUGH, _REPLACED_IN = 5000, 32  # messages that a replacement is tried in
_PLAUSIBLE_SHARE = 0.6


_NOT_WRITTEN = bytes({*range(0x20), 0x7F} - {*b"\n\r"})
_ASCII = bytes(range(0x80))


class _Variant(NamedTuple):
    data: bytes
    texts: tuple[str, ...]  # as claimed, and other readings that look like a text

    @property
    def cost(self) -> int:
        return len(self.data) + 2 * sum(map(len, self.texts)) + _OVERHEAD


class _Message:
    """The parts of one message, and when the first came."""

    def __init__(self, begun: float) -> None:
        self.begun = begun
        self.parts: dict[int, list[_Variant]] = {}

    def put(self, number: int, variant: _Variant) -> int:
        """Add a variant of a part, the first and the latest are kept; by how much the cost grew."""
        known = self.parts.setdefault(number, [])
        if any(one.data == variant.data and one.texts == variant.texts for one in known):
            return 0
        known.append(variant)
        return variant.cost - (known.pop(1).cost if len(known) > _VARIANTS else 0)

    @property
    def cost(self) -> int:
        return sum(one.cost for known in self.parts.values() for one in known)


class JoinedParts:
    """The latest parts of long messages, for as long as `seconds` and at most `most` bytes in all.

    A message is known by whose it is (account, sender, destination) and its reference. Totals are not compared: a part
    may claim another one than its fellows.
    """

    def __init__(self, *, most: int = 32_000_000, seconds: float = 3600.0) -> None:
        self._most, self._seconds = most, seconds
        self._held: OrderedDict[tuple[str, str, str, int], _Message] = OrderedDict()
        self._cost = 0

    def add(
        self,
        account: str,
        sender: str,
        peers: Iterable[str],
        reference: int,
        number: int,
        data: bytes,
        data_coding: int,
        now: float,
    ) -> Iterator[str]:
        """Keep a part for each of the peers; what is known of the whole message with it, in every reading."""
        self._make_room(now)
        variant = _variant(data, data_coding)
        read: set[tuple[tuple[int, int], ...]] = set()
        texts: list[str] = []
        for peer in peers:
            key = (account, sender, peer, reference)
            message = self._held.get(key)
            if message is None:
                message = self._held[key] = _Message(now)
            self._cost += message.put(number, variant)
            same = tuple((at, id(one)) for at, known in message.parts.items() for one in known)
            if same not in read:  # to many destinations at once it is one text
                read.add(same)
                texts += _joined(message.parts, number)
        return iter(texts)

    def replaced(self, account: str, sender: str, data: bytes, data_coding: int) -> Iterator[str]:
        """A text that may take the place of any part that the sender sent: what the messages are with it."""
        variant = _variant(data, data_coding)
        found = 0
        for looked, ((whose, who, _, _), message) in enumerate(reversed(self._held.items())):
            if looked >= _LOOKED_THROUGH or found >= _REPLACED_IN:
                return
            if (whose, who) == (account, sender):
                found += 1
                for number in list(message.parts):
                    self._cost += message.put(number, variant)
                yield from _joined(message.parts, next(iter(message.parts)))

    def _make_room(self, now: float) -> None:
        while self._held:
            key, message = next(iter(self._held.items()))
            if self._cost <= self._most and now - message.begun <= self._seconds:
                return
            self._cost -= message.cost
            del self._held[key]


def _variant(data: bytes, data_coding: int) -> _Variant:
    if len(data) > _LONGEST:
        data = data[: _LONGEST // 2] + data[-_LONGEST // 2 :]
    as_claimed = claimed(data_coding, data)
    others = readings_again(data_coding, data)[1:] if data else ()
    return _Variant(data, (as_claimed, *(text for text in others if _looks_written(text))))


def _looks_written(text: str) -> bool:
    return usual_characters(text) >= _PLAUSIBLE_SHARE * len(text)


def usual_characters(text: str) -> int:
    """How many of its characters are those of Chinese and English texts: GB 2312, printable ASCII, ends of lines."""
    octets = text.encode("gb2312", "ignore")
    return len(octets.translate(None, _NOT_WRITTEN)) - len(octets.translate(None, _ASCII)) // 2


def _joined(parts: dict[int, list[_Variant]], newest: int) -> list[str]:
    """The texts of the parts around the newest: their bytes joined in each alphabet, and alphabets mixed."""
    numbers = _around(parts, newest)
    texts = []
    several = any(len(parts[number]) > 1 for number in numbers)
    for which in (0, -1) if several else (0,):
        runs: list[bytes] = []
        last = None
        for number in numbers:
            data = parts[number][which].data
            if last is not None and number == last + 1:
                runs[-1] += data
            else:
                runs.append(data)
            last = number
        texts += [_GAP.join(reader(run) for run in runs) for reader in (*READERS, gsm_text)]
    texts.append(_mixed(parts, numbers))
    return list(dict.fromkeys(text for text in texts if text))


def _around(parts: dict[int, list[_Variant]], newest: int) -> list[int]:
    left = _READ_TOGETHER
    chosen: list[int] = []
    for number in sorted(parts, key=lambda one: abs(one - newest)):
        left -= sum(len(one.data) for one in parts[number])
        if left < 0 and chosen:
            break
        chosen.append(number)
    return sorted(chosen)


def _mixed(parts: dict[int, list[_Variant]], numbers: list[int]) -> str:
    """All readings of all parts one behind the other, and each way in which one part may go on in the next.

    A part of a few characters may lie in the middle of a word: what comes before it goes on through it.
    """
    pieces: list[str] = []
    tails: list[str] = []
    last = None
    for number in numbers:
        texts = list(dict.fromkeys(text for one in parts[number] for text in one.texts))
        if last is None or number != last + 1:
            tails = []
        pieces += texts
        pieces += [tail + text[:_EDGE] for tail in tails for text in texts]
        ahead = tails or [""]
        tails = list(dict.fromkeys((tail + text)[-_EDGE:] for tail in ahead for text in texts))[:_TAILS]
        last = number
    return _GAP.join(pieces)
