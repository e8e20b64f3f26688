"""Sums over a period of days that are kept from night to night: days that come are added, days that leave taken away.

A row has its keys, its sums, and for each 64 days a word whose bits are the days on which it was seen: so that what was
seen on several days is counted once for each, and a row of which no day is left is known.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

_EPOCH = date(1970, 1, 1)
_WORD = 64  # days
_DAY = "(day - DATE '1970-01-01')"


@dataclass(frozen=True)
class PeriodSums:
    """`name`: of the view and its files; `sums`: column -> SQL over a row of the partial rollup; `rows`: which rows.

    `nullable`: whether a key may be unknown.
    """

    name: str
    rollup: str
    keys: tuple[str, ...]
    sums: Mapping[str, str]
    rows: str = "TRUE"
    nullable: bool = False

    def of_days(self, partials: str, words: Sequence[int], bounds: tuple[int, int]) -> str:
        """SELECT of the rows of `partials` (SQL), cards within `bounds`."""
        sums = [f"CAST(sum({expression}) AS BIGINT) AS {name}" for name, expression in self.sums.items()]
        return self._grouped(partials, [*sums, *(f"{_seen(word)} AS seen_{word}" for word in words)], bounds)

    def changed(
        self,
        before: str,
        came: str | None,
        went: str | None,
        words: tuple[Sequence[int], Sequence[int]],
        bounds: tuple[int, int],
    ) -> str:
        """SELECT of the rows of `before` with the partials that `came` and without those that `went` (SQL).

        `words`: those of `before`, and those of the result.
        """
        signed = " UNION ALL BY NAME ".join(
            f"SELECT *, {sign} AS sign FROM {source}"
            for source, sign in ((came, 1), (went, -1))
            if source is not None
        )
        old, new = words
        both = sorted({*old, *new})
        sums = [
            f"CAST(sum(sign * ({expression})) AS BIGINT) AS {name}" for name, expression in self.sums.items()
        ]
        bits = [
            f"{_seen(word, f'sign = {sign}')} AS {kind}_{word}"
            for word in both
            for kind, sign in (("came", 1), ("went", -1))
        ]
        change = self._grouped(f"({signed})", [*sums, *bits], bounds)
        equal = "IS NOT DISTINCT FROM" if self.nullable else "="
        on = " AND ".join(f"b.{key} {equal} c.{key}" for key in self.keys)
        seen = {word: _word_of(word, known=word in old) for word in new}
        columns = [
            *(f"coalesce(b.{key}, c.{key}) AS {key}" for key in self.keys),
            *(f"coalesce(b.{name}, 0) + coalesce(c.{name}, 0) AS {name}" for name in self.sums),
            *(f"{bits} AS seen_{word}" for word, bits in seen.items()),
        ]
        some = " OR ".join(f"{bits} <> 0" for bits in seen.values()) or "FALSE"
        return (
            f"SELECT {', '.join(columns)} FROM {before} AS b FULL JOIN ({change}) AS c ON {on} WHERE {some}"
        )

    def _grouped(self, source: str, columns: Sequence[str], bounds: tuple[int, int]) -> str:
        first, end = bounds
        keys = ", ".join(self.keys)
        return (
            f"SELECT {', '.join([keys, *columns])} FROM {source}"
            f" WHERE card >= {first} AND card < {end} AND {self.rows} GROUP BY {keys}"
        )


def words_of(days: Collection[date]) -> list[int]:
    """Numbers of the words that hold `days`, in order."""
    return sorted({(day - _EPOCH).days // _WORD for day in days})


def days_seen(words: Sequence[int]) -> str:
    """SQL: on how many days a row was seen."""
    return " + ".join(f"CAST(bit_count(seen_{word}) AS BIGINT)" for word in words) or "0"


def first_day(words: Sequence[int]) -> str:
    """SQL: number since 1970 of the first day on which a row was seen."""
    return _bounding("least", [_lowest(word, f"seen_{word}") for word in words])


def last_day_of_two(words: Sequence[int]) -> str:
    """SQL: number since 1970 of the last day on which a row was seen, of a row that was seen on one day or two."""
    ends = [
        f"coalesce({_lowest(word, _without_lowest(word))}, {_lowest(word, f'seen_{word}')})" for word in words
    ]
    return _bounding("greatest", ends)


def _bounding(function: str, ends: Sequence[str]) -> str:
    return f"{function}({', '.join(ends)})" if ends else "NULL"


def _without_lowest(word: int) -> str:
    return f"(CASE WHEN seen_{word} > 0 THEN seen_{word} & (seen_{word} - 1) ELSE 0 END)"


def _lowest(word: int, bits: str) -> str:
    """SQL: number of the day of the lowest bit; NULL if there is none."""
    return f"CASE WHEN {bits} > 0 THEN {word * _WORD - 1} + bit_count(xor({bits}, {bits} - 1)) END"


def _seen(word: int, condition: str = "TRUE") -> str:
    first = word * _WORD
    within = f"{_DAY} BETWEEN {first} AND {first + _WORD - 1} AND {condition}"
    bit = f"1::UBIGINT << CAST({_DAY} & {_WORD - 1} AS UBIGINT)"  # also of rows that the filter leaves out
    return f"coalesce(bit_or({bit}) FILTER ({within}), 0::UBIGINT)"


def _word_of(word: int, *, known: bool) -> str:
    before = (
        f"(coalesce(b.seen_{word}, 0::UBIGINT) & ~coalesce(c.went_{word}, 0::UBIGINT)) | " if known else ""
    )
    return f"({before}coalesce(c.came_{word}, 0::UBIGINT))"
