"""How sessions may change: planned, started, paused, finished, noted down afterwards, reviewed, deleted."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, cast
from uuid import UUID

from sqlalchemy import delete, func, insert, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlmodel import col, select

from db.access.viewer import Viewer
from db.errors import Conflict, Forbidden, Invalid, NotFound
from db.ids import new_id
from db.parameters import any_of
from db.practice.events import PracticeSessionChanged
from db.practice.operations import LONGEST_DESCRIPTION, LONGEST_NAME, goal_columns, insert_goal
from db.practice.placing import HIGHEST_UNDER_SESSION
from db.practice.tables import Goal, PracticePause, PracticeReview, PracticeSession, PracticeSessionGoal
from db.practice.vocabulary import GoalLevel, PracticeSessionState
from db.practice.writing import held_session, hold_practice, may_change, place_under, touch_session
from db.session import Transaction
from db.texts import checked

MOST_GOALS_OF_SESSION = 10
MOST_TAGS = 20
MOST_IMMEDIATE_GOALS = 50
LONGEST_TAG = 50
LONGEST_NOTES = 20_000
_LONGEST_PLAN = 7 * 24 * 3600
_BEST_SCORE = 10
_SCORES = ("focus", "energy", "productivity")
# A session as it is where nothing else is said.
NEW_SESSION: dict[str, Any] = {
    "name": "",
    "description": "",
    "planned_at": None,
    "planned_seconds": None,
    "notes": "",
    "tags": [],
    "location": "",
    **dict.fromkeys(_SCORES),
}


async def create_session(
    tx: Transaction,
    *,
    owner_id: UUID,
    goal_ids: Sequence[UUID],
    changes: Mapping[str, Any],
    goal_names: Sequence[str] = (),
    times: tuple[datetime, datetime] | None = None,
    viewer: Viewer | None,
    now: datetime,
) -> PracticeSession:
    """Plan a session for short-term goals; `goal_names` are immediate goals to set under it, blank ones left out.

    With `times` it was practised already, from the one to the other. Raises `Invalid`, `NotFound`, `Forbidden`, and
    `Conflict` for times at which another session was practised.
    """
    if not may_change(viewer, owner_id):
        raise Forbidden("These sessions belong to somebody else.")
    columns = session_columns({**NEW_SESSION, **changes})
    await hold_practice(tx, owner_id)
    if times is not None:
        columns |= await _practised(tx, owner_id, times, now)
    session = await insert_session(tx, owner_id, columns, now)
    await _link(tx, session, goal_ids)
    await set_goals(tx, session, goal_names, now)
    await touch_session(tx, session.id)
    return session


async def insert_session(tx: Transaction, owner_id: UUID, columns: Mapping[str, Any], now: datetime) -> PracticeSession:
    """Store a session that was checked, as planned unless its columns say otherwise."""
    values = {
        "id": new_id(),
        "owner_id": owner_id,
        "state": PracticeSessionState.PLANNED,
        "practised_ms": 0,
        "interruption_count": 0,
        "revision": 0,
        "created_at": now,
        "changed_at": now,
        **columns,
    }
    return cast("PracticeSession", await tx.row(insert(PracticeSession).values(**values).returning(PracticeSession)))


async def set_goals(tx: Transaction, session: PracticeSession, names: Iterable[str], now: datetime) -> None:
    """Set immediate goals under a session, in order; blank names are left out."""
    named = [name for name in names if name.strip()]
    if len(named) > MOST_IMMEDIATE_GOALS:
        raise Invalid(f"A session begins with {MOST_IMMEDIATE_GOALS} goals at most.", field="goal_names")
    place = await place_under(tx, session.owner_id, parent_id=None, session_id=session.id)
    for name in named:
        columns = goal_columns({"name": name, "description": ""})
        terms = {"level": HIGHEST_UNDER_SESSION, "is_completed_with_children": False, **columns}
        await insert_goal(tx, place, terms, now)


async def update_session(
    tx: Transaction, session_id: UUID, changes: Mapping[str, Any], *, viewer: Viewer | None, now: datetime
) -> PracticeSession:
    """Change some of a session; what is not named stays. Raises `Invalid` and `NotFound`."""
    columns = session_columns(changes)
    session = await held_session(tx, session_id, viewer)
    columns = {name: value for name, value in columns.items() if value != getattr(session, name)}
    return await _change(tx, session, columns, now) if columns else session


async def set_session_goals(
    tx: Transaction, session_id: UUID, goal_ids: Sequence[UUID], *, viewer: Viewer | None, now: datetime
) -> PracticeSession:
    """Say anew which short-term goals a session is for. Raises `Invalid` and `NotFound`."""
    session = await held_session(tx, session_id, viewer)
    # Those it is for no longer are told as well.
    await touch_session(tx, session_id)
    await tx.execute(delete(PracticeSessionGoal).where(col(PracticeSessionGoal.session_id) == session_id))
    await _link(tx, session, goal_ids)
    return await _change(tx, session, {}, now)


async def start_session(tx: Transaction, session_id: UUID, *, viewer: Viewer | None, now: datetime) -> PracticeSession:
    """Start a session that was planned. Raises `NotFound`, and `Conflict` for any other and while another runs."""
    session = await held_session(tx, session_id, viewer)
    if session.state is not PracticeSessionState.PLANNED:
        raise _not_possible(session, "started")
    await _check_none_runs(tx, session.owner_id)
    columns = {"state": PracticeSessionState.RUNNING, "started_at": now, "running_since": now}
    return await _change(tx, session, columns, now)


async def pause_session(tx: Transaction, session_id: UUID, *, viewer: Viewer | None, now: datetime) -> PracticeSession:
    """Stop the clock of a session that runs. Raises `NotFound`, and `Conflict` for any other."""
    session = await held_session(tx, session_id, viewer)
    if session.state is not PracticeSessionState.RUNNING:
        raise _not_possible(session, "paused")
    pause = {"id": new_id(), "session_id": session_id, "started_at": now}
    await tx.execute(insert(PracticePause).values(**pause))
    return await _change(tx, session, {"state": PracticeSessionState.PAUSED, **_counted(session, now)}, now)


async def resume_session(tx: Transaction, session_id: UUID, *, viewer: Viewer | None, now: datetime) -> PracticeSession:
    """Go on with a session that is paused. Raises `NotFound`, and `Conflict` for any other and while another runs."""
    session = await held_session(tx, session_id, viewer)
    if session.state is not PracticeSessionState.PAUSED:
        raise _not_possible(session, "resumed")
    await _check_none_runs(tx, session.owner_id)
    await _end_pause(tx, session_id, now)
    return await _change(tx, session, {"state": PracticeSessionState.RUNNING, "running_since": now}, now)


async def finish_session(tx: Transaction, session_id: UUID, *, viewer: Viewer | None, now: datetime) -> PracticeSession:
    """End a session, also one that never started: it is then done without a time.

    Raises `NotFound`, and `Conflict` for one that is finished.
    """
    session = await held_session(tx, session_id, viewer)
    if session.state is PracticeSessionState.FINISHED:
        raise _not_possible(session, "finished")
    await _end_pause(tx, session_id, now)
    ended = {"state": PracticeSessionState.FINISHED, "ended_at": now if session.started_at is not None else None}
    return await _change(tx, session, {**ended, **_counted(session, now)}, now)


async def interrupt_session(
    tx: Transaction, session_id: UUID, *, viewer: Viewer | None, now: datetime
) -> PracticeSession:
    """Count an interruption. Raises `NotFound`."""
    session = await held_session(tx, session_id, viewer)
    return await _change(tx, session, {"interruption_count": col(PracticeSession.interruption_count) + 1}, now)


async def review_session(
    tx: Transaction, session_id: UUID, changes: Mapping[str, Any], *, viewer: Viewer | None, now: datetime
) -> PracticeSession:
    """Write what one makes of a session, or change it. Raises `Invalid` and `NotFound`."""
    texts = ("went_well", "went_badly", "next_time")
    columns = {name: _text(changes, name, "A review", LONGEST_NOTES) for name in texts if name in changes}
    session = await held_session(tx, session_id, viewer)
    values = {"id": new_id(), "session_id": session_id, **dict.fromkeys(texts, ""), **columns, "created_at": now}
    written = upsert(PracticeReview).values(**values, changed_at=now)
    await tx.execute(written.on_conflict_do_update(index_elements=["session_id"], set_={**columns, "changed_at": now}))
    return await _change(tx, session, {}, now)


async def delete_session(tx: Transaction, session_id: UUID, *, viewer: Viewer | None, now: datetime) -> PracticeSession:
    """Delete a session with the goals under it, its clock stopped; `restore_session` brings it back.

    Raises `NotFound`.
    """
    session = await held_session(tx, session_id, viewer)
    stopped = {}
    if session.state in {PracticeSessionState.RUNNING, PracticeSessionState.PAUSED}:
        await _end_pause(tx, session_id, now)
        stopped = {"state": PracticeSessionState.FINISHED, "ended_at": now, **_counted(session, now)}
    await _mark_goals(tx, session_id, None, {"deleted_at": now, "deletion_id": session_id}, now)
    return await _change(tx, session, {**stopped, "deleted_at": now, "deletion_id": session_id}, now)


async def restore_session(
    tx: Transaction, session_id: UUID, *, viewer: Viewer | None, now: datetime
) -> PracticeSession:
    """Bring back a session that was deleted, with the goals that were deleted with it. Raises `NotFound`."""
    session = await held_session(tx, session_id, viewer, is_deleted=True)
    mark = {"deleted_at": None, "deletion_id": None}
    await _mark_goals(tx, session_id, session_id, mark, now)
    return await _change(tx, session, mark, now)


def session_columns(changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return what changes of a session come to. Raises `Invalid`."""
    columns: dict[str, Any] = {}
    if "name" in changes:
        columns["name"] = checked(changes["name"] or "", "A name", field="name", longest=LONGEST_NAME)
    for field, what, longest in (
        ("description", "A description", LONGEST_DESCRIPTION),
        ("notes", "A note", LONGEST_NOTES),
        ("location", "A location", LONGEST_NAME),
    ):
        if field in changes:
            columns[field] = _text(changes, field, what, longest)
    if "tags" in changes:
        columns["tags"] = checked_tags(changes["tags"] or [])
    if "planned_at" in changes:
        columns["planned_at"] = changes["planned_at"]
    if "planned_seconds" in changes:
        columns["planned_seconds"] = _bounded(changes["planned_seconds"], "planned_seconds", 1, _LONGEST_PLAN)
    for field in _SCORES:
        if field in changes:
            columns[field] = _bounded(changes[field], field, 1, _BEST_SCORE)
    return columns


