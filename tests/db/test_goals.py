"""Goals: each stands where its level, its owner and its deadline let it, and a tree is whole after every change."""

import asyncio
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import pytest

from db.access.tables import User
from db.access.viewer import Role
from db.database import Database
from db.errors import Conflict, Forbidden, Invalid, NotFound, Refusal
from db.ids import new_id
from db.practice import operations
from db.practice.events import GoalTreeChanged
from db.practice.paths import END, LABEL, STEP, between, depth_of, ids_of, label
from db.practice.tables import Goal
from db.practice.vocabulary import GoalCompletionCause, GoalLevel
from db.session import Transaction
from tests.support.practice import (
    LEVELS,
    NOW,
    all_goals,
    make_goal,
    make_line,
    make_session,
    make_user,
    viewer_of,
)

ULTIMATE, LONG, MID, SHORT, IMMEDIATE, MICRO, NANO = LEVELS


@pytest.fixture
async def owner(db: Database) -> User:
    return await make_user(db)


async def change(db: Database, operation: Any, goal: Goal | UUID, *given: Any, **named: Any) -> Any:
    async with db.transaction() as tx:
        goal_id = goal if isinstance(goal, UUID) else goal.id
        return await operation(
            tx, goal_id, *given, viewer=named.pop("viewer", None), now=named.pop("now", NOW), **named
        )


async def refusal(
    db: Database, operation: Any, goal: Goal | UUID, *given: Any, **named: Any
) -> tuple[type, str | None]:
    before = await all_goals(db)
    with pytest.raises(Refusal) as refused:
        await change(db, operation, goal, *given, **named)
    assert await all_goals(db) == before
    return type(refused.value), refused.value.field


async def names_in_order(db: Database) -> list[str]:
    return [goal.name for goal in sorted((await all_goals(db)).values(), key=lambda goal: goal.path)]


def check_whole(goals: dict[UUID, Goal]) -> None:
    """Every path goes on from that of the parent, and says the same root."""
    for goal in goals.values():
        above = goals.get(goal.parent_id) if goal.parent_id is not None else None
        prefix = "" if above is None else above.path
        assert goal.path == prefix + label(goal.position, goal.id)
        assert goal.root_id == (goal.id if above is None else above.root_id)
        assert goal.within_session_id == (goal.session_id if above is None else above.within_session_id)


# Paths


def test_a_path_names_every_goal_from_the_top_and_sorts_as_a_tree_is_read() -> None:
    first, second, child = new_id(), new_id(), new_id()
    top, other = label(STEP, first), label(2 * STEP, second)
    path = top + label(1, child)

    assert (ids_of(path), depth_of(path), depth_of(top), len(path)) == ([first, child], 1, 0, 2 * LABEL)
    assert top < path < top + END < other


def test_there_is_room_between_any_two_siblings_until_they_touch() -> None:
    assert between(None, None) == STEP
    assert between(5, None) == 5 + STEP
    assert between(None, 9) == 4
    assert between(4, 9) == 6
    assert between(4, 5) is None
    assert between((1 << 48) - 1, None) is None


# Making


@pytest.mark.parametrize("level", [ULTIMATE, LONG, MID, SHORT])
async def test_a_goal_of_a_far_level_may_stand_at_the_top(db: Database, owner: User, level: GoalLevel) -> None:
    goal = await make_goal(db, owner.id, level)

    assert (goal.root_id, goal.parent_id, goal.session_id, depth_of(goal.path)) == (goal.id, None, None, 0)


async def test_a_near_goal_needs_something_to_stand_under(db: Database, owner: User) -> None:
    for level in (IMMEDIATE, MICRO, NANO):
        with pytest.raises(Invalid, match="stands under another goal or a session") as refused:
            await make_goal(db, owner.id, level)
        assert refused.value.field == "level"


