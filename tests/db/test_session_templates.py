"""Templates: what is made from them, and what recurs, once for each day and by its owner's clocks."""

import asyncio
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlmodel import select

from db.access.tables import User
from db.access.viewer import Role
from db.database import Database
from db.errors import Conflict, Forbidden, Invalid, NotFound, Refusal
from db.practice import operations, sessions, templates
from db.practice.events import GoalTreeChanged
from db.practice.tables import Goal, PracticeSession, SessionTemplate
from db.practice.templates import instant_of
from db.practice.vocabulary import Weekday
from tests.support.practice import LEVELS, NOW, all_goals, links, make_goal, make_template, make_user, viewer_of

# A Saturday.
TODAY = NOW.date()


@pytest.fixture
async def owner(db: Database) -> User:
    return await make_user(db)


@pytest.fixture
async def goal(db: Database, owner: User) -> Goal:
    return await make_goal(db, owner.id, LEVELS[3])


async def change(db: Database, operation: Any, *given: Any, **named: Any) -> Any:
    async with db.transaction() as tx:
        return await operation(tx, *given, viewer=named.pop("viewer", None), now=NOW, **named)


async def plan(db: Database, owner: User, days: int, **named: Any) -> list[PracticeSession]:
    until = TODAY + timedelta(days=days)
    found: list[PracticeSession] = await change(db, templates.plan_recurring, owner_id=owner.id, until=until, **named)
    return found


async def refusal(db: Database, operation: Any, *given: Any, **named: Any) -> tuple[type, str | None]:
    with pytest.raises(Refusal) as refused:
        await change(db, operation, *given, **named)
    return type(refused.value), refused.value.field


async def test_a_session_is_made_as_the_template_says(db: Database, goal: Goal) -> None:
    said: dict[str, Any] = {"description": "d", "planned_seconds": 600, "location": "Hall", "tags": ["Kick"]}
    template = await make_template(db, goal, goal_names=["Warm up", "", "Kick"], **said)

    session = await change(db, templates.use_template, template.id)

    shown = {name: getattr(session, name) for name in said}
    assert shown == {**said, "tags": ["kick"]}
    assert (session.name, session.state, session.template_id) == ("Evenings", "PLANNED", template.id)
    assert await links(db) == {(session.id, goal.id)}
    under = [one for one in (await all_goals(db)).values() if one.session_id == session.id]
    assert sorted(one.name for one in under) == ["Kick", "Warm up"]


async def test_what_recurs_is_planned_once_for_each_of_its_days(db: Database, owner: User, goal: Goal) -> None:
    days = [Weekday.MONDAY, Weekday.SUNDAY]
    await make_template(db, goal, weekdays=days, minute_of_day=1110, ends_on=TODAY + timedelta(days=8))
    await make_template(db, goal, name="Never")

    first = await plan(db, owner, 2)
    again = await plan(db, owner, 9)

    assert [(one.occurs_on, one.planned_at) for one in first] == [
        (date(2026, 11, 22), datetime(2026, 11, 22, 18, 30, tzinfo=UTC)),
        (date(2026, 11, 23), datetime(2026, 11, 23, 18, 30, tzinfo=UTC)),
    ]
    assert [one.occurs_on for one in again] == [date(2026, 11, 29)]


async def test_what_is_planned_by_many_at_once_is_planned_once(db: Database, owner: User, goal: Goal) -> None:
    await make_template(db, goal, weekdays=list(Weekday))

    made = await asyncio.gather(*(plan(db, owner, 2) for _ in range(50)))

    assert sorted(len(found) for found in made) == [0] * 49 + [3]


async def test_what_was_deleted_is_not_planned_again(db: Database, owner: User, goal: Goal) -> None:
    await make_template(db, goal, weekdays=list(Weekday))
    (session,) = await plan(db, owner, 0)

    await change(db, sessions.delete_session, session.id)

    assert await plan(db, owner, 0) == []


