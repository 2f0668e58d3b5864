"""How streams may change: they themselves, their live sessions and their goals. Their sources: `source_operations`."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, cast
from uuid import UUID

from sqlalchemy import Uuid, bindparam, delete, func, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlmodel import col, select

from db.access.tables import User
from db.access.viewer import Role, Viewer
from db.errors import Conflict, Forbidden, Invalid, NotFound
from db.ids import new_id
from db.session import Session, Transaction
from db.statements import fixed
from db.streams import news
from db.streams.counting import CLOCK, By, Move, Told, hold_goal, keep, move_goal, standing_of
from db.streams.events import StreamGoalChanged, StreamGoalDeleted, StreamSourceConfigured
from db.streams.fold import Session as LiveSession
from db.streams.news import Taken, take_news
from db.streams.periods import period_end
from db.streams.rules import LARGEST_COUNT, THOUSAND, Happening, edited
from db.streams.tables import Stream, StreamGoal, StreamGoalChange, StreamMark, StreamSession, StreamSource
from db.streams.terms import Terms, changed_terms, columns_of, terms_of
from db.streams.vocabulary import (
    StreamGoalChangeCause,
    StreamGoalChangeKind,
    StreamGoalKind,
    StreamGoalMode,
    StreamGoalState,
)
from db.texts import checked
from db.zones import time_zone

__all__ = ["Taken", "take_news"]

LONGEST_NAME = 200
MOST_GOALS = 100
_TERMS_OF_THE_COUNT = ("start", "target", "mode", "step", "milestones")


# Streams


async def create_stream(tx: Transaction, *, owner_id: UUID, changes: Mapping[str, Any], now: datetime) -> Stream:
    """Set up a stream with the goals that every stream begins with. `changes` say what differs from `NEW_STREAM`.

    Raises `Invalid`, `Conflict` for a name that this owner has given already, and `NotFound` for the owner.
    """
    if await tx.row(select(User).where(col(User.id) == owner_id)) is None:
        raise NotFound("There is no such user.", field="owner_id")
    values = {
        "id": new_id(),
        "owner_id": owner_id,
        **_stream_columns({**NEW_STREAM, **changes}),
        "batches": 0,
        "created_at": now,
    }
    stream = await tx.row(upsert(Stream).values(**values).on_conflict_do_nothing().returning(Stream))
    if stream is None:
        raise Conflict("You have a stream of this name.", field="name")
    await _create_presets(tx, stream, now)
    return stream


async def update_stream(
    tx: Transaction, stream_id: UUID, changes: Mapping[str, Any], *, viewer: Viewer | None, now: datetime
) -> Stream:
    """Change some of a stream. Raises `Invalid`, `Conflict`, `NotFound` and `Forbidden`."""
    stream = await stream_of(tx, stream_id, viewer, field="id")
    columns = _stream_columns(changes)
    if "name" in columns:
        taken = select(Stream).where(col(Stream.owner_id) == stream.owner_id, col(Stream.name) == columns["name"])
        if await tx.row(taken.where(col(Stream.id) != stream_id)) is not None:
            raise Conflict("You have a stream of this name.", field="name")
    if not columns:
        return stream
    if "time_zone" in columns:
        await _move_periods(tx, stream_id, columns["time_zone"], now)
    changed = update(Stream).where(col(Stream.id) == stream_id).values(**columns).returning(Stream)
    return cast("Stream", await tx.row(changed))


async def delete_stream(tx: Transaction, stream_id: UUID, *, viewer: Viewer | None) -> Stream:
    """Remove a stream with all that is its own; return it as it was. Raises `NotFound` and `Forbidden`."""
    stream = await stream_of(tx, stream_id, viewer, field="id")
    for source in await tx.rows(select(StreamSource).where(col(StreamSource.stream_id) == stream_id)):
        tx.record(StreamSourceConfigured(source_id=source.id))
    for goal in await tx.rows(select(StreamGoal).where(col(StreamGoal.stream_id) == stream_id)):
        tx.record(StreamGoalDeleted(goal=goal))
    await tx.execute(delete(Stream).where(col(Stream.id) == stream_id))
    return stream


async def start_session(tx: Transaction, stream_id: UUID, *, viewer: Viewer | None, now: datetime) -> StreamSession:
    """Go live. Raises `Conflict` for a stream that is, `NotFound` and `Forbidden`."""
    await stream_of(tx, stream_id, viewer)
    stream = await news.hold_stream(tx, stream_id)
    if stream.current_session_id is not None:
        raise Conflict("The stream is live already.", field="stream_id")
    session = LiveSession(id=new_id(), started_at=now)
    begun = await news.begin_session(tx, stream, session)
    await tx.execute(update(Stream).where(col(Stream.id) == stream_id).values(current_session_id=session.id))
    return begun


async def end_session(tx: Transaction, stream_id: UUID, *, viewer: Viewer | None, now: datetime) -> StreamSession:
    """Go off. Raises `Conflict` for a stream that is not live, `NotFound` and `Forbidden`."""
    await stream_of(tx, stream_id, viewer)
    stream = await news.hold_stream(tx, stream_id)
    if stream.current_session_id is None:
        raise Conflict("The stream is not live.", field="stream_id")
    await news.end_session(tx, stream.current_session_id, now)
    await tx.execute(update(Stream).where(col(Stream.id) == stream_id).values(current_session_id=None))
    ended = select(StreamSession).where(col(StreamSession.id) == stream.current_session_id)
    return cast("StreamSession", await tx.row(ended))


# Goals


async def create_presets(tx: Transaction, stream_id: UUID, *, viewer: Viewer | None, now: datetime) -> Stream:
    """Make the goals that every stream begins with. Those that are there are left alone."""
    stream = await stream_of(tx, stream_id, viewer)
    await _create_presets(tx, stream, now)
    return stream


async def create_goal(
    tx: Transaction,
    stream_id: UUID,
    *,
    kind: StreamGoalKind,
    changes: Mapping[str, Any],
    viewer: Viewer | None,
    now: datetime,
) -> StreamGoal:
    """Set a goal: `changes` are its terms beside the kind. Raises `Invalid`, `Conflict`, `NotFound`, `Forbidden`."""
    terms = changed_terms(Terms(kind=kind), changes, now)
    await stream_of(tx, stream_id, viewer)
    stream = await news.hold_stream(tx, stream_id)
    goals = select(func.count()).select_from(StreamGoal).where(col(StreamGoal.stream_id) == stream_id)
    if await tx.scalar(goals) >= MOST_GOALS:
        raise Conflict(f"A stream has at most {MOST_GOALS} goals.", field="stream_id")
    goal = cast("StreamGoal", await _insert_goal(tx, stream, terms, None, now))
    tx.record(StreamGoalChanged(goal=goal, changes=()))
    return goal


async def update_goal(
    tx: Transaction, goal_id: UUID, changes: Mapping[str, Any], *, viewer: Viewer | None, now: datetime
) -> StreamGoal:
    """Change some of a goal's terms; what is not named stays, the count above all."""
    stream = await _stream_of_goal(tx, goal_id, viewer)
    goal = await _held(tx, goal_id, now)
    before = terms_of(goal)
    after = changed_terms(before, changes, now)
    columns = {name: value for name, value in columns_of(after).items() if value != getattr(goal, name)}
    if after.position is not None and after.position != goal.position:
        columns["position"] = after.position
    names = ", ".join(columns)
    if "target" in columns:
        columns["first_target"] = after.target
    if {"period"} & columns.keys():
        columns["period_ends_at"] = period_end(after.period, now, time_zone(stream.time_zone))
    if "ends_at" in columns and goal.state is StreamGoalState.ENDED:
        columns["state"] = StreamGoalState.ACTIVE
    happenings = [_edit(goal, names)] if names else []
    standing = standing_of(goal)
    if set(columns) & set(_TERMS_OF_THE_COUNT):
        terms = {name: getattr(after, name) for name in ("mode", "start", "target", "milestones")}
        changed = replace(standing, **terms, step=columns.get("step", goal.step))
        settled, more = edited(standing, changed)
        happenings += more
        columns |= {name: getattr(settled, name) for name in ("current", "target", "told", "times_reached")}
        if settled.state is not standing.state:
            columns["state"] = settled.state
    told = [Told(happening, Move(thousandths=0, at=now)) for happening in happenings]
    return await keep(tx, goal, standing, told, _by(viewer), **columns)


