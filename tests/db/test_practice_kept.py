"""What the database itself keeps true of practice, whoever writes, and what two people who change one thing leave."""

import asyncio
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import delete, insert, update
from sqlmodel import col, select

from db.access.tables import User
from db.access.viewer import Viewer
from db.batches import Page
from db.database import Database
from db.errors import Conflict, NotFound, Refusal
from db.ids import new_id
from db.practice import operations, queries, sessions
from db.practice.events import GoalTreeChanged
from db.practice.importing import export_goals
from db.practice.paths import label
from db.practice.tables import Goal, PracticeSession, PracticeSessionGoal
from db.practice.vocabulary import PracticeSessionState
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


@pytest.fixture
async def viewer(db: Database) -> Viewer:
    return viewer_of(await make_user(db))


async def store(db: Database, model: Any, *rows: dict[str, Any]) -> None:
    async with db.transaction() as tx:
        for row in rows:
            await tx.execute(insert(model).values(**row))


def copied(row: Any, **changes: Any) -> dict[str, Any]:
    goal_id = new_id()
    return {**row._asdict(), "id": goal_id, "path": label(1, goal_id), "root_id": goal_id, **changes}


async def test_a_goal_stands_under_a_goal_or_a_session_and_never_both(db: Database, viewer: Viewer) -> None:
    goal = await make_goal(db, viewer.user_id, LEVELS[3])
    session = await make_session(db, goal)

    with pytest.raises(Conflict):
        await store(db, Goal, copied(goal, parent_id=goal.id, session_id=session.id))


@pytest.mark.parametrize("column", ["parent_id", "session_id", "within_session_id"])
async def test_nothing_stands_under_what_is_not_there(db: Database, viewer: Viewer, column: str) -> None:
    goal = await make_goal(db, viewer.user_id)

    with pytest.raises(Conflict):
        await store(db, Goal, copied(goal, **{column: new_id()}))


async def test_a_session_is_for_a_goal_once(db: Database, viewer: Viewer) -> None:
    goal = await make_goal(db, viewer.user_id, LEVELS[3])
    session = await make_session(db, goal)

    with pytest.raises(Conflict):
        await store(db, PracticeSessionGoal, {"session_id": session.id, "goal_id": goal.id})


async def test_two_sessions_of_one_owner_never_run(db: Database, viewer: Viewer) -> None:
    session: Any = await make_session(db, await make_goal(db, viewer.user_id, LEVELS[3]))
    running = {**session._asdict(), "state": PracticeSessionState.RUNNING}

    await store(db, PracticeSession, {**running, "id": new_id()})
    with pytest.raises(Conflict):
        await store(db, PracticeSession, {**running, "id": new_id()})


async def test_whoever_is_gone_leaves_nothing_behind(db: Database, viewer: Viewer) -> None:
    *_, short = await make_line(db, viewer.user_id, *LEVELS[:4])
    await make_session(db, short, goal_names=["One"])

    async with db.transaction() as tx:
        await tx.execute(delete(User).where(col(User.id) == viewer.user_id))

    async with db.read() as session:
        assert await session.rows(select(PracticeSession)) == []
    assert (await all_goals(db), await links(db)) == ({}, set())


async def test_children_are_found_under_their_parent_and_parents_above_them(db: Database, viewer: Viewer) -> None:
    top, long = await make_line(db, viewer.user_id, *LEVELS[:2])

    async with db.read() as session:
        children = await queries.goals_by_parent.read(
            session, viewer, [top.id, long.id], Page(limit=9), queries.goals_by_parent.order(None), {}
        )

    assert {goal_id: [child.id for child in window.rows] for goal_id, window in children.items()} == {top.id: [long.id]}


async def test_a_change_of_a_goal_never_moves_it(db: Database, viewer: Viewer) -> None:
    top, long = await make_line(db, viewer.user_id, *LEVELS[:2])

    async with db.transaction() as tx:
        named = {"parent_id": long.id, "session_id": None, "level": LEVELS[6], "owner_id": new_id(), "name": "Top"}
        after = await operations.update_goal(tx, top.id, named, viewer=viewer, now=NOW)

    assert (after.parent_id, after.level, after.owner_id, after.name) == (None, top.level, top.owner_id, "Top")


