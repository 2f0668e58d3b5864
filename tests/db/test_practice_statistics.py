"""Statistics: each session on the day it started by its owner's clocks, and days in a row."""

from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from db.access.viewer import Viewer
from db.database import Database
from db.errors import Invalid
from db.practice import sessions, templates
from db.practice.statistics import PracticePeriod, Statistics, Streak, period_start, read_statistics, streak_of
from db.practice.tables import Goal
from tests.support.practice import LEVELS, NOW, make_goal, make_session, make_user, viewer_of

_DAYS = st.integers(0, 40).map(lambda number: date(2026, 1, 1) + timedelta(days=number))


@given(st.sets(_DAYS), _DAYS)
def test_a_streak_is_as_long_as_days_can_be_counted_back(days: set[date], today: date) -> None:
    def back(day: date) -> int:
        return 1 + back(day - timedelta(days=1)) if day in days else 0

    days = {day for day in days if day <= today}
    last = max(days, default=None)
    is_on = last is not None and (today - last).days <= 1
    assert streak_of(days, today) == Streak(
        current=back(last) if is_on and last is not None else 0, longest=max(map(back, days), default=0), last_on=last
    )


@pytest.mark.parametrize(
    ("period", "start"),
    [
        (PracticePeriod.DAY, date(2026, 11, 21)),
        (PracticePeriod.WEEK, date(2026, 11, 16)),
        (PracticePeriod.MONTH, date(2026, 11, 1)),
    ],
)
def test_a_day_belongs_to_one_period(period: PracticePeriod, start: date) -> None:
    assert period_start(date(2026, 11, 21), period) == start


@pytest.fixture
async def viewer(db: Database) -> Viewer:
    return viewer_of(await make_user(db))


@pytest.fixture
async def goal(db: Database, viewer: Viewer) -> Goal:
    return await make_goal(db, viewer.user_id, LEVELS[3])


async def practise(db: Database, goal: Goal, hours_ago: int, minutes: int) -> None:
    start = NOW - timedelta(hours=hours_ago)
    async with db.transaction() as tx:
        await sessions.create_session(
            tx,
            owner_id=goal.owner_id,
            goal_ids=[goal.id],
            changes={"name": "Practice"},
            times=(start, start + timedelta(minutes=minutes)),
            viewer=None,
            now=NOW,
        )


async def read(db: Database, viewer: Viewer, **asked: Any) -> Statistics:
    owner_id = asked.pop("owner_id", viewer.user_id)
    whole: dict[str, Any] = {"period": PracticePeriod.DAY, "first": date(2026, 11, 1), "last": date(2026, 11, 30)}
    async with db.read() as session:
        return await read_statistics(session, viewer, owner_id, **{**whole, **asked}, now=NOW, note=lambda _: None)


async def test_sessions_are_added_up_where_they_started(db: Database, viewer: Viewer, goal: Goal) -> None:
    for hours_ago, minutes in ((1, 10), (2, 20), (26, 30), (100, 40)):
        await practise(db, goal, hours_ago, minutes)
    await make_session(db, goal)

    found = await read(db, viewer)

    assert [(one.key, one.sessions, one.practised_ms) for one in found.periods] == [
        (date(2026, 11, 17), 1, 2_400_000),
        (date(2026, 11, 20), 1, 1_800_000),
        (date(2026, 11, 21), 2, 1_800_000),
    ]
    assert [(one.key, one.sessions) for one in found.hours] == [(5, 1), (7, 2), (8, 1)]
    assert found.streak == Streak(current=2, longest=2, last_on=date(2026, 11, 21))


async def test_a_day_is_that_of_the_owners_zone(db: Database, viewer: Viewer, goal: Goal) -> None:
    await practise(db, goal, 16, 10)
    before = await read(db, viewer, period=PracticePeriod.WEEK)
    async with db.transaction() as tx:
        await templates.set_time_zone(tx, owner_id=viewer.user_id, name="Asia/Seoul", viewer=viewer, now=NOW)

    after = await read(db, viewer)

    assert (before.time_zone, [one.key for one in before.hours]) == ("UTC", [17])
    assert (after.time_zone, [one.key for one in after.hours]) == ("Asia/Seoul", [2])
    assert [one.key for one in after.periods] == [date(2026, 11, 21)]


async def test_nobody_reads_what_somebody_else_practised(db: Database, viewer: Viewer, goal: Goal) -> None:
    await practise(db, goal, 1, 10)
    other = viewer_of(await make_user(db))

    found = await read(db, other, owner_id=viewer.user_id)

    assert (found.periods, found.streak) == ([], Streak(current=0, longest=0, last_on=None))


@pytest.mark.parametrize("last", [date(2026, 10, 31), date(2046, 1, 1)])
async def test_days_the_wrong_way_round_or_too_many_are_refused(db: Database, viewer: Viewer, last: date) -> None:
    with pytest.raises(Invalid) as refused:
        await read(db, viewer, last=last)

    assert refused.value.field == "last_on"