async def list_goals(session: Session, stream_id: UUID) -> list[StreamGoal]:
    """Return the goals of a stream, in order."""
    of_stream = select(StreamGoal).where(col(StreamGoal.stream_id) == stream_id)
    return await session.rows(of_stream.order_by(col(StreamGoal.position), col(StreamGoal.id)))


async def delete_goal(tx: Transaction, goal_id: UUID, *, viewer: Viewer | None) -> StreamGoal:
    """Remove a goal with its history; return it as it was. Raises `NotFound` and `Forbidden`."""
    await _stream_of_goal(tx, goal_id, viewer)
    goal = await tx.row(delete(StreamGoal).where(col(StreamGoal.id) == goal_id).returning(StreamGoal))
    if goal is None:
        raise _no_goal()
    tx.record(StreamGoalDeleted(goal=goal))
    return goal


async def add_progress(
    tx: Transaction, goal_id: UUID, delta: int, *, viewer: Viewer | None, now: datetime
) -> StreamGoal:
    """Move a goal by `delta`, which may be negative; calls at once add up. Raises `NotFound` and `Forbidden`."""
    _check_delta(delta)
    await _stream_of_goal(tx, goal_id, viewer)
    goal = await move_goal(tx, goal_id, [Move(thousandths=delta * THOUSAND, at=now)], _by(viewer))
    if goal is None:
        raise _no_goal()
    return goal