def checked_tags(tags: Iterable[str]) -> list[str]:
    """Return tags in lower case, each once, sorted. Raises `Invalid`."""
    found = {checked(tag, "A tag", field="tags", longest=LONGEST_TAG).lower() for tag in tags}
    if len(found) > MOST_TAGS:
        raise Invalid(f"A session has {MOST_TAGS} tags at most.", field="tags")
    return sorted(found)


async def short_term_goals(tx: Transaction, owner_id: UUID, goal_ids: Sequence[UUID]) -> list[Goal]:
    """Return the goals that sessions may be for. Raises `Invalid` and `NotFound`."""
    wanted = list(dict.fromkeys(goal_ids))
    if not 1 <= len(wanted) <= MOST_GOALS_OF_SESSION:
        raise Invalid(f"A session is for 1 to {MOST_GOALS_OF_SESSION} short-term goals.", field="goal_ids")
    own = any_of(col(Goal.id), wanted), col(Goal.owner_id) == owner_id, col(Goal.deleted_at).is_(None)
    found = {goal.id: goal for goal in await tx.rows(select(Goal).where(*own))}
    if len(found) < len(wanted):
        raise NotFound("There is no such goal.", field="goal_ids")
    if any(goal.level is not GoalLevel.SHORT_TERM for goal in found.values()):
        raise Invalid(f"A session is for goals of level {GoalLevel.SHORT_TERM} alone.", field="goal_ids")
    return [found[goal_id] for goal_id in wanted]


