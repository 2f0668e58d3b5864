"""How goals may change: made, changed, moved, completed, deleted and brought back."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, cast
from uuid import UUID

from sqlalchemy import func, insert, literal, update
from sqlmodel import col, select

from db.access.viewer import Viewer
from db.errors import Conflict, Forbidden, Invalid, NotFound
from db.ids import new_id
from db.practice.events import GoalTreeChanged
from db.practice.lines import is_under
from db.practice.paths import STEP, between, label
from db.practice.placing import Candidate, Place, check_deadline, check_place, check_rank
from db.practice.tables import Goal, PracticeSessionGoal
from db.practice.vocabulary import RANKS, GoalCompletionCause, GoalLevel
from db.practice.writing import (
    change_goal,
    complete,
    held_goal,
    hold_practice,
    may_change,
    place_under,
    rows_under,
    settle,
    touch,
    touch_session,
)
from db.session import Transaction
from db.texts import checked

LONGEST_NAME = 255
LONGEST_DESCRIPTION = 5000
# A goal as it is where nothing else is said.
NEW_GOAL: dict[str, Any] = {"name": "", "description": "", "deadline": None, "is_completed_with_children": False}


async def create_goal(
    tx: Transaction,
    *,
    owner_id: UUID,
    level: GoalLevel,
    changes: Mapping[str, Any],
    parent_id: UUID | None = None,
    session_id: UUID | None = None,
    viewer: Viewer | None,
    now: datetime,
) -> Goal:
    """Set a goal: at the top, under another goal or under a session, behind what stands there.

    `changes` say what differs from `NEW_GOAL`. Raises `Invalid`, `NotFound`, `Conflict` and `Forbidden`.
    """
    if parent_id is not None and session_id is not None:
        raise Invalid("A goal stands under a goal or under a session, not both.", field="session_id")
    if not may_change(viewer, owner_id):
        raise Forbidden("These goals belong to somebody else.")
    columns = goal_columns({**NEW_GOAL, **changes})
    await hold_practice(tx, owner_id)
    place = await place_under(tx, owner_id, parent_id=parent_id, session_id=session_id)
    candidate = Candidate(owner_id=owner_id, level=level, latest_deadline=columns["deadline"])
    check_place(candidate, place, field=_field_of(place))
    goal = await insert_goal(tx, place, {"level": level, **columns}, now)
    await settle(tx, goal.parent_id, now)
    await touch(tx, [goal.id])
    return goal


async def insert_goal(tx: Transaction, place: Place, columns: Mapping[str, Any], now: datetime) -> Goal:
    """Store a goal behind its siblings, at a place that was checked."""
    goal_id = new_id()
    position = await _last_position(tx, place)
    values = {
        "id": goal_id,
        "owner_id": place.owner_id,
        "parent_id": place.parent_id,
        "session_id": place.session_id,
        "root_id": place.root_id or goal_id,
        "within_session_id": place.within_session_id,
        "path": place.path + label(position, goal_id),
        "position": position,
        **columns,
        "revision": 0,
        "tree_revision": 0,
        "created_at": now,
        "changed_at": now,
    }
    return cast("Goal", await tx.row(insert(Goal).values(**values).returning(Goal)))


async def update_goal(
    tx: Transaction, goal_id: UUID, changes: Mapping[str, Any], *, viewer: Viewer | None, now: datetime
) -> Goal:
    """Change some of a goal; what is not named stays. An earlier deadline pulls those of all goals under it along.

    Raises `Invalid`, `NotFound`.
    """
    columns = goal_columns(changes)
    goal = await held_goal(tx, goal_id, viewer)
    columns = {name: value for name, value in columns.items() if value != getattr(goal, name)}
    if not columns:
        return goal
    if columns.get("deadline") is not None:
        place = await place_under(tx, goal.owner_id, parent_id=goal.parent_id, session_id=goal.session_id)
        check_deadline(columns["deadline"], place.deadline, field="deadline")
        await _pull_deadlines(tx, goal, columns["deadline"], now)
    await change_goal(tx, goal_id, columns, now)
    if "is_completed_with_children" in columns:
        await _settle_itself(tx, goal_id, now)
    return await _told(tx, goal_id)


async def move_goal(
    tx: Transaction,
    goal_id: UUID,
    *,
    under: UUID | None = None,
    under_session: UUID | None = None,
    before: UUID | None = None,
    after: UUID | None = None,
    viewer: Viewer | None,
    now: datetime,
) -> Goal:
    """Move a goal with all that is under it: last under another goal or a session, or beside a goal, wherever that is.

    With nothing named it goes to the top. Raises `Invalid`, `Conflict` for a place under itself, and `NotFound`.
    """
    if sum(one is not None for one in (under, under_session, before, after)) > 1:
        raise Invalid("Name one place: under a goal, under a session, before a goal, or after one.", field="id")
    goal = await held_goal(tx, goal_id, viewer)
    beside = await _sibling(tx, goal, before or after, field="before_id" if after is None else "after_id")
    if beside is not None:
        under, under_session = beside.parent_id, beside.session_id
    field = _field_of_move(before, after, under, under_session)
    place = await place_under(tx, goal.owner_id, parent_id=under, session_id=under_session, field=field)
    latest = select(func.max(col(Goal.deadline))).where(
        is_under(col(Goal.path), goal.path), col(Goal.deleted_at).is_(None)
    )
    candidate = Candidate(
        owner_id=goal.owner_id, level=goal.level, latest_deadline=await tx.scalar(latest), path=goal.path
    )
    check_place(candidate, place, field=field)
    position = await _position(tx, place, goal, beside, is_before=before is not None, now=now)
    # Room may have been made for it, and it may have been put somewhere else itself.
    await _put(tx, await _goal(tx, goal_id), place, position, now)
    for parent_id in dict.fromkeys((goal.parent_id, place.parent_id)):
        await settle(tx, parent_id, now)
    if goal.session_id is not None:
        await touch_session(tx, goal.session_id)
    await touch(tx, [goal_id, *filter(None, [goal.parent_id])])
    moved = await _goal(tx, goal_id)
    if goal.root_id == goal_id != moved.root_id:
        # Whoever watched it as a tree of its own is told that it is none any more.
        tx.record(GoalTreeChanged(root=moved, touched=()))
    return moved


async def convert_goal(
    tx: Transaction, goal_id: UUID, level: GoalLevel, *, viewer: Viewer | None, now: datetime
) -> Goal:
    """Give a goal another level, between those of its parent and its children.

    Raises `Invalid`, `NotFound`, and `Conflict` where goals under it or its sessions stand in the way.
    """
    goal = await held_goal(tx, goal_id, viewer)
    if level is goal.level:
        return goal
    place = await place_under(tx, goal.owner_id, parent_id=goal.parent_id, session_id=goal.session_id)
    check_rank(level, place, field="level")
    children = select(Goal).where(col(Goal.parent_id) == goal_id, col(Goal.deleted_at).is_(None))
    for child in await tx.rows(children.order_by(col(Goal.position))):
        if RANKS[child.level] <= RANKS[level]:
            raise Conflict(f"A goal of level {child.level} stands under it: move or convert that first.", field="level")
    if await tx.scalar(select(func.count()).where(col(PracticeSessionGoal.goal_id) == goal_id)):
        raise Conflict("Sessions are for it, and sessions are for short-term goals.", field="level")
    await change_goal(tx, goal_id, {"level": level}, now)
    return await _told(tx, goal_id)


async def complete_goal(tx: Transaction, goal_id: UUID, *, viewer: Viewer | None, now: datetime) -> Goal:
    """Complete a goal by hand, and with it the goals above that complete with their children.

    Raises `Conflict` for one that is complete, and `NotFound`.
    """
    goal = await held_goal(tx, goal_id, viewer)
    if goal.completed_at is not None:
        raise Conflict("The goal is complete already.", field="id")
    await complete(tx, goal_id, GoalCompletionCause.MANUAL, None if viewer is None else viewer.user_id, now)
    await settle(tx, goal.parent_id, now)
    return await _told(tx, goal_id)


async def reopen_goal(tx: Transaction, goal_id: UUID, *, viewer: Viewer | None, now: datetime) -> Goal:
    """Open a goal again, and the goals above that were complete because all under them was.

    Raises `Conflict` for one that is open or that is complete through its children, and `NotFound`.
    """
    goal = await held_goal(tx, goal_id, viewer)
    if goal.completed_at is None:
        raise Conflict("The goal is open.", field="id")
    await complete(tx, goal_id, None, None, now)
    await _settle_itself(tx, goal_id, now)
    if (await _goal(tx, goal_id)).completed_at is not None:
        raise Conflict(
            "The goal is complete because all goals under it are: open one of those, or let it not complete with them.",
            field="id",
        )
    return await _told(tx, goal_id)


async def delete_goal(tx: Transaction, goal_id: UUID, *, viewer: Viewer | None, now: datetime) -> Goal:
    """Delete a goal with all that is under it; `restore_goal` brings it back. Its sessions stay, no longer for it.

    Raises `NotFound`.
    """
    goal = await held_goal(tx, goal_id, viewer)
    await _mark(tx, goal, deletion_id=None, mark={"deleted_at": now, "deletion_id": goal_id}, now=now)
    await settle(tx, goal.parent_id, now)
    return await _told(tx, goal_id)


async def restore_goal(tx: Transaction, goal_id: UUID, *, viewer: Viewer | None, now: datetime) -> Goal:
    """Bring back a goal that was deleted, with all that was deleted with it.

    Raises `NotFound`, `Conflict` for one that was deleted with a goal above it, and whatever its place refuses by now.
    """
    goal = await held_goal(tx, goal_id, viewer, is_deleted=True)
    if goal.deletion_id != goal_id:
        raise Conflict("It was deleted together with a goal or session above it: bring that back.", field="id")
    try:
        place = await place_under(tx, goal.owner_id, parent_id=goal.parent_id, session_id=goal.session_id)
    except NotFound as error:
        raise Conflict("What it stood under is deleted: bring that back first.", field="id") from error
    rows = [row for row in await rows_under(tx, goal.path) if row.deletion_id == goal_id]
    deadlines = [row.deadline for row in rows if row.deadline is not None]
    candidate = Candidate(owner_id=goal.owner_id, level=goal.level, latest_deadline=max(deadlines, default=None))
    check_place(candidate, place, field="id")
    await _mark(tx, goal, deletion_id=goal_id, mark={"deleted_at": None, "deletion_id": None}, now=now)
    await settle(tx, goal.parent_id, now)
    return await _told(tx, goal_id)


def goal_columns(changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return what changes of a goal come to. Raises `Invalid`."""
    columns: dict[str, Any] = {}
    if "name" in changes:
        columns["name"] = checked(changes["name"] or "", "A name", field="name", longest=LONGEST_NAME)
    if "description" in changes:
        columns["description"] = checked(
            changes["description"] or "",
            "A description",
            field="description",
            shortest=0,
            longest=LONGEST_DESCRIPTION,
        )
    if "deadline" in changes:
        deadline: date | None = changes["deadline"]
        columns["deadline"] = deadline
    if "is_completed_with_children" in changes:
        columns["is_completed_with_children"] = bool(changes["is_completed_with_children"])
    return columns