async def test_who_changes_one_thing_keeps_what_others_changed(db: Database, viewer: Viewer) -> None:
    session = await make_session(db, await make_goal(db, viewer.user_id, LEVELS[3]))
    changes = {"focus": 3, "energy": 4, "productivity": 5, "notes": "Late", "location": "Park"}

    async def change(name: str) -> None:
        async with db.transaction() as tx:
            await sessions.update_session(tx, session.id, {name: changes[name]}, viewer=viewer, now=NOW)

    await asyncio.gather(*map(change, changes))

    async with db.read() as reader:
        (after,) = await reader.rows(select(PracticeSession))
    assert {name: getattr(after, name) for name in changes} == changes


async def test_goals_that_somebody_stored_under_each_other_are_read_to_an_end(db: Database, viewer: Viewer) -> None:
    top, long = await make_line(db, viewer.user_id, *LEVELS[:2], is_completed_with_children=True)
    async with db.transaction() as tx:
        await tx.execute(update(Goal).where(col(Goal.id) == top.id).values(parent_id=long.id))

    async with db.transaction() as tx:
        await operations.complete_goal(tx, long.id, viewer=viewer, now=NOW)
    async with db.read() as session:
        above = await queries.goals_above.read(session, viewer, [top.id, long.id])
        order = queries.goals_below.order(None)
        below = await queries.goals_below.read(session, viewer, [top.id, long.id], Page(limit=9), order, {})
        (tally,) = (await queries.tally_by_goal.read(session, viewer, [top.id])).values()
        file = await export_goals(session, owner_id=viewer.user_id, zone=ZoneInfo("UTC"), viewer=viewer)

    # A path is as long as it was written, whoever names whom as his parent.
    assert {key: [goal.id for goal in found] for key, found in above.items()} == {long.id: [top.id]}
    assert {key: [row.goal_id for row in found.rows] for key, found in below.items()} == {top.id: [long.id]}
    assert (tally.all_goal_count, tally.all_completed_count) == (2, 2)
    assert file == b"[]"


async def test_sessions_are_called_as_their_owner_says_and_two_may_be_called_alike(
    db: Database, viewer: Viewer
) -> None:
    goal = await make_goal(db, viewer.user_id, LEVELS[3])
    first = await make_session(db, goal, name="Monday")
    async with db.transaction() as tx:
        await sessions.delete_session(tx, first.id, viewer=viewer, now=NOW)

    again = await asyncio.gather(*(make_session(db, goal, name="Monday") for _ in range(50)))

    # No number is part of a name, so none is given out twice.
    assert {one.name for one in again} == {"Monday"}
    assert len({one.id for one in (first, *again)}) == 51


async def test_what_is_refused_has_completed_nothing_and_opened_nothing(db: Database, viewer: Viewer) -> None:
    top, long = await make_line(db, viewer.user_id, *LEVELS[:2], is_completed_with_children=True)
    async with db.transaction() as tx:
        await operations.complete_goal(tx, long.id, viewer=viewer, now=NOW)
    before = await all_goals(db)

    async def refused(operation: Any, goal: Goal, by: Viewer) -> type[Refusal]:
        with pytest.raises(Refusal) as found:
            async with db.transaction() as tx:
                await operation(tx, goal.id, viewer=by, now=NOW + timedelta(hours=1))
        return type(found.value)

    stranger = viewer_of(await make_user(db))
    with db.bus.listen(top.id, of=GoalTreeChanged) as heard:
        assert await refused(operations.reopen_goal, top, viewer) is Conflict
        assert await refused(operations.complete_goal, long, viewer) is Conflict
        assert await refused(operations.reopen_goal, long, stranger) is NotFound
        assert heard.take() == []
    assert await all_goals(db) == before
