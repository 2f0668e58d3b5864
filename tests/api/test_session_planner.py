"""The planner of sessions that recur: ahead of time, by everybody's own clocks, and once, whoever else plans."""

import asyncio
import logging
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from sqlmodel import col, select, update

from api.server import first_admin
from api.workers.practice_sessions import SessionPlanner
from db.access.tables import User
from db.clock import SystemClock
from db.connecting import connect
from db.database import Database
from db.practice import operations, sessions, templates
from db.practice.events import GoalTreeChanged
from db.practice.tables import Goal, Practice, PracticeSession
from db.practice.vocabulary import Weekday
from tests.conftest import ManualClock
from tests.support.house import eventually, running_house
from tests.support.practice import LEVELS, NOW, make_goal, make_template, make_user

TODAY = NOW.date()
DAILY = list(Weekday)


@pytest.fixture
async def owner(db: Database) -> User:
    return await make_user(db)


@pytest.fixture
async def goal(db: Database, owner: User) -> Goal:
    return await make_goal(db, owner.id, LEVELS[3])


async def change(db: Database, operation: Any, *given: Any, **named: Any) -> Any:
    async with db.transaction() as tx:
        return await operation(tx, *given, viewer=None, now=NOW, **named)


async def planned(db: Database) -> list[tuple[date | None, datetime | None]]:
    async with db.read() as session:
        found = select(PracticeSession).order_by(col(PracticeSession.occurs_on), col(PracticeSession.planned_at))
        return [(one.occurs_on, one.planned_at) for one in await session.rows(found)]


async def days_planned(db: Database) -> list[int]:
    """How many days from today on each session is."""
    return [(day - TODAY).days for day, _ in await planned(db) if day is not None]


async def test_what_recurs_is_planned_ahead_and_goes_on_as_days_pass(
    db: Database, clock: ManualClock, goal: Goal
) -> None:
    await make_template(db, goal, weekdays=DAILY, minute_of_day=1110, ends_on=TODAY + timedelta(days=4))
    await make_template(db, goal, name="By hand")
    planner = SessionPlanner(db, clock, days=2)

    await planner.look()
    first = await planned(db)
    await planner.look()
    clock.move(timedelta(days=1))
    await planner.look()
    next_day = await days_planned(db)
    clock.move(timedelta(days=30))
    await planner.look()

    assert first == [(date(2026, 11, day), datetime(2026, 11, day, 18, 30, tzinfo=UTC)) for day in (21, 22, 23)]
    assert (next_day, planner.facts()) == ([0, 1, 2, 3], {"planned": 4})
    # Days that went by while nobody looked are not made up for.
    assert await days_planned(db) == [0, 1, 2, 3]


async def test_nothing_is_changed_where_there_is_nothing_to_plan(db: Database, clock: ManualClock, goal: Goal) -> None:
    gone = await make_goal(db, goal.owner_id, LEVELS[3])
    await make_template(db, goal, weekdays=DAILY)
    await make_template(db, gone, name="For what is gone", weekdays=DAILY)
    await change(db, operations.delete_goal, gone.id)
    planner = SessionPlanner(db, clock, days=1)
    await planner.look()

    async def revision() -> int:
        async with db.read() as session:
            (practice,) = await session.rows(select(Practice))
            return practice.revision

    before = await revision()
    await planner.look()

    assert (await revision(), await days_planned(db)) == (before, [0, 1])


async def test_fifty_planners_at_once_plan_each_session_once(db: Database, clock: ManualClock, goal: Goal) -> None:
    other = await make_goal(db, (await make_user(db)).id, LEVELS[3])
    for one in (goal, other):
        await make_template(db, one, weekdays=DAILY)
    planners = [SessionPlanner(db, clock, days=2) for _ in range(50)]

    await asyncio.gather(*(planner.look() for planner in planners))

    assert await days_planned(db) == [0, 0, 1, 1, 2, 2]
    assert sum(planner.planned for planner in planners) == 6


