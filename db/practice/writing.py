"""What every change of practice is made of: being alone with what somebody practises, and telling of what changed."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, cast
from uuid import UUID

from sqlalchemy import Select, Uuid, bindparam, func, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlmodel import col, select

from db.access.viewer import Role, Viewer
from db.errors import NotFound
from db.parameters import any_of
from db.practice.events import GoalTreeChanged
from db.practice.lines import is_under
from db.practice.paths import ids_of
from db.practice.placing import Place
from db.practice.tables import Goal, Practice, PracticeSession, PracticeSessionGoal, SessionTemplate
from db.practice.vocabulary import GoalCompletionCause
from db.session import Transaction
from db.statements import fixed


async def hold_practice(tx: Transaction, owner_id: UUID) -> Practice:
    """Raise the revision of what somebody practises, and with it keep everybody else from changing it until the commit.

    Parents, running clocks and what completes what are looked at before they are changed: no lock of a single row would
    keep two moves from putting two goals under each other.
    """
    return cast("Practice", await tx.row(_HOLD, owner_id=owner_id))


async def held_goal(
    tx: Transaction, goal_id: UUID, viewer: Viewer | None, *, field: str = "id", is_deleted: bool = False
) -> Goal:
    """Return a goal of the viewer's, held until the commit. Raises `NotFound`."""
    found: Goal = await _held(tx, _GOAL, goal_id, viewer, what="goal", field=field)
    if (found.deleted_at is not None) != is_deleted:
        raise _no("deleted goal" if is_deleted else "goal", field)
    return found


async def held_session(
    tx: Transaction, session_id: UUID, viewer: Viewer | None, *, is_deleted: bool = False
) -> PracticeSession:
    """Return a session of the viewer's, held until the commit. Raises `NotFound`."""
    found: PracticeSession = await _held(tx, _SESSION, session_id, viewer, what="session", field="id")
    if (found.deleted_at is not None) != is_deleted:
        raise _no("deleted session" if is_deleted else "session", "id")
    return found


async def held_template(tx: Transaction, template_id: UUID, viewer: Viewer | None) -> SessionTemplate:
    """Return a template of the viewer's, held until the commit. Raises `NotFound`."""
    found: SessionTemplate = await _held(tx, _TEMPLATE, template_id, viewer, what="template", field="id")
    return found


def may_change(viewer: Viewer | None, owner_id: UUID) -> bool:
    """Say whether somebody may change what an owner practises; without a viewer the house itself does."""
    return viewer is None or viewer.user_id == owner_id or viewer.has_role(Role.ADMIN)


async def place_under(
    tx: Transaction, owner_id: UUID, *, parent_id: UUID | None, session_id: UUID | None, field: str | None = None
) -> Place:
    """Return the place under a goal, under a session, or at the top. Raises `NotFound` for what is not the owner's."""
    if parent_id is not None:
        parent = await tx.row(_GOAL, id=parent_id)
        if parent is None or parent.deleted_at is not None or parent.owner_id != owner_id:
            raise _no("goal", field or "parent_id")
        return Place(
            owner_id=parent.owner_id,
            parent_id=parent.id,
            level=parent.level,
            deadline=await tx.scalar(_EARLIEST, ids=ids_of(parent.path)),
            path=parent.path,
            root_id=parent.root_id,
            within_session_id=parent.within_session_id,
        )
    if session_id is not None:
        session = await tx.row(_SESSION, id=session_id)
        if session is None or session.deleted_at is not None or session.owner_id != owner_id:
            raise _no("session", field or "session_id")
        return Place(owner_id=session.owner_id, session_id=session.id, within_session_id=session.id)
    return Place(owner_id=owner_id)


async def settle(tx: Transaction, goal_id: UUID | None, now: datetime) -> None:
    """Complete a goal that completes with its children, or take that back, and go on upwards while that changes any."""
    while goal_id is not None:
        goal = cast("Goal", await tx.row(_GOAL, id=goal_id))
        if not goal.is_completed_with_children:
            return
        total, completed = (await tx.tuples(_CHILDREN, parent_id=goal.id))[0]
        are_done = total > 0 and completed == total
        if are_done and goal.completed_at is None:
            await complete(tx, goal.id, GoalCompletionCause.CHILDREN, None, now)
        elif not are_done and goal.completion_cause is GoalCompletionCause.CHILDREN:
            await complete(tx, goal.id, None, None, now)
        else:
            return
        goal_id = goal.parent_id


