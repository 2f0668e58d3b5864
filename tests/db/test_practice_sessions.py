"""Sessions: one runs at a time, pauses count nothing, and what is over can be noted down and taken back."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from sqlmodel import select

from db.access.tables import User
from db.access.viewer import Role
from db.database import Database
from db.errors import Conflict, Forbidden, Invalid, NotFound, Refusal
from db.practice import operations, sessions
from db.practice.events import GoalTreeChanged, PracticeSessionChanged
from db.practice.tables import Goal, PracticePause, PracticeReview, PracticeSession
from tests.support.practice import (
    LEVELS,
    NOW,
    all_goals,
    links,
    make_goal,
    make_line,
    make_session,
    make_user,
    viewer_of,
)

SHORT = LEVELS[3]


@pytest.fixture
async def owner(db: Database) -> User:
    return await make_user(db)


@pytest.fixture
async def goal(db: Database, owner: User) -> Goal:
    return await make_goal(db, owner.id, SHORT)


async def change(
    db: Database, operation: Any, session: PracticeSession, *given: Any, minute: int = 0, **named: Any
) -> Any:
    async with db.transaction() as tx:
        now = NOW + timedelta(minutes=minute)
        return await operation(tx, session.id, *given, viewer=named.pop("viewer", None), now=now, **named)


async def log(db: Database, goal: Goal, start: int, end: int) -> PracticeSession:
    times = NOW - timedelta(minutes=start), NOW - timedelta(minutes=end)
    async with db.transaction() as tx:
        return await sessions.create_session(
            tx,
            owner_id=goal.owner_id,
            goal_ids=[goal.id],
            changes={"name": "Over"},
            times=times,
            viewer=None,
            now=NOW,
        )


async def refusal(
    db: Database, operation: Any, session: PracticeSession, *given: Any, **named: Any
) -> tuple[type, str | None]:
    with pytest.raises(Refusal) as refused:
        await change(db, operation, session, *given, **named)
    return type(refused.value), refused.value.field


async def test_a_session_is_planned_for_short_term_goals_with_immediate_ones_under_it(
    db: Database, owner: User, goal: Goal
) -> None:
    other = await make_goal(db, owner.id, SHORT)

    session = await make_session(db, goal, other, goal_names=["One", " ", "Two"], tags=["Kick", "kick", "a"])

    under = sorted((one for one in (await all_goals(db)).values() if one.session_id), key=lambda one: one.position)
    assert (session.state, session.tags, session.practised_ms) == ("PLANNED", ["a", "kick"], 0)
    assert await links(db) == {(session.id, goal.id), (session.id, other.id)}
    assert [(one.name, one.level, one.session_id) for one in under] == [
        ("One", "IMMEDIATE", session.id),
        ("Two", "IMMEDIATE", session.id),
    ]


async def test_a_session_is_for_one_to_ten_short_term_goals_of_its_owner(db: Database, owner: User, goal: Goal) -> None:
    mid = await make_goal(db, owner.id, LEVELS[2])
    theirs = await make_goal(db, (await make_user(db)).id, SHORT)
    many = [await make_goal(db, owner.id, SHORT) for _ in range(11)]
    session = await make_session(db, goal)

    for goals, refused in (([], Invalid), (many, Invalid), ([mid], Invalid), ([goal, theirs], NotFound)):
        named = [one.id for one in goals]
        assert await refusal(db, sessions.set_session_goals, session, named) == (refused, "goal_ids")
    assert await links(db) == {(session.id, goal.id)}
    await change(db, sessions.set_session_goals, session, [one.id for one in many[:10]] * 2)
    assert await links(db) == {(session.id, one.id) for one in many[:10]}


async def test_a_clock_counts_what_lies_between_pauses(db: Database, goal: Goal) -> None:
    session = await make_session(db, goal)

    started = await change(db, sessions.start_session, session)
    paused = await change(db, sessions.pause_session, session, minute=10)
    resumed = await change(db, sessions.resume_session, session, minute=15)
    finished = await change(db, sessions.finish_session, session, minute=20)

    states = [(one.state, one.practised_ms, one.running_since) for one in (started, paused, resumed, finished)]
    assert states == [
        ("RUNNING", 0, NOW),
        ("PAUSED", 600_000, None),
        ("RUNNING", 600_000, NOW + timedelta(minutes=15)),
        ("FINISHED", 900_000, None),
    ]
    assert (finished.started_at, finished.ended_at) == (NOW, NOW + timedelta(minutes=20))
    async with db.read() as reader:
        pauses = await reader.rows(select(PracticePause))
    assert [(one.started_at, one.ended_at) for one in pauses] == [
        (NOW + timedelta(minutes=10), NOW + timedelta(minutes=15))
    ]


async def test_a_clock_that_is_set_back_takes_nothing_away(db: Database, goal: Goal) -> None:
    session = await make_session(db, goal)
    await change(db, sessions.start_session, session, minute=5)

    assert (await change(db, sessions.pause_session, session, minute=1)).practised_ms == 0


@pytest.mark.parametrize(
    ("before", "refused"),
    [
        ([], ["pause", "resume"]),
        (["start"], ["start", "resume"]),
        (["start", "pause"], ["start", "pause"]),
        (["start", "finish"], ["start", "pause", "resume", "finish"]),
        (["finish"], ["start", "pause", "resume", "finish"]),
    ],
)
async def test_a_session_goes_one_way(db: Database, goal: Goal, before: list[str], refused: list[str]) -> None:
    session = await make_session(db, goal)
    for verb in before:
        await change(db, getattr(sessions, f"{verb}_session"), session)

    for verb in refused:
        assert await refusal(db, getattr(sessions, f"{verb}_session"), session) == (Conflict, "id")


async def test_of_fifty_sessions_started_at_once_one_runs(db: Database, goal: Goal) -> None:
    planned = [await make_session(db, goal) for _ in range(50)]

    async def start(session: PracticeSession) -> bool:
        try:
            await change(db, sessions.start_session, session)
        except Conflict:
            return False
        return True

    assert sum(await asyncio.gather(*map(start, planned))) == 1


async def test_a_paused_session_goes_on_once_nothing_else_runs(db: Database, goal: Goal) -> None:
    first, second = await make_session(db, goal), await make_session(db, goal)
    await change(db, sessions.start_session, first)
    await change(db, sessions.pause_session, first)
    await change(db, sessions.start_session, second)

    assert await refusal(db, sessions.resume_session, first) == (Conflict, "id")
    await change(db, sessions.finish_session, second)
    assert (await change(db, sessions.resume_session, first)).state == "RUNNING"


async def test_fifty_interruptions_at_once_are_fifty(db: Database, goal: Goal) -> None:
    session = await make_session(db, goal)

    counts = await asyncio.gather(*(change(db, sessions.interrupt_session, session) for _ in range(50)))

    assert sorted(one.interruption_count for one in counts) == list(range(1, 51))


async def test_what_is_over_is_noted_down_where_nothing_else_was(db: Database, goal: Goal) -> None:
    over = await log(db, goal, 60, 30)

    assert (over.state, over.practised_ms) == ("FINISHED", 1_800_000)
    for start, end in ((60, 30), (45, 40), (70, 59), (31, 5)):
        with pytest.raises(Conflict, match="practised at that time"):
            await log(db, goal, start, end)
    for start, end in ((10, 20), (5, -1)):
        with pytest.raises(Invalid) as refused:
            await log(db, goal, start, end)
        assert refused.value.field == "ended_at"
    await log(db, goal, 30, 29)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": ""}, "name"),
        ({"focus": 0}, "focus"),
        ({"energy": 11}, "energy"),
        ({"productivity": -1}, "productivity"),
        ({"planned_seconds": 0}, "planned_seconds"),
        ({"tags": [str(number) for number in range(21)]}, "tags"),
        ({"tags": [" "]}, "tags"),
        ({"notes": "x" * 20_001}, "notes"),
        ({"location": "\x00"}, "location"),
    ],
)
async def test_what_cannot_be_said_of_a_session_is_refused(
    db: Database, goal: Goal, changes: dict[str, Any], field: str
) -> None:
    session = await make_session(db, goal)

    assert await refusal(db, sessions.update_session, session, changes) == (Invalid, field)


async def test_a_review_is_one_however_often_it_is_written(db: Database, goal: Goal) -> None:
    session = await make_session(db, goal)

    await change(db, sessions.review_session, session, {"went_well": " Kicks ", "next_time": "Sleep"})
    await change(db, sessions.review_session, session, {"went_badly": "Late", "next_time": None}, minute=1)

    async with db.read() as reader:
        (review,) = await reader.rows(select(PracticeReview))
    assert (review.went_well, review.went_badly, review.next_time) == ("Kicks", "Late", "")
    assert (review.created_at, review.changed_at) == (NOW, NOW + timedelta(minutes=1))


async def test_a_deleted_session_takes_its_goals_and_brings_them_back(db: Database, goal: Goal) -> None:
    session = await make_session(db, goal, goal_names=["One", "Two"])
    one = next(found for found in (await all_goals(db)).values() if found.name == "One")
    await change(db, operations.delete_goal, one)  # type: ignore[arg-type]  # it has an id, too
    await change(db, sessions.start_session, session)

    gone = await change(db, sessions.delete_session, session, minute=1)

    assert (gone.state, gone.practised_ms, gone.deleted_at) == ("FINISHED", 60_000, NOW + timedelta(minutes=1))
    assert [found.id for found in (await all_goals(db)).values() if not found.deleted_at] == [goal.id]
    assert await refusal(db, sessions.finish_session, session) == (NotFound, "id")
    await change(db, sessions.restore_session, session)
    assert {found.name for found in (await all_goals(db)).values() if not found.deleted_at} == {
        "SHORT_TERM".title(),
        "Two",
    }
    assert await refusal(db, sessions.restore_session, session) == (NotFound, "id")


async def test_a_session_outlives_the_goals_it_was_for(db: Database, owner: User) -> None:
    top, short = await make_line(db, owner.id, LEVELS[0], SHORT)
    session = await make_session(db, short)

    await change(db, operations.delete_goal, top)  # type: ignore[arg-type]  # as above

    assert (await change(db, sessions.start_session, session)).state == "RUNNING"


async def test_nobody_but_the_owner_and_an_admin_changes_a_session(db: Database, goal: Goal) -> None:
    session = await make_session(db, goal)
    other = viewer_of(await make_user(db, role=Role.OPERATOR))

    assert await refusal(db, sessions.start_session, session, viewer=other) == (NotFound, "id")
    async with db.transaction() as tx:
        with pytest.raises(Forbidden):
            await sessions.create_session(
                tx, owner_id=goal.owner_id, goal_ids=[goal.id], changes={"name": "x"}, viewer=other, now=NOW
            )
    admin = viewer_of(await make_user(db, role=Role.ADMIN))
    assert (await change(db, sessions.start_session, session, viewer=admin)).state == "RUNNING"


async def test_whoever_watches_a_session_or_its_tree_is_told(db: Database, owner: User) -> None:
    top, short = await make_line(db, owner.id, LEVELS[0], SHORT)
    session = await make_session(db, short)

    with (
        db.bus.listen(session.id, of=PracticeSessionChanged) as of_session,
        db.bus.listen(top.id, of=GoalTreeChanged) as of_tree,
    ):
        started = await change(db, sessions.start_session, session)
        assert (await anext(of_session)).session == started
        assert [goal.id for goal in (await anext(of_tree)).touched] == [top.id, short.id]


@pytest.mark.parametrize(
    "operation",
    [sessions.start_session, sessions.finish_session, sessions.interrupt_session, sessions.delete_session],
)
async def test_what_is_rolled_back_is_told_to_nobody(db: Database, goal: Goal, operation: Any) -> None:
    session = await make_session(db, goal)

    async def fail() -> None:
        async with db.transaction() as tx:
            await operation(tx, session.id, viewer=None, now=NOW)
            raise ZeroDivisionError

    with (
        db.bus.listen(session.id, of=PracticeSessionChanged) as of_session,
        db.bus.listen(goal.id, of=GoalTreeChanged) as of_tree,
    ):
        with pytest.raises(ZeroDivisionError):
            await fail()
        assert (of_session.take(), of_tree.take()) == ([], [])
