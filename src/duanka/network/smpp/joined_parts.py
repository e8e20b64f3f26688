"""Buffer of message parts: joins and decodes them as they arrive."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from duanka.network.smpp.text_encodings import READERS, claimed, gsm_text, readings_again

_GAP = "〇"  # stands for a missing part; a letter, so that no keyword matches across it
_MAX_VARIANTS = 4  # variants kept of one part, which may be resent in another alphabet, or replaced
_MAX_PART_BYTES = 4096  # bytes kept of a part: its beginning and its end
_JOINED_BYTES = 32_768  # bytes of parts read together, around the newest one
_MAX_TAILS = 32  # kept endings of the text so far; that of the claimed alphabet comes first
_EDGE = 24  # characters at the end of a part that may begin a word
_OVERHEAD_BYTES = 400  # bytes that a part costs beside its text
_SEARCHED_MESSAGES, _MAX_REPLACED_IN = 5000, 32  # latest messages searched; messages of the sender used
_PLAUSIBLE_SHARE = 0.6


_NOT_WRITTEN = bytes({*range(0x20), 0x7F} - {*b"\n\r"})
_ASCII = bytes(range(0x80))


class _Variant(NamedTuple):
    data: bytes
    texts: tuple[str, ...]  # as claimed, and other plausible readings

    @property
    def cost(self) -> int:
        return len(self.data) + 2 * sum(map(len, self.texts)) + _OVERHEAD_BYTES


class _Message:
    """The parts of one message, and when the first arrived."""

    def __init__(self, begun: float) -> None:
        self.begun = begun
        self.parts: dict[int, list[_Variant]] = {}

    def put(self, number: int, variant: _Variant) -> int:
        """Add a variant of a part (first and latest stay); return the growth in bytes."""
        known = self.parts.setdefault(number, [])
        if any(one.data == variant.data and one.texts == variant.texts for one in known):
            return 0
        known.append(variant)
        return variant.cost - (known.pop(1).cost if len(known) > _MAX_VARIANTS else 0)

    @property
    def cost(self) -> int:
        return sum(one.cost for known in self.parts.values() for one in known)


class JoinedParts:
    """The latest parts of long messages, kept up to `seconds` and `most` bytes in all.

    The key of a message is (account, sender, destination) and its reference. The total numbers of parts are
    not compared: the parts of one message may claim different ones.
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
        """Store a part for each peer; yield every reading of the message so far."""
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
            if same not in read:  # decode once for all destinations that have the same parts
                read.add(same)
                texts += _joined(message.parts, number)
        return iter(texts)

    def replaced(self, account: str, sender: str, data: bytes, data_coding: int) -> Iterator[str]:
        """Yield the messages as they would read if this text replaced any part of them."""
        variant = _variant(data, data_coding)
        found = 0
        for looked, ((whose, who, _, _), message) in enumerate(reversed(self._held.items())):
            if looked >= _SEARCHED_MESSAGES or found >= _MAX_REPLACED_IN:
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
    if len(data) > _MAX_PART_BYTES:
        data = data[: _MAX_PART_BYTES // 2] + data[-_MAX_PART_BYTES // 2 :]
    as_claimed = claimed(data_coding, data)
    others = readings_again(data_coding, data)[1:] if data else ()
    return _Variant(data, (as_claimed, *(text for text in others if _looks_written(text))))


def _looks_written(text: str) -> bool:
    return usual_characters(text) >= _PLAUSIBLE_SHARE * len(text)


def usual_characters(text: str) -> int:
    """Count the characters of GB 2312, printable ASCII and line ends: common in our texts."""
    octets = text.encode("gb2312", "ignore")
    return len(octets.translate(None, _NOT_WRITTEN)) - len(octets.translate(None, _ASCII)) // 2


def _joined(parts: dict[int, list[_Variant]], newest: int) -> list[str]:
    """Return the texts that the parts around `newest` may form.

    First their joined bytes, decoded in each alphabet; then one text for parts in different alphabets, see `_mixed`.
    """
    numbers = _nearest_parts(parts, newest)
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


def _nearest_parts(parts: dict[int, list[_Variant]], newest: int) -> list[int]:
    left = _JOINED_BYTES
    chosen: list[int] = []
    for number in sorted(parts, key=lambda one: abs(one - newest)):
        left -= sum(len(one.data) for one in parts[number])
        if left < 0 and chosen:
            break
        chosen.append(number)
    return sorted(chosen)


def _mixed(parts: dict[int, list[_Variant]], numbers: list[int]) -> str:
    """Return one text of all readings of all parts, and of all joints between them.

    A joint is the end of the text so far with the beginning of the next part, so that a word across the two is found.
    A part of a few characters may be the middle of a word, so a joint may span several parts.
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
        tails = list(dict.fromkeys((tail + text)[-_EDGE:] for tail in ahead for text in texts))[:_MAX_TAILS]
        last = number
    return _GAP.join(pieces)