async def complete(
    tx: Transaction, goal_id: UUID, cause: GoalCompletionCause | None, by: UUID | None, now: datetime
) -> None:
    """Mark a goal as complete for a cause, or as open without one."""
    columns = {
        "completed_at": None if cause is None else now,
        "completion_cause": cause,
        "completed_by_id": by,
    }
    await change_goal(tx, goal_id, columns, now)


async def change_goal(tx: Transaction, goal_id: UUID, columns: dict[str, Any], now: datetime) -> Goal:
    """Set columns of a goal, and raise its revision."""
    values = {**columns, "revision": col(Goal.revision) + 1, "changed_at": now}
    changed = update(Goal).where(col(Goal.id) == goal_id).values(**values).returning(Goal)
    return cast("Goal", await tx.row(changed))


async def touch(tx: Transaction, goal_ids: Iterable[UUID]) -> None:
    """Raise the revision of each tree that goals stand in, and tell who watches it what to look at again.

    That is the goals and all above them; of one under a session, those that the session is for, and all above these.
    """
    named = await tx.rows(_GOALS, ids=list(goal_ids))
    session_ids = {goal.within_session_id for goal in named if goal.within_session_id is not None}
    above = await tx.rows(_SHORTS, session_ids=list(session_ids)) if session_ids else []
    await _tell(tx, [*named, *above])


async def touch_session(tx: Transaction, session_id: UUID) -> None:
    """Tell whoever watches a tree that a session of it changed."""
    await _tell(tx, await tx.rows(_SHORTS, session_ids=[session_id]))


async def _held(
    tx: Transaction, statement: Select[Any], row_id: UUID, viewer: Viewer | None, *, what: str, field: str
) -> Any:
    """Read a row to know whose it is, and again once nobody else changes it."""
    found = await tx.row(statement, id=row_id)
    if found is None or not may_change(viewer, found.owner_id):
        raise _no(what, field)
    await hold_practice(tx, found.owner_id)
    found = await tx.row(statement, id=row_id)
    if found is None:
        raise _no(what, field)
    return found


async def _tell(tx: Transaction, goals: Sequence[Goal]) -> None:
    if not goals:
        return
    along = {goal_id for goal in goals for goal_id in ids_of(goal.path)}
    roots = await tx.rows(_TOUCH, ids=list({goal.root_id for goal in goals}))
    touched = await tx.rows(_GOALS, ids=list(along))
    by_root: dict[UUID, list[Goal]] = {}
    for goal in sorted(touched, key=lambda one: one.path):
        by_root.setdefault(goal.root_id, []).append(goal)
    for root in sorted(roots, key=lambda one: one.path):
        tx.record(GoalTreeChanged(root=root, touched=tuple(by_root.get(root.id, ()))))


async def rows_under(tx: Transaction, path: str) -> list[Goal]:
    """Return a goal with all that is under it by its path, deleted ones included, from the top."""
    return await tx.rows(select(Goal).where(is_under(col(Goal.path), path)).order_by(col(Goal.path)))


def _no(what: str, field: str) -> NotFound:
    return NotFound(f"There is no such {what}.", field=field)


_ID = bindparam("id", type_=Uuid())
_GOAL = fixed(select(Goal).where(col(Goal.id) == _ID))
_SESSION = fixed(select(PracticeSession).where(col(PracticeSession.id) == _ID))
_TEMPLATE = fixed(select(SessionTemplate).where(col(SessionTemplate.id) == _ID))
_GOALS = fixed(select(Goal).where(any_of(col(Goal.id), "ids")))
_HOLD = fixed(
    upsert(Practice)
    .values(owner_id=bindparam("owner_id", type_=Uuid()), time_zone="UTC", revision=0)
    .on_conflict_do_update(index_elements=["owner_id"], set_={"revision": col(Practice.revision) + 1})
    .returning(Practice)
)
_EARLIEST = fixed(select(func.min(col(Goal.deadline))).where(any_of(col(Goal.id), "ids")))
_CHILDREN = fixed(
    select(func.count(), func.count(col(Goal.completed_at))).where(
        col(Goal.parent_id) == bindparam("parent_id", type_=Uuid()), col(Goal.deleted_at).is_(None)
    )
)
# The goals that sessions are for.
_SHORTS = fixed(
    select(Goal).where(
        col(Goal.id).in_(
            select(col(PracticeSessionGoal.goal_id)).where(any_of(col(PracticeSessionGoal.session_id), "session_ids"))
        ),
        col(Goal.deleted_at).is_(None),
    )
)
_TOUCH = fixed(
    update(Goal).where(any_of(col(Goal.id), "ids")).values(tree_revision=col(Goal.tree_revision) + 1).returning(Goal)
)
