"""Password hashing: argon2id with parameters in one place."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from duanka.domain.sign_in import as_typed, generated_halves, new_password_half
from duanka.ledger.people.keys import half_hash, key_hash

if TYPE_CHECKING:
    from argon2 import PasswordHasher

# RFC 9106's choice for little memory, in one thread: 0.16 CPU seconds, and 64 MiB while it lasts.
TIME_COST, MEMORY_KIB, THREADS = 3, 64 * 1024, 1


class PasswordHashing:
    """Hashes and compares passwords; parameters other than the default are for tests."""

    def __init__(self, time_cost: int = TIME_COST, memory_kib: int = MEMORY_KIB) -> None:
        self._time_cost, self._memory_kib = time_cost, memory_kib

    def of(self, password: str) -> str:
        """Hash a password, with a salt of its own."""
        return self._hasher.hash(_bytes(as_typed(password)))

    def of_halves(self, first_hash: str, second: str) -> str:
        """Hash a generated password, of whose first half only the hash is known."""
        return self._hasher.hash(_bytes(key_hash(first_hash, half_hash(second))))

    def is_right(self, password: str, hashed: str | None, *, generated: bool) -> bool:
        """Whether this is the password; `hashed` None: there is none, which takes as long."""
        text = as_typed(password)
        if generated:
            halves = generated_halves(password)
            text = key_hash(*map(half_hash, halves)) if halves else ""
        from argon2.exceptions import InvalidHashError, VerificationError  # noqa: PLC0415  # as below

        try:
            self._hasher.verify(hashed or self._of_nobody, _bytes(text))
        except (VerificationError, InvalidHashError):
            return False
        return hashed is not None

    @cached_property
    def _hasher(self) -> PasswordHasher:
        from argon2 import PasswordHasher, Type  # noqa: PLC0415  # most commands hash nothing

        return PasswordHasher(self._time_cost, self._memory_kib, THREADS, type=Type.ID)

    @cached_property
    def _of_nobody(self) -> str:
        """Hash of a password that nobody has."""
        return self.of(new_password_half())


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")  # JSON can bring halves of letters