async def _told(tx: Transaction, goal_id: UUID) -> Goal:
    """Tell of a goal that changed, and return it."""
    await touch(tx, [goal_id])
    return await _goal(tx, goal_id)


async def _goal(tx: Transaction, goal_id: UUID) -> Goal:
    return cast("Goal", await tx.row(select(Goal).where(col(Goal.id) == goal_id)))


async def _settle_itself(tx: Transaction, goal_id: UUID, now: datetime) -> None:
    """Settle a goal and, whether that changed it or not, the one above."""
    await settle(tx, goal_id, now)
    await settle(tx, (await _goal(tx, goal_id)).parent_id, now)


async def _pull_deadlines(tx: Transaction, goal: Goal, deadline: date, now: datetime) -> None:
    """Let nothing under a goal be due after it, however far down: there may be goals without a deadline between."""
    late = is_under(col(Goal.path), goal.path), col(Goal.deadline) > deadline, col(Goal.id) != goal.id
    values = {"deadline": deadline, "revision": col(Goal.revision) + 1, "changed_at": now}
    await tx.execute(update(Goal).where(*late).values(**values))


async def _mark(tx: Transaction, goal: Goal, *, deletion_id: UUID | None, mark: dict[str, Any], now: datetime) -> None:
    """Mark those of a subtree that were deleted together, or those that are not deleted, in one statement."""
    under = is_under(col(Goal.path), goal.path), col(Goal.deletion_id).is_not_distinct_from(deletion_id)
    values = {**mark, "revision": col(Goal.revision) + 1, "changed_at": now}
    await tx.execute(update(Goal).where(*under).values(**values))