async def _link(tx: Transaction, session: PracticeSession, goal_ids: Sequence[UUID]) -> None:
    goals = await short_term_goals(tx, session.owner_id, goal_ids)
    links = [{"session_id": session.id, "goal_id": goal.id} for goal in goals]
    await tx.execute_many(insert(PracticeSessionGoal), links)


async def _change(
    tx: Transaction, session: PracticeSession, columns: Mapping[str, Any], now: datetime
) -> PracticeSession:
    """Set columns of a session, raise its revision, and tell of it."""
    values = {**columns, "revision": col(PracticeSession.revision) + 1, "changed_at": now}
    changed = update(PracticeSession).where(col(PracticeSession.id) == session.id).values(**values)
    after = cast("PracticeSession", await tx.row(changed.returning(PracticeSession)))
    tx.record(PracticeSessionChanged(session=after))
    await touch_session(tx, session.id)
    return after


async def _check_none_runs(tx: Transaction, owner_id: UUID) -> None:
    running = col(PracticeSession.state) == PracticeSessionState.RUNNING, col(PracticeSession.deleted_at).is_(None)
    other = await tx.row(select(PracticeSession).where(col(PracticeSession.owner_id) == owner_id, *running))
    if other is not None:
        raise Conflict(f"Another session runs, {other.name!r}: pause or finish that first.", field="id")


