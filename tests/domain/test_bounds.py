"""What is asked from outside has bounds: times that cannot be written are refused where they come in."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duanka.domain.bounds import LONGEST_DAYS, MOST_LETTERS, bounded, end_of_measure, given_reason
from duanka.domain.order import OrderError

NOW = datetime(2026, 3, 2, 8, tzinfo=UTC)
FAR_EAST, FAR_WEST = timezone(timedelta(hours=23, minutes=59)), timezone(timedelta(hours=-23, minutes=-59))


@pytest.mark.parametrize(
    "at",
    [
        datetime.max.replace(tzinfo=FAR_WEST),
        datetime.min.replace(tzinfo=FAR_EAST),
        datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC),
        datetime(2100, 1, 1, tzinfo=UTC),
        datetime(2099, 12, 31, 23, 30, tzinfo=timezone(timedelta(hours=-1))),
        datetime(2000, 1, 1, tzinfo=timezone(timedelta(hours=8))),
        datetime(2026, 3, 2, 8),  # without an offset it could mean anything
    ],
)
def test_a_time_out_of_bounds_is_refused(at: datetime) -> None:
    with pytest.raises(OrderError):
        bounded(at)
    with pytest.raises(OrderError):
        end_of_measure(at, NOW)


@given(st.datetimes(timezones=st.sampled_from([UTC, FAR_EAST, FAR_WEST])))
def test_every_time_is_refused_in_one_line_or_can_be_shown_anywhere(at: datetime) -> None:
    try:
        taken = bounded(at)
    except OrderError as refused:
        assert "\n" not in str(refused)  # noqa: PT017  # either is right
    else:
        assert taken == at
        assert all(taken.astimezone(zone) == at for zone in (FAR_EAST, FAR_WEST))


def test_a_measure_lasts_three_years_at_most() -> None:
    last = NOW + timedelta(days=LONGEST_DAYS)
    assert end_of_measure(last, NOW) == last
    for wrong in (last + timedelta(seconds=1), NOW):
        with pytest.raises(OrderError):
            end_of_measure(wrong, NOW)


@pytest.mark.parametrize(
    "text", ["", " \n", "x" * (MOST_LETTERS + 1), "a\x1b[2Jb", "a\x00", "\ud800", "a\x9bb"]
)
def test_a_reason_that_cannot_be_kept_is_refused(text: str) -> None:
    with pytest.raises(OrderError):
        given_reason(text)


def test_a_reason_is_kept_without_blanks_around_it() -> None:
    assert given_reason("  本人到场\n证件相符 ") == "本人到场\n证件相符"
    assert len(given_reason("x" * MOST_LETTERS)) == MOST_LETTERS