async def test_a_childs_level_is_nearer_than_its_parents_and_may_skip_some(db: Database, owner: User) -> None:
    for parent in (ULTIMATE, LONG, MID, SHORT):
        top = await make_goal(db, owner.id, parent)
        for child in LEVELS:
            if LEVELS.index(child) > LEVELS.index(parent):
                made = await make_goal(db, owner.id, child, under=top)
                assert (made.parent_id, made.root_id, depth_of(made.path)) == (top.id, top.id, 1)
                continue
            with pytest.raises(Invalid, match=f"level {child} cannot stand under one of level {parent}") as refused:
                await make_goal(db, owner.id, child, under=top)
            assert refused.value.field == "parent_id"


async def test_under_a_session_stand_immediate_goals_and_nearer(db: Database, owner: User) -> None:
    session = await make_session(db, await make_goal(db, owner.id, SHORT))

    for level in (IMMEDIATE, MICRO, NANO):
        made = await make_goal(db, owner.id, level, under=session)
        assert (made.session_id, made.within_session_id, made.root_id) == (session.id, session.id, made.id)
    with pytest.raises(Invalid, match="Under a session stand goals of level IMMEDIATE"):
        await make_goal(db, owner.id, SHORT, under=session)
    check_whole(await all_goals(db))


async def test_a_goal_stands_under_its_owners_goals_alone(db: Database, owner: User) -> None:
    theirs = await make_goal(db, (await make_user(db)).id)
    own = await make_goal(db, owner.id)

    with pytest.raises(NotFound) as refused:
        await make_goal(db, owner.id, LONG, under=theirs)

    assert refused.value.field == "parent_id"
    assert await refusal(db, operations.move_goal, await make_goal(db, owner.id, LONG), under=theirs.id) == (
        NotFound,
        "parent_id",
    )
    assert await refusal(db, operations.move_goal, theirs, under=own.id) == (NotFound, "parent_id")


async def test_nobody_but_the_owner_and_an_admin_changes_a_goal(db: Database, owner: User) -> None:
    goal = await make_goal(db, owner.id)
    other, admin = viewer_of(await make_user(db, role=Role.OPERATOR)), viewer_of(await make_user(db, role=Role.ADMIN))

    assert await refusal(db, operations.complete_goal, goal, viewer=other) == (NotFound, "id")
    async with db.transaction() as tx:
        with pytest.raises(Forbidden):
            await operations.create_goal(tx, owner_id=owner.id, level=MID, changes={"name": "x"}, viewer=other, now=NOW)
    done = await change(db, operations.complete_goal, goal, viewer=admin)
    assert (done.completed_at, done.completion_cause, done.completed_by_id) == (
        NOW,
        GoalCompletionCause.MANUAL,
        admin.user_id,
    )


@pytest.mark.parametrize(
    ("changes", "field"),
    [({"name": " "}, "name"), ({"name": "x" * 256}, "name"), ({"description": "x" * 5001}, "description")],
)
async def test_what_cannot_be_said_of_a_goal_is_refused(
    db: Database, owner: User, changes: dict[str, Any], field: str
) -> None:
    goal = await make_goal(db, owner.id)

    assert await refusal(db, operations.update_goal, goal, changes) == (Invalid, field)


# Deadlines


async def test_a_goal_is_due_no_later_than_any_goal_above(db: Database, owner: User) -> None:
    top = await make_goal(db, owner.id, deadline=date(2026, 12, 31))
    between_them = await make_goal(db, owner.id, LONG, under=top)

    with pytest.raises(Invalid, match="The deadline 2027-01-01 is behind 2026-12-31") as refused:
        await make_goal(db, owner.id, MID, under=between_them, deadline=date(2027, 1, 1))
    assert refused.value.field == "deadline"
    low = await make_goal(db, owner.id, MID, under=between_them, deadline=date(2026, 12, 31))
    assert await refusal(db, operations.update_goal, low, {"deadline": date(2027, 1, 1)}) == (Invalid, "deadline")