async def test_goal(tx: Transaction, goal_id: UUID, delta: int, *, viewer: Viewer | None, now: datetime) -> StreamGoal:
    """Show overlays what a change by `delta` would look like, and change nothing. Raises `NotFound`, `Forbidden`."""
    _check_delta(delta)
    await _stream_of_goal(tx, goal_id, viewer)
    goal = await news.tell_test(tx, goal_id, [Move(thousandths=delta * THOUSAND, at=now)], _by(viewer))
    if goal is None:
        raise _no_goal()
    return goal


async def reset_goal(tx: Transaction, goal_id: UUID, *, viewer: Viewer | None, now: datetime) -> StreamGoal:
    """Let a goal begin anew: its start, the target it was given, shown, with all ahead again."""
    await _stream_of_goal(tx, goal_id, viewer)
    goal = await news.restart_goal(tx, goal_id, now, _by(viewer))
    if goal is None:
        raise _no_goal()
    return goal


async def show_goal(
    tx: Transaction, goal_id: UUID, *, is_shown: bool, viewer: Viewer | None, now: datetime
) -> StreamGoal:
    """Show a goal or hide it; it counts all the same. Raises `Conflict` for one that has ended."""
    await _stream_of_goal(tx, goal_id, viewer)
    goal = await _held(tx, goal_id, now)
    if goal.state is StreamGoalState.ENDED:
        raise Conflict("The goal has ended. Give it a later end date, or none, to show it again.", field="id")
    state = StreamGoalState.ACTIVE if is_shown else StreamGoalState.HIDDEN
    if goal.state is state:
        return await keep(tx, goal, standing_of(goal), [], _by(viewer))
    told = [Told(_edit(goal, "state"), Move(thousandths=0, at=now))]
    return await keep(tx, goal, replace(standing_of(goal), state=state), told, _by(viewer))


# What the clock does


async def roll_periods(tx: Transaction, *, now: datetime) -> int:
    """Let goals begin anew whose period is over, and end those whose end date has passed. Returns how many."""
    over = await tx.rows(select(StreamGoal).where(col(StreamGoal.period_ends_at) <= now).order_by(col(StreamGoal.id)))
    zones = {stream.id: stream.time_zone for stream in await tx.rows(select(Stream))} if over else {}
    rolled = [await news.roll_goal(tx, goal, zones[goal.stream_id], now) for goal in over if goal.stream_id in zones]
    has_ended = col(StreamGoal.ends_at) <= now, col(StreamGoal.state) != StreamGoalState.ENDED
    for goal in await tx.rows(select(StreamGoal).where(*has_ended).order_by(col(StreamGoal.id))):
        held = await hold_goal(tx, goal.id, now, *has_ended)
        if held is not None:
            told = [Told(_edit(held, "state"), Move(thousandths=0, at=now))]
            ended = replace(standing_of(held), state=StreamGoalState.ENDED)
            rolled.append(await keep(tx, held, ended, told, CLOCK))
    return sum(goal is not None for goal in rolled)


async def forget(tx: Transaction, *, kept: timedelta, now: datetime) -> None:
    """Let go of history and marks that are older than what is to be kept."""
    await tx.execute(delete(StreamGoalChange).where(col(StreamGoalChange.changed_at) < now - kept))
    await tx.execute(delete(StreamMark).where(col(StreamMark.marked_at) < now - kept))


# What they share


async def _create_presets(tx: Transaction, stream: Stream, now: datetime) -> None:
    for preset, terms in PRESETS.items():
        goal = await _insert_goal(tx, stream, terms, preset, now)
        if goal is not None:
            tx.record(StreamGoalChanged(goal=goal, changes=()))


async def _move_periods(tx: Transaction, stream_id: UUID, zone_name: str, now: datetime) -> None:
    """Let periods end at the midnights of another time zone."""
    is_timed = col(StreamGoal.stream_id) == stream_id, col(StreamGoal.period_ends_at).is_not(None)
    for goal in await tx.rows(select(StreamGoal).where(*is_timed).order_by(col(StreamGoal.id))):
        ends_at = period_end(goal.period, now, time_zone(zone_name))
        await tx.execute(update(StreamGoal).where(col(StreamGoal.id) == goal.id).values(period_ends_at=ends_at))


