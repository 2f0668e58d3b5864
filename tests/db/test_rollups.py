"""What stands above and below a goal and what it comes to: as counted one by one, after whatever was done."""

import asyncio
import shutil
from collections.abc import Iterator
from contextlib import suppress
from random import Random
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete
from sqlmodel import select

from db.access.viewer import Viewer
from db.batches import Page
from db.connecting import connect
from db.database import Database
from db.errors import Refusal
from db.practice import operations, queries, sessions
from db.practice.paths import ids_of
from db.practice.tables import Goal, PracticeSession
from tests.support.practice import (
    LEVELS,
    NOW,
    all_goals,
    counted_below,
    links,
    make_goal,
    make_line,
    make_session,
    make_user,
    viewer_of,
)

if TYPE_CHECKING:
    from tests.support.postgresql import Server

_STEPS = 25
_WHOLE = Page(limit=1000)
_TREE = queries.goals_below.order(None)


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def lasting(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A database for many examples, and the loop it lives on."""
    if request.param == "sqlite":
        path = tmp_path_factory.mktemp("rollups") / "ringside.db"
        shutil.copy(request.getfixturevalue("migrated_file"), path)
        url = f"sqlite:///{path}"
    else:
        server: Server = request.getfixturevalue("postgresql_server")
        name = f"ringside_test_{uuid4().hex[:12]}"
        server.create(name, template=request.getfixturevalue("migrated_template"))
        url = server.url(name)
    with asyncio.Runner() as runner:
        db = runner.run(connect(url, pool_size=2))
        yield runner.get_loop().run_until_complete, db
        runner.run(db.close())
    if request.param == "postgresql":
        server.drop(name)


@given(chance=st.randoms(use_true_random=False))
@settings(max_examples=3, deadline=None, suppress_health_check=list(HealthCheck))
def test_what_a_tree_comes_to_is_what_is_counted_one_by_one(lasting: Any, chance: Random) -> None:
    run, db = lasting
    run(_grown_and_counted(db, chance))


async def _grown_and_counted(db: Database, chance: Random) -> None:
    async with db.transaction() as tx:
        await tx.execute(delete(PracticeSession))
        await tx.execute(delete(Goal))
    viewer = viewer_of(await make_user(db))
    await make_line(db, viewer.user_id, *LEVELS[:4])
    for _ in range(_STEPS):
        # What the rules refuse leaves everything as it was.
        with suppress(Refusal):
            await _step(db, viewer, chance)
    await _check(db, viewer)


async def _step(db: Database, viewer: Viewer, chance: Random) -> None:
    """Do something to some goal or session."""
    goals = sorted((await all_goals(db)).values(), key=lambda goal: goal.path)
    async with db.read() as session:
        held = sorted(await session.rows(select(PracticeSession)), key=lambda one: one.id)
    goal, other = chance.choice(goals), chance.choice(goals)
    asked: dict[str, Any] = {"viewer": viewer, "now": NOW}
    kind = chance.randrange(10)
    if kind < 3 or not held:
        await make_goal(db, viewer.user_id, chance.choice(LEVELS), under=goal)
        short = [one for one in goals if one.level is LEVELS[3]]
        if short:
            await make_session(db, *chance.sample(short, k=min(len(short), 2)), goal_names=["a", "b"][: kind + 1])
        return
    tried = chance.choice(held)
    if kind == 3:
        await make_goal(db, viewer.user_id, LEVELS[4], under=tried, is_completed_with_children=True)
        return
    async with db.transaction() as tx:
        if kind == 4:
            await operations.move_goal(tx, goal.id, under=other.id, **asked)
        elif kind == 5:
            await operations.move_goal(tx, goal.id, under_session=tried.id, **asked)
        elif kind == 6:
            await operations.complete_goal(tx, goal.id, **asked)
        elif kind == 7:
            turn_goal = operations.delete_goal if goal.deleted_at is None else operations.restore_goal
            await turn_goal(tx, goal.id, **asked)
        elif kind == 8:
            turn_session = sessions.delete_session if tried.deleted_at is None else sessions.restore_session
            await turn_session(tx, tried.id, **asked)
        else:
            await sessions.start_session(tx, tried.id, **asked)
            await sessions.finish_session(tx, tried.id, viewer=viewer, now=NOW.replace(minute=chance.randrange(60)))


async def _check(db: Database, viewer: Viewer) -> None:
    goals, linked = await all_goals(db), await links(db)
    live = {goal.id: goal for goal in goals.values() if goal.deleted_at is None}
    async with db.read() as session:
        lengths = {one.id: one.practised_ms for one in await session.rows(select(PracticeSession))}
        tallies = await queries.tally_by_goal.read(session, viewer, list(live))
        below = await queries.goals_below.read(session, viewer, list(live), _WHOLE, _TREE, {})
        above = await queries.goals_above.read(session, viewer, list(live))
    assert tallies.keys() == live.keys()
    for goal in live.values():
        found, tried = counted_below(goals.values(), linked, goal.id)
        children = [one for one in live.values() if one.parent_id == goal.id]
        direct = {session_id for session_id, goal_id in linked if goal_id == goal.id}
        tally: Any = tallies[goal.id]
        assert tally._asdict() == {
            "id": goal.id,
            "child_count": len(children),
            "completed_child_count": sum(one.completed_at is not None for one in children),
            "session_count": len(direct),
            "practised_ms": sum(lengths[one] for one in direct),
            "all_goal_count": len(found),
            "all_completed_count": sum(live[one].completed_at is not None for one in found),
            "all_session_count": len(tried),
            "all_practised_ms": sum(lengths[one] for one in tried),
        }
        rows = [] if goal.id not in below else below[goal.id].rows
        assert sorted(row.goal_id for row in rows) == sorted(found - {goal.id})
        assert all(ids_of(row.line)[-1] == row.goal_id and row.depth == len(ids_of(row.line)) for row in rows)
        assert [one.id for one in above.get(goal.id, [])] == _line_up(live, goal.id)
        _check_settled(live[goal.id], children)


def _line_up(goals: dict[UUID, Goal], goal_id: UUID) -> list[UUID]:
    line: list[UUID] = []
    while (parent_id := goals[goal_id].parent_id) is not None:
        line.insert(0, parent_id)
        goal_id = parent_id
    return line


def _check_settled(goal: Goal, children: list[Goal]) -> None:
    are_done = bool(children) and all(one.completed_at is not None for one in children)
    if goal.is_completed_with_children:
        assert goal.completed_at is not None or not are_done
        assert goal.completion_cause != "CHILDREN" or are_done


async def test_a_session_for_two_goals_is_counted_once_above_both(db: Database) -> None:
    viewer = viewer_of(await make_user(db))
    top, mid = await make_line(db, viewer.user_id, LEVELS[0], LEVELS[2])
    one, two = [await make_goal(db, viewer.user_id, LEVELS[3], under=mid) for _ in range(2)]
    session = await make_session(db, one, two, goal_names=["First", "Second"])

    async with db.read() as reader:
        tallies = await queries.tally_by_goal.read(reader, viewer, [top.id, one.id])
        below = (await queries.goals_below.read(reader, viewer, [top.id], _WHOLE, _TREE, {}))[top.id].rows
        tried = await queries.sessions_below.read(
            reader, viewer, [top.id], _WHOLE, queries.sessions_below.order(None), {}
        )

    assert [(found.all_goal_count, found.all_session_count) for found in (tallies[top.id], tallies[one.id])] == [
        (6, 1),
        (3, 1),
    ]
    assert [row.depth for row in below] == [1, 2, 3, 3, 2]
    assert [found.id for found in tried[top.id].rows] == [session.id]


async def test_somebody_elses_goals_are_neither_read_nor_counted(db: Database) -> None:
    owner, other = viewer_of(await make_user(db)), viewer_of(await make_user(db))
    (top, *_) = await make_line(db, owner.user_id, *LEVELS)

    async with db.read() as reader:
        assert await queries.goal_by_id.read(reader, other, [top.id]) == {}
        assert await queries.tally_by_goal.read(reader, other, [top.id]) == {}
        assert await queries.goals_above.read(reader, other, [top.id]) == {}
        assert await queries.goals_below.read(reader, other, [top.id], _WHOLE, _TREE, {}) == {}
        assert await queries.goals_below.count(reader, owner, [top.id], {}) == {top.id: 6}


async def test_pages_of_a_subtree_go_on_where_the_last_one_ended(db: Database) -> None:
    viewer = viewer_of(await make_user(db))
    (top, *_) = line = await make_line(db, viewer.user_id, *LEVELS)

    async def page(**asked: Any) -> list[UUID]:
        wanted = asked.pop("wanted", {})
        async with db.read() as reader:
            found = await queries.goals_below.read(reader, viewer, [top.id], Page(limit=2, **asked), _TREE, wanted)
        places.append(_TREE.position(found[top.id].rows[-1]))
        return [row.goal_id for row in found[top.id].rows]

    places: list[Any] = []
    assert await page() == [goal.id for goal in line[1:3]]
    assert await page(after=places[-1]) == [goal.id for goal in line[3:5]]
    assert await page(before=places[-1], is_backward=True) == [goal.id for goal in line[2:4]]
    assert await page(wanted={"levels": [LEVELS[6]], "max_depth": 6, "is_completed": False}) == [line[6].id]
