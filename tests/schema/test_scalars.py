"""Scalars: an instant has one printed form and many that are read."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schema.scalars import print_instant, read_instant

_OFFSETS = st.timedeltas(timedelta(hours=-23), timedelta(hours=23)).map(
    lambda offset: timezone(timedelta(minutes=offset // timedelta(minutes=1)))
)
# A day away from both ends of the calendar, where a change of the offset would leave it.
_INSTANTS = st.datetimes(datetime(1, 1, 3), datetime(9999, 12, 29), timezones=_OFFSETS)  # noqa: DTZ001 -- bounds are naive


@given(_INSTANTS)
def test_an_instant_comes_back_in_utc(instant: datetime) -> None:
    read = read_instant(print_instant(instant))

    assert (read, read.tzinfo) == (instant, UTC)


@given(_INSTANTS)
def test_every_instant_prints_alike(instant: datetime) -> None:
    assert len(print_instant(instant)) == len("2026-11-21T09:30:00.000000Z")


@given(_INSTANTS, _INSTANTS)
def test_printed_instants_sort_as_instants_do(one: datetime, other: datetime) -> None:
    assert (print_instant(one) < print_instant(other)) == (one < other)


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2026-11-21T09:30:00Z", datetime(2026, 11, 21, 9, 30, tzinfo=UTC)),
        ("2026-11-21T09:30:00.5Z", datetime(2026, 11, 21, 9, 30, 0, 500_000, tzinfo=UTC)),
        ("2026-11-21T18:30:00+09:00", datetime(2026, 11, 21, 9, 30, tzinfo=UTC)),
        ("2026-11-20T23:30:00-10:00", datetime(2026, 11, 21, 9, 30, tzinfo=UTC)),
    ],
)
def test_an_instant_is_read_with_its_offset(text: str, instant: datetime) -> None:
    assert read_instant(text) == instant


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        ("2026-11-21T09:30:00", "says its offset"),
        ("2026-11-21", "says its offset"),
        ("yesterday", "looks like"),
        ("", "looks like"),
        ("2026-13-01T00:00:00Z", "looks like"),
        ("0001-01-01T00:00:00+09:00", "between the years"),
        ("9999-12-31T23:59:59-09:00", "between the years"),
        (1_795_254_600, "is a string"),
        (None, "is a string"),
    ],
)
def test_what_is_no_instant_is_refused_with_a_sentence(value: object, fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        read_instant(value)