async def test_an_earlier_deadline_pulls_all_that_is_below_past_goals_without_one(db: Database, owner: User) -> None:
    top = await make_goal(db, owner.id, deadline=date(2026, 12, 31))
    bare = await make_goal(db, owner.id, LONG, under=top)
    late = await make_goal(db, owner.id, MID, under=bare, deadline=date(2026, 12, 30))
    early = await make_goal(db, owner.id, MID, under=bare, deadline=date(2026, 10, 1))

    await change(db, operations.update_goal, top, {"deadline": date(2026, 11, 30)})

    after = await all_goals(db)
    assert [after[goal.id].deadline for goal in (top, bare, late, early)] == [
        date(2026, 11, 30),
        None,
        date(2026, 11, 30),
        date(2026, 10, 1),
    ]


async def test_a_subtree_moves_only_where_all_of_it_is_in_time(db: Database, owner: User) -> None:
    soon = await make_goal(db, owner.id, deadline=date(2026, 12, 1))
    mid = await make_goal(db, owner.id, MID)
    await make_goal(db, owner.id, SHORT, under=mid, deadline=date(2026, 12, 2))

    assert await refusal(db, operations.move_goal, mid, under=soon.id) == (Invalid, "parent_id")


# Moving


async def test_a_subtree_moves_whole(db: Database, owner: User) -> None:
    top, long, mid, short = await make_line(db, owner.id, ULTIMATE, LONG, MID, SHORT)
    other = await make_goal(db, owner.id)

    await change(db, operations.move_goal, long, under=other.id)

    after = await all_goals(db)
    check_whole(after)
    assert {goal.root_id for goal in after.values() if goal.id != top.id} == {other.id}
    assert ids_of(after[short.id].path) == [other.id, long.id, mid.id, short.id]


async def test_a_goal_moves_before_and_after_others_wherever_they_stand(db: Database, owner: User) -> None:
    top = await make_goal(db, owner.id, name="top")
    a, b, c = [await make_goal(db, owner.id, LONG, under=top, name=name) for name in "abc"]
    lone = await make_goal(db, owner.id, MID, name="lone")

    await change(db, operations.move_goal, c, before=a.id)
    assert await names_in_order(db) == ["top", "c", "a", "b", "lone"]
    await change(db, operations.move_goal, c, after=a.id)
    assert await names_in_order(db) == ["top", "a", "c", "b", "lone"]
    await change(db, operations.move_goal, lone, before=b.id)
    assert await names_in_order(db) == ["top", "a", "c", "lone", "b"]
    await change(db, operations.move_goal, lone)
    assert await names_in_order(db) == ["top", "a", "c", "b", "lone"]
    check_whole(await all_goals(db))


async def test_there_is_always_room_to_put_a_goal_between_two(db: Database, owner: User) -> None:
    top = await make_goal(db, owner.id, name="top")
    first, last, *others = [await make_goal(db, owner.id, LONG, under=top, name=name) for name in "azbc"]
    await make_goal(db, owner.id, MID, under=others[0], name="b's")

    for turn in range(40):
        await change(db, operations.move_goal, others[turn % 2], after=first.id)

    assert await names_in_order(db) == ["top", "a", "c", "b", "b's", "z"]
    assert last.name == "z"
    check_whole(await all_goals(db))


async def test_a_goal_does_not_go_under_itself_by_any_write(db: Database, owner: User) -> None:
    top, long, mid = await make_line(db, owner.id, ULTIMATE, LONG, MID)

    for under in (top, long, mid):
        assert await refusal(db, operations.move_goal, top, under=under.id) == (Conflict, "parent_id")
    assert await refusal(db, operations.move_goal, top, after=mid.id) == (Conflict, "after_id")
    assert await refusal(db, operations.move_goal, mid, before=mid.id) == (Conflict, "before_id")
    assert await refusal(db, operations.move_goal, mid, under=top.id, before=long.id) == (Invalid, "id")


