"""Verification in person: what the staff saw, without document numbers."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from dataclasses import dataclass

from duanka.domain.order import OrderError
from duanka.domain.text import BilingualText, WordedEnum

MOST_LETTERS = 200  # characters of a counter's name

# A resident identity number: 17 digits and a digit or X (GB 11643), with separators. The check digit is not verified:
# a mistyped number still identifies a person.
_DOCUMENT_NUMBER = re.compile(r"(?<![0-9])[0-9](?:[\s.·-]?[0-9]){16}[\s.·-]?[0-9X](?![0-9])", re.IGNORECASE)


class Document(WordedEnum):
    """Type of document seen. Its number is not kept: the holder register has it."""

    ID_CARD = "id_card", "居民身份证"
    RESIDENCE_PERMIT = "residence_permit", "居住证件"  # 港澳台居民居住证、外国人永久居留身份证
    PASSPORT = "passport", "护照"
    OTHER = "other", "其他证件", "other document"


@dataclass(frozen=True)
class CounterCheck:
    """What the staff saw. `notice_signed`: the notice of legal risk was signed."""

    document: Document
    counter: str
    person_present: bool
    card_in_hand: bool
    notice_signed: bool

    def complete(self) -> CounterCheck:
        """Return self; OrderError: something is missing, or the counter name is invalid."""
        if not self.counter.strip() or len(self.counter) > MOST_LETTERS:
            raise OrderError(f"say at which counter, in 1 to {MOST_LETTERS} letters")
        without_document_number(self.counter)
        if lacking := self.missing:
            raise OrderError(f"the holder is not verified yet: {'; '.join(lacking)}. Nothing is stored")
        return self

    @property
    def missing(self) -> tuple[str, ...]:
        """What is still missing, in words."""
        asked = (
            (self.person_present, "the person on the document must be here (person_present)"),
            (self.card_in_hand, "they must have the card in hand (card_in_hand)"),
            (self.notice_signed, "they must sign the notice of legal risk (notice_signed)"),
        )
        return tuple(what for seen, what in asked if not seen)


def without_document_number(text: str) -> str:
    """Return `text`; OrderError if it contains a document number. The audit trail keeps text forever."""
    if _DOCUMENT_NUMBER.search(unicodedata.normalize("NFKC", text)):
        raise OrderError("this text holds a document number: leave it out, it is never stored here")
    return text


def digest_of(*words: BilingualText) -> str:
    """Return the SHA-256 (hex) of texts in both languages: proof of their wording."""
    return hashlib.sha256("\n".join(text for both in words for text in both).encode()).hexdigest()