async def _practised(
    tx: Transaction, owner_id: UUID, times: tuple[datetime, datetime], now: datetime
) -> dict[str, Any]:
    """Return the columns of a session that was practised already. Raises `Invalid`, and `Conflict` for an overlap."""
    started_at, ended_at = times
    if not started_at < ended_at <= now:
        raise Invalid("A session ends after it starts, and not ahead of now.", field="ended_at")
    # One that is still on has no end yet.
    overlaps = (
        col(PracticeSession.owner_id) == owner_id,
        col(PracticeSession.deleted_at).is_(None),
        col(PracticeSession.started_at) < ended_at,
        func.coalesce(col(PracticeSession.ended_at), now) > started_at,
    )
    other = await tx.row(select(PracticeSession).where(*overlaps))
    if other is not None:
        raise Conflict(f"Another session was practised at that time, {other.name!r}.", field="started_at")
    return {
        "state": PracticeSessionState.FINISHED,
        "started_at": started_at,
        "ended_at": ended_at,
        "practised_ms": (ended_at - started_at) // timedelta(milliseconds=1),
    }


async def _end_pause(tx: Transaction, session_id: UUID, now: datetime) -> None:
    is_open = col(PracticePause.session_id) == session_id, col(PracticePause.ended_at).is_(None)
    await tx.execute(update(PracticePause).where(*is_open).values(ended_at=now))


async def _mark_goals(
    tx: Transaction, session_id: UUID, deletion_id: UUID | None, mark: Mapping[str, Any], now: datetime
) -> None:
    """Mark the goals under a session that were deleted with it, or those that are not deleted."""
    under = col(Goal.within_session_id) == session_id, col(Goal.deletion_id).is_not_distinct_from(deletion_id)
    values = {**mark, "revision": col(Goal.revision) + 1, "changed_at": now}
    await tx.execute(update(Goal).where(*under).values(**values))


def _counted(session: PracticeSession, now: datetime) -> dict[str, Any]:
    """Return what a clock has counted by now, which then stands. A clock that is set back takes nothing away."""
    if session.running_since is None:
        return {"running_since": None}
    elapsed = max(timedelta(0), now - session.running_since) // timedelta(milliseconds=1)
    return {"running_since": None, "practised_ms": session.practised_ms + elapsed}


def _not_possible(session: PracticeSession, verb: str) -> Conflict:
    return Conflict(f"The session is {session.state}: it cannot be {verb}.", field="id")


def _text(changes: Mapping[str, Any], field: str, what: str, longest: int) -> str:
    return checked(changes[field] or "", what, field=field, shortest=0, longest=longest)


def _bounded(value: int | None, field: str, least: int, most: int) -> int | None:
    if value is not None and not least <= value <= most:
        raise Invalid(f"It is {least} to {most}, or nothing; {value} was given.", field=field)
    return value