async def _last_position(tx: Transaction, place: Place) -> int:
    last = await tx.scalar(select(func.max(col(Goal.position))).where(*_siblings(place)))
    return STEP if last is None else last + STEP


def _siblings(place: Place) -> tuple[Any, ...]:
    """Say which goals stand at a place. Deleted ones keep theirs."""
    if place.parent_id is not None:
        return (col(Goal.parent_id) == place.parent_id,)
    if place.session_id is not None:
        return (col(Goal.session_id) == place.session_id,)
    return col(Goal.owner_id) == place.owner_id, col(Goal.parent_id).is_(None), col(Goal.session_id).is_(None)


async def _sibling(tx: Transaction, goal: Goal, beside_id: UUID | None, *, field: str) -> Goal | None:
    """Return the goal to stand beside. Raises `NotFound`, and `Conflict` for the goal itself."""
    if beside_id is None:
        return None
    found = await tx.row(select(Goal).where(col(Goal.id) == beside_id))
    if found is None or found.deleted_at is not None or found.owner_id != goal.owner_id:
        raise NotFound("There is no such goal.", field=field)
    if found.id == goal.id:
        raise Conflict("A goal cannot stand beside itself.", field=field)
    return found


async def _position(
    tx: Transaction, place: Place, goal: Goal, beside: Goal | None, *, is_before: bool, now: datetime
) -> int:
    """Return a position at a place: beside a goal, or behind all that stand there."""
    if beside is None:
        return await _last_position(tx, place)
    for _ in range(2):
        position = await _free_position(tx, place, goal, beside, is_before=is_before)
        if position is not None:
            return position
        await _spread(tx, place, now)
        beside = await _goal(tx, beside.id)
    raise Conflict("There are too many goals at this place.", field="id")