async def test_days_are_those_of_the_owners_zone(db: Database, owner: User, goal: Goal) -> None:
    await change(db, templates.set_time_zone, owner_id=owner.id, name="Pacific/Kiritimati")
    await make_template(db, goal, weekdays=[Weekday.SATURDAY], minute_of_day=60)

    (session,) = await plan(db, owner, 0)

    assert (session.occurs_on, session.planned_at) == (TODAY, datetime(2026, 11, 20, 11, tzinfo=UTC))
    assert await refusal(db, templates.set_time_zone, owner_id=owner.id, name="Mars") == (Invalid, "time_zone")


def test_a_time_that_clocks_leave_out_is_still_a_time() -> None:
    berlin = ZoneInfo("Europe/Berlin")

    assert instant_of(date(2026, 3, 29), 150, berlin) == datetime(2026, 3, 29, 1, 30, tzinfo=UTC)
    assert instant_of(date(2026, 3, 30), 150, berlin) == datetime(2026, 3, 30, 0, 30, tzinfo=UTC)


async def test_a_template_outlives_its_goals_and_sessions_outlive_their_template(
    db: Database, owner: User, goal: Goal
) -> None:
    template = await make_template(db, goal, weekdays=list(Weekday))
    (session,) = await plan(db, owner, 0)
    await change(db, operations.delete_goal, goal.id)

    assert await refusal(db, templates.use_template, template.id) == (Conflict, "id")
    assert await plan(db, owner, 3) == []
    other = await make_goal(db, owner.id, LEVELS[3])
    await change(db, templates.update_template, template.id, {"name": "Mornings"}, goal_ids=[other.id])
    assert len(await plan(db, owner, 3)) == 3
    await change(db, templates.delete_template, template.id)
    async with db.read() as reader:
        kept = {one.id: one.template_id for one in await reader.rows(select(PracticeSession))}
        assert await reader.rows(select(SessionTemplate)) == []
    assert kept[session.id] is None
    assert len(kept) == 4


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": ""}, "name"),
        ({"minute_of_day": 1440}, "minute_of_day"),
        ({"planned_seconds": -1}, "planned_seconds"),
        ({"goal_names": ["x"] * 51}, "goal_names"),
        ({"goal_names": ["x" * 256]}, "name"),
    ],
)
async def test_what_cannot_be_said_of_a_template_is_refused(
    db: Database, goal: Goal, changes: dict[str, Any], field: str
) -> None:
    template = await make_template(db, goal)

    assert await refusal(db, templates.update_template, template.id, changes) == (Invalid, field)


async def test_a_name_is_given_once_and_nobody_else_may_look(db: Database, owner: User, goal: Goal) -> None:
    template, other = await make_template(db, goal), await make_template(db, goal, name="Mornings")
    stranger = viewer_of(await make_user(db, role=Role.OPERATOR))

    with pytest.raises(Conflict):
        await make_template(db, goal)
    assert await refusal(db, templates.update_template, other.id, {"name": "Evenings"}) == (Conflict, "name")
    assert await refusal(db, templates.use_template, template.id, viewer=stranger) == (NotFound, "id")
    for days in (-1, 93):
        with pytest.raises(Invalid):
            await plan(db, owner, days)
    with pytest.raises(Forbidden):
        await plan(db, owner, 1, viewer=stranger)


@pytest.mark.parametrize("is_planned", [False, True])
async def test_what_is_rolled_back_is_told_to_nobody(
    db: Database,
    owner: User,
    goal: Goal,
    is_planned: bool,  # noqa: FBT001 -- one of two
) -> None:
    template = await make_template(db, goal, weekdays=list(Weekday))

    async def fail() -> None:
        async with db.transaction() as tx:
            if is_planned:
                await templates.plan_recurring(tx, owner_id=owner.id, until=TODAY, viewer=None, now=NOW)
            else:
                await templates.use_template(tx, template.id, viewer=None, now=NOW)
            raise ZeroDivisionError

    with db.bus.listen(goal.id, of=GoalTreeChanged) as heard:
        with pytest.raises(ZeroDivisionError):
            await fail()
        assert heard.take() == []
        await change(db, templates.use_template, template.id)
        assert len(heard.take()) == 1