async def test_two_moves_at_once_never_make_a_ring(db: Database, owner: User) -> None:
    """Of goals of several levels, moved under each other by many at once, each still leads to a top."""
    tops = [await make_goal(db, owner.id, level) for level in (ULTIMATE, LONG, MID, SHORT) for _ in range(3)]

    async def move(number: int) -> None:
        goal, under = tops[number % 12], tops[(number * 7 + 5) % 12]
        try:
            await change(db, operations.move_goal, goal, under=under.id)
        except Refusal:
            return

    await asyncio.gather(*(move(number) for number in range(50)))

    check_whole(await all_goals(db))


async def test_a_level_fits_between_those_above_and_below(db: Database, owner: User) -> None:
    _, mid, immediate = await make_line(db, owner.id, ULTIMATE, MID, IMMEDIATE)

    assert (await change(db, operations.convert_goal, mid, LONG)).level is LONG
    assert (await change(db, operations.convert_goal, mid, SHORT)).level is SHORT
    assert await refusal(db, operations.convert_goal, mid, ULTIMATE) == (Invalid, "level")
    assert await refusal(db, operations.convert_goal, mid, IMMEDIATE) == (Conflict, "level")
    await make_session(db, (await all_goals(db))[mid.id])
    assert await refusal(db, operations.convert_goal, mid, MID) == (Conflict, "level")
    assert (await change(db, operations.convert_goal, immediate, NANO)).level is NANO


# Completing


async def test_a_parent_completes_with_its_children_and_opens_when_one_does(db: Database, owner: User) -> None:
    top, long = await make_line(db, owner.id, ULTIMATE, LONG, is_completed_with_children=True)
    one, two = [await make_goal(db, owner.id, MID, under=long) for _ in range(2)]

    await change(db, operations.complete_goal, one)
    assert (await all_goals(db))[top.id].completed_at is None
    await change(db, operations.complete_goal, two)
    causes = [(await all_goals(db))[goal.id].completion_cause for goal in (top, long, one, two)]
    assert causes == ["CHILDREN", "CHILDREN", "MANUAL", "MANUAL"]

    assert await refusal(db, operations.reopen_goal, long) == (Conflict, "id")
    await change(db, operations.reopen_goal, one)
    assert [(await all_goals(db))[goal.id].completed_at for goal in (top, long, one, two)] == [None, None, None, NOW]


async def test_whatever_changes_the_children_settles_the_parent(db: Database, owner: User) -> None:
    parent = await make_goal(db, owner.id, is_completed_with_children=True)
    other = await make_goal(db, owner.id)
    done, opened = [await make_goal(db, owner.id, LONG, under=parent) for _ in range(2)]
    await change(db, operations.complete_goal, done)

    async def is_complete() -> bool:
        return (await all_goals(db))[parent.id].completed_at is not None

    assert not await is_complete()
    await change(db, operations.delete_goal, opened)
    assert await is_complete()
    await change(db, operations.restore_goal, opened)
    assert not await is_complete()
    await change(db, operations.move_goal, opened, under=other.id)
    assert await is_complete()
    await make_goal(db, owner.id, LONG, under=parent)
    assert not await is_complete()
    await change(db, operations.update_goal, parent, {"is_completed_with_children": False})
    await change(db, operations.complete_goal, parent)
    assert await is_complete()
    assert await refusal(db, operations.complete_goal, parent) == (Conflict, "id")
    await change(db, operations.reopen_goal, parent)
    assert await refusal(db, operations.reopen_goal, parent) == (Conflict, "id")


async def test_fifty_children_completed_at_once_complete_their_parent(db: Database, owner: User) -> None:
    parent = await make_goal(db, owner.id, is_completed_with_children=True)
    children = [await make_goal(db, owner.id, LONG, under=parent) for _ in range(50)]

    await asyncio.gather(*(change(db, operations.complete_goal, child) for child in children))

    after = (await all_goals(db))[parent.id]
    assert (after.completion_cause, after.tree_revision) == (GoalCompletionCause.CHILDREN, 101)