async def _free_position(tx: Transaction, place: Place, goal: Goal, beside: Goal, *, is_before: bool) -> int | None:
    position = col(Goal.position)
    others = *_siblings(place), col(Goal.id) != goal.id
    if is_before:
        low = await tx.scalar(select(func.max(position)).where(*others, position < beside.position))
        return between(low, beside.position)
    high = await tx.scalar(select(func.min(position)).where(*others, position > beside.position))
    return between(beside.position, high)


async def _spread(tx: Transaction, place: Place, now: datetime) -> None:
    """Give the goals at a place positions far apart, in the order that they have."""
    ordered = select(Goal).where(*_siblings(place)).order_by(col(Goal.position), col(Goal.id))
    for number, row in enumerate(await tx.rows(ordered), start=1):
        await _put(tx, row, place, number * STEP, now)


async def _put(tx: Transaction, goal: Goal, place: Place, position: int, now: datetime) -> None:
    """Put a goal at a place, with all that is under it, deleted or not: three statements, however much that is."""
    path = place.path + label(position, goal.id)
    root_id = place.root_id or goal.id
    moved: dict[str, Any] = {"path": literal(path).concat(func.substr(col(Goal.path), len(goal.path) + 1))}
    # What is named is written, and its indexes with it, whether it is another or not.
    if goal.root_id != root_id:
        moved["root_id"] = root_id
    if goal.within_session_id != place.within_session_id:
        moved["within_session_id"] = place.within_session_id
    await tx.execute(update(Goal).where(is_under(col(Goal.path), goal.path)).values(**moved))
    own = {"parent_id": place.parent_id, "session_id": place.session_id, "position": position}
    await change_goal(tx, goal.id, own, now)


def _field_of(place: Place) -> str:
    """Name what is at fault where a goal cannot stand at a place: the level, unless a place was named."""
    if place.parent_id is not None:
        return "parent_id"
    return "level" if place.session_id is None else "session_id"


def _field_of_move(before: UUID | None, after: UUID | None, under: UUID | None, session: UUID | None) -> str:
    if before is not None:
        return "before_id"
    if after is not None:
        return "after_id"
    if under is not None:
        return "parent_id"
    return "id" if session is None else "session_id"