async def _insert_goal(
    tx: Transaction, stream: Stream, terms: Terms, preset: str | None, now: datetime
) -> StreamGoal | None:
    """Store a goal behind the others; a preset that is there already is left alone, and `None` is returned."""
    last = select(func.coalesce(func.max(col(StreamGoal.position)), -1)).where(col(StreamGoal.stream_id) == stream.id)
    values = {
        "id": new_id(),
        "stream_id": stream.id,
        "preset": preset,
        **columns_of(terms),
        "state": StreamGoalState.ACTIVE,
        "position": await tx.scalar(last) + 1 if terms.position is None else terms.position,
        "current": terms.start,
        "fraction": 0,
        "first_target": terms.target,
        "told": terms.start,
        "last_delta": 0,
        "times_reached": 0,
        "period_ends_at": period_end(terms.period, now, time_zone(stream.time_zone)),
        "revision": 0,
        "created_at": now,
        "changed_at": now,
    }
    statement = upsert(StreamGoal).values(**values).on_conflict_do_nothing(index_elements=["stream_id", "preset"])
    return await tx.row(statement.returning(StreamGoal))


async def stream_of(tx: Transaction, stream_id: UUID, viewer: Viewer | None, *, field: str = "stream_id") -> Stream:
    """Return a stream that the viewer may change. Raises `NotFound` and `Forbidden`."""
    stream = await tx.row(select(Stream).where(col(Stream.id) == stream_id))
    if stream is None:
        raise NotFound("There is no such stream.", field=field)
    _check_owner(stream, viewer)
    return stream


async def _stream_of_goal(tx: Transaction, goal_id: UUID, viewer: Viewer | None) -> Stream:
    stream = await tx.row(_STREAM_OF_GOAL, goal_id=goal_id)
    if stream is None:
        raise _no_goal()
    _check_owner(stream, viewer)
    return stream


def _check_owner(stream: Stream, viewer: Viewer | None) -> None:
    if viewer is not None and stream.owner_id != viewer.user_id and not viewer.has_role(Role.OPERATOR):
        raise Forbidden("This stream belongs to somebody else.")


async def _held(tx: Transaction, goal_id: UUID, now: datetime) -> StreamGoal:
    goal = await hold_goal(tx, goal_id, now)
    if goal is None:
        raise _no_goal()
    return goal


def _no_goal() -> NotFound:
    return NotFound("There is no such goal.", field="id")


def _by(viewer: Viewer | None) -> By:
    return By(cause=StreamGoalChangeCause.USER, user_id=None if viewer is None else viewer.user_id)


def _edit(goal: StreamGoal, names: str) -> Happening:
    return Happening(kind=StreamGoalChangeKind.EDIT, old=goal.current, new=goal.current, label=names)


def _check_delta(delta: int) -> None:
    if not -LARGEST_COUNT <= delta <= LARGEST_COUNT:
        raise Invalid(f"A goal moves by at most {LARGEST_COUNT:,} at once.", field="delta")


def _stream_columns(changes: Mapping[str, Any]) -> dict[str, Any]:
    columns: dict[str, Any] = {}
    if "name" in changes:
        columns["name"] = checked(changes["name"] or "", "A name", field="name", longest=LONGEST_NAME)
    for field, what in (("channel_key", "A channel key"), ("host", "A host")):
        if field in changes:
            columns[field] = checked(changes[field] or "", what, field=field, shortest=0, longest=LONGEST_NAME)
    if "time_zone" in changes:
        columns["time_zone"] = time_zone(changes["time_zone"] or "UTC").key
    return columns


_STREAM_OF_GOAL = fixed(
    select(Stream).where(
        col(Stream.id)
        == select(col(StreamGoal.stream_id))
        .where(col(StreamGoal.id) == bindparam("goal_id", type_=Uuid()))
        .scalar_subquery()
    )
)
# A stream as it is where nothing else is said.
NEW_STREAM: dict[str, Any] = {"name": "", "channel_key": "", "host": "", "time_zone": "UTC"}
# The goals that every stream begins with.
PRESETS = {
    "COINS": Terms(
        kind=StreamGoalKind.COINS, name="Coins", unit="coins", target=1000, mode=StreamGoalMode.ADD, step=1000
    ),
    "LIKES": Terms(
        kind=StreamGoalKind.LIKES, name="Likes", unit="likes", target=500, mode=StreamGoalMode.ADD, step=500
    ),
    "FOLLOWERS": Terms(
        kind=StreamGoalKind.FOLLOWERS, name="Followers", unit="followers", target=10, mode=StreamGoalMode.ADD, step=10
    ),
    "CUSTOM": Terms(kind=StreamGoalKind.CUSTOM, name="Goal", target=100),
}