async def test_a_planner_that_is_started_again_goes_on(database_url: str, clock: ManualClock) -> None:
    first, second = await connect(database_url), await connect(database_url)
    goal = await make_goal(first, (await make_user(first)).id, LEVELS[3])
    await make_template(first, goal, weekdays=DAILY)
    await SessionPlanner(first, clock, days=1).look()
    async with first.read() as session:
        (today, _) = await session.rows(select(PracticeSession).order_by(col(PracticeSession.occurs_on)))
    await change(first, sessions.delete_session, today.id)
    await first.close()

    await SessionPlanner(second, clock, days=1).look()
    clock.move(timedelta(days=1))
    await SessionPlanner(second, clock, days=1).look()

    # What was deleted stays deleted.
    assert await days_planned(second) == [0, 1, 2]
    await second.close()


@pytest.mark.parametrize(
    ("zone", "now", "minute", "expected"),
    [
        # Clocks are set forward over half past two, and the day after it is an hour earlier by UTC.
        ("Europe/Berlin", datetime(2026, 3, 28, 12, tzinfo=UTC), 150, ["28T01:30", "29T01:30", "30T00:30"]),
        # They are set back: half past two comes twice, and the first is meant.
        ("Europe/Berlin", datetime(2026, 10, 24, 12, tzinfo=UTC), 150, ["24T00:30", "25T00:30", "26T01:30"]),
        ("America/New_York", datetime(2026, 11, 1, 3, 59, tzinfo=UTC), 1110, ["31T22:30", "01T23:30", "02T23:30"]),
        # It is tomorrow there already, or still yesterday.
        ("Asia/Seoul", datetime(2026, 11, 21, 15, tzinfo=UTC), 0, ["21T15:00", "22T15:00", "23T15:00"]),
        ("Pacific/Pago_Pago", datetime(2026, 11, 21, 9, tzinfo=UTC), 1380, ["21T10:00", "22T10:00", "23T10:00"]),
    ],
)
async def test_days_and_times_are_by_the_owners_clocks(
    db: Database, clock: ManualClock, goal: Goal, zone: str, now: datetime, minute: int, expected: list[str]
) -> None:
    await change(db, templates.set_time_zone, owner_id=goal.owner_id, name=zone)
    await make_template(db, goal, weekdays=DAILY, minute_of_day=minute)
    clock.time = now

    await SessionPlanner(db, clock, days=2).look()

    assert [f"{at:%dT%H:%M}" for _, at in await planned(db) if at is not None] == expected


async def test_who_watches_a_tree_hears_of_what_is_planned_for_it(db: Database, clock: ManualClock, goal: Goal) -> None:
    await make_template(db, goal, weekdays=[Weekday.SATURDAY])

    with db.bus.listen(goal.id, of=GoalTreeChanged) as heard:
        await SessionPlanner(db, clock, days=1).look()
        (event,) = heard.take()

    assert [one.id for one in event.touched] == [goal.id]


async def test_what_cannot_be_planned_keeps_nobody_else_waiting(
    db: Database, clock: ManualClock, goal: Goal, caplog: pytest.LogCaptureFixture
) -> None:
    other = await make_goal(db, (await make_user(db)).id, LEVELS[3])
    for one in (goal, other):
        await change(db, templates.set_time_zone, owner_id=one.owner_id, name="UTC")
        await make_template(db, one, weekdays=[Weekday.SATURDAY])
    # As after a move to a machine that knows fewer zones.
    async with db.transaction() as tx:
        mars = update(Practice).where(col(Practice.owner_id) == goal.owner_id).values(time_zone="Mars/Olympus")
        await tx.execute(mars)
    planner = SessionPlanner(db, clock, days=1)

    with caplog.at_level(logging.WARNING):
        await planner.look()
        await planner.look()

    async with db.read() as session:
        assert [one.owner_id for one in await session.rows(select(PracticeSession))] == [other.owner_id]
    # Told once, not each minute.
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "Mars/Olympus" in caplog.text


@pytest.mark.parametrize(("days", "expected"), [(3, 4), (0, 0)])
async def test_a_server_plans_as_far_as_it_is_set_to(database_url: str, days: int, expected: int) -> None:
    db = await connect(database_url)
    await first_admin(db, SystemClock())
    now = SystemClock().now()
    goal = await make_goal(db, (await make_user(db)).id, LEVELS[3], now=now)
    await make_template(db, goal, weekdays=DAILY, now=now)

    async with running_house(database_url, has_listener=False, sessions_planned_days=days) as house:
        health = {one.name: one for one in house.house.supervisor.health()}
        if days:
            await eventually(lambda: health["session planner"].facts()["planned"] == expected)
        assert "session planner" in health

    assert len(await planned(db)) == expected
    await db.close()
