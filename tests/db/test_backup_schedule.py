"""When a backup is due by itself: after so many hours, and by the clocks of a place, also where those are moved."""

from datetime import UTC, datetime, time
from zoneinfo import ZoneInfo

import pytest

from db.backups.schedule import due_since, last_time
from db.errors import Invalid
from db.settings.registry import KEYS
from db.settings.rules import checked_value

BERLIN = ZoneInfo("Europe/Berlin")
OFF = {"backups.every_hours": 0, "backups.at": "", "backups.time_zone": "Europe/Berlin"}


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("at", "now", "last"),
    [
        ("03:30", "2026-11-21T02:29", "2026-11-20T02:30"),
        ("03:30", "2026-11-21T02:30", "2026-11-21T02:30"),
        ("03:30", "2026-07-21T02:29", "2026-07-21T01:30"),
        # Half past midnight there is the evening before in UTC.
        ("00:30", "2026-11-20T23:31", "2026-11-20T23:30"),
        # Clocks skip from two to three: it is half past three then, once.
        ("02:30", "2026-03-29T01:29", "2026-03-28T01:30"),
        ("02:30", "2026-03-29T01:30", "2026-03-29T01:30"),
        ("02:30", "2026-03-30T00:29", "2026-03-29T01:30"),
        ("02:30", "2026-03-30T00:30", "2026-03-30T00:30"),
        # They go back from three to two: the first time counts, and the second does not.
        ("02:30", "2026-10-25T00:30", "2026-10-25T00:30"),
        ("02:30", "2026-10-25T01:30", "2026-10-25T00:30"),
        ("02:30", "2026-10-26T01:30", "2026-10-26T01:30"),
    ],
)
def test_the_last_time_that_clocks_showed_a_time_of_day(at: str, now: str, last: str) -> None:
    assert last_time(time.fromisoformat(at), BERLIN, utc(now)) == utc(last)


def test_every_day_has_one_time() -> None:
    now, found = utc("2026-01-01T12:00"), set()
    for hour in range(365 * 24):
        moment = datetime.fromtimestamp(now.timestamp() + 3600 * hour, UTC)
        found.add(last_time(time(2, 30), BERLIN, moment))

    assert len({one.astimezone(BERLIN).date() for one in found}) == len(found) == 366


def test_what_comes_first_is_due_where_both_are_set() -> None:
    now = utc("2026-11-21T09:00")

    assert due_since(OFF, now) is None
    assert due_since({**OFF, "backups.at": "03:30"}, now) == utc("2026-11-21T02:30")
    both = due_since({**OFF, "backups.at": "03:30", "backups.every_hours": 2}, now)
    assert both is not None
    assert utc("2026-11-21T07:00") < both < utc("2026-11-21T07:01")


@pytest.mark.parametrize("text", ["3:30", "24:00", "12:60", "noon", "03:30:00"])
def test_what_is_no_time_of_day_is_refused(text: str) -> None:
    with pytest.raises(Invalid, match=r"backups\.at (is a time of day|has at most 5)"):
        checked_value(KEYS["backups.at"], text)


@pytest.mark.parametrize("name", ["Middle/Earth", "../../etc/passwd", "CEST"])
def test_what_is_no_time_zone_is_refused(name: str) -> None:
    with pytest.raises(Invalid, match=r"backups\.time_zone is the name of a time zone\. There is no time zone"):
        checked_value(KEYS["backups.time_zone"], name)