# Deleting


async def test_a_deleted_goal_takes_its_subtree_and_brings_back_that_alone(db: Database, owner: User) -> None:
    top, long, mid, short = await make_line(db, owner.id, ULTIMATE, LONG, MID, SHORT)
    await change(db, operations.delete_goal, short)
    await change(db, operations.delete_goal, long)

    assert {goal.id for goal in (await all_goals(db)).values() if goal.deleted_at is None} == {top.id}
    assert await refusal(db, operations.restore_goal, mid) == (Conflict, "id")
    assert await refusal(db, operations.restore_goal, short) == (Conflict, "id")
    assert await refusal(db, operations.restore_goal, top) == (NotFound, "id")
    assert await refusal(db, operations.update_goal, long, {"name": "x"}) == (NotFound, "id")
    await change(db, operations.restore_goal, long)
    assert {goal.id for goal in (await all_goals(db)).values() if goal.deleted_at is not None} == {short.id}
    await change(db, operations.restore_goal, short)
    check_whole(await all_goals(db))


async def test_what_was_deleted_comes_back_only_where_it_may_stand_by_now(db: Database, owner: User) -> None:
    mid, short = await make_line(db, owner.id, MID, SHORT)
    await change(db, operations.delete_goal, short)
    await change(db, operations.convert_goal, mid, SHORT)

    assert await refusal(db, operations.restore_goal, short) == (Invalid, "id")


# Telling


async def put_back(tx: Transaction, goal_id: UUID, **asked: Any) -> None:
    await operations.complete_goal(tx, goal_id, **asked)
    await operations.reopen_goal(tx, goal_id, **asked)
    await operations.delete_goal(tx, goal_id, **asked)
    await operations.restore_goal(tx, goal_id, **asked)


async def test_whoever_watches_a_tree_is_told_of_all_that_was_touched(db: Database, owner: User) -> None:
    top, long, mid = await make_line(db, owner.id, ULTIMATE, LONG, MID)
    other = await make_goal(db, owner.id)

    with db.bus.listen(top.id, other.id, of=GoalTreeChanged) as heard:
        await change(db, operations.move_goal, mid, under=other.id)
        told = [await anext(heard), *heard.take()]

    assert [(event.root.id, [goal.id for goal in event.touched]) for event in told] == [
        (top.id, [top.id, long.id]),
        (other.id, [other.id, mid.id]),
    ]


async def test_a_tree_that_becomes_part_of_another_is_told_so(db: Database, owner: User) -> None:
    mid, top = await make_goal(db, owner.id, MID), await make_goal(db, owner.id)

    with db.bus.listen(mid.id, of=GoalTreeChanged) as heard:
        await change(db, operations.move_goal, mid, under=top.id)
        event = await anext(heard)

    assert (event.root.root_id, event.touched) == (top.id, ())


@pytest.mark.parametrize(
    ("operation", "given"),
    [
        (operations.update_goal, [{"name": "Another"}]),
        (operations.move_goal, []),
        (operations.convert_goal, [MID]),
        (operations.complete_goal, []),
        (operations.delete_goal, []),
        (put_back, []),
    ],
)
async def test_what_is_rolled_back_is_told_to_nobody(
    db: Database, owner: User, operation: Any, given: list[Any]
) -> None:
    top, goal = await make_line(db, owner.id, ULTIMATE, LONG)
    before = await all_goals(db)

    async def fail() -> None:
        async with db.transaction() as tx:
            await operation(tx, goal.id, *given, viewer=None, now=NOW + timedelta(seconds=1))
            raise ZeroDivisionError

    with db.bus.listen(top.id, goal.id, of=GoalTreeChanged) as heard:
        with pytest.raises(ZeroDivisionError):
            await fail()
        assert heard.take() == []

    assert await all_goals(db) == before
