"""How news of viewers changes a stream: each piece counted once, in the transaction of its effect.

Whoever takes news of a stream holds its row until he commits, so two sources of one stream take turns. Marks are read
and written under that hold; goals are moved as everybody moves them, so that hands may move them meanwhile.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast
from uuid import UUID

from sqlalchemy import bindparam, case, insert, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlmodel import col, select

from db.batches import table_of
from db.errors import NotFound
from db.parameters import any_of
from db.session import Transaction
from db.statements import fixed
from db.streams.counting import CLOCK, By, Move, Told, hold_goal, keep, level_goal, move_goal, standing_of
from db.streams.fold import Counted, Folded, Progress, Segment, Session, fold, keys_of
from db.streams.incoming import Ignored, Received, StreamEvent
from db.streams.periods import period_end
from db.streams.rules import LARGEST_COUNT, THOUSAND, Happening, restarted
from db.streams.tables import Stream, StreamGoal, StreamMark, StreamSession, StreamSource
from db.streams.terms import weights_of
from db.streams.vocabulary import (
    StreamGoalChangeCause,
    StreamGoalChangeKind,
    StreamGoalKind,
    StreamGoalPeriod,
)
from db.zones import time_zone


@dataclass(frozen=True, kw_only=True)
class Taken:
    """What came of a batch of news."""

    counted: int
    duplicates: int
    ignored: int
    rejected: int


async def take_news(tx: Transaction, source_id: UUID, received: Sequence[Received]) -> Taken:
    """Count a batch of news from a source, in the order it came. Raises `NotFound` if the source is gone."""
    source = await tx.row(select(StreamSource).where(col(StreamSource.id) == source_id))
    if source is None:
        raise NotFound("There is no such source.", field="id")
    stream = await hold_stream(tx, source.stream_id)
    before = await _progress(tx, stream)
    folded = fold(before, received, await _marks(tx, stream.id, keys_of(before, received)))
    await _keep_marks(tx, stream.id, folded, received)
    by = By(cause=StreamGoalChangeCause.EVENT, source_id=source_id)
    for segment in folded.segments:
        await _take_segment(tx, stream, segment, by)
    await _keep_stream(tx, stream, folded.progress)
    return await _keep_source(tx, source_id, received, folded)


async def hold_stream(tx: Transaction, stream_id: UUID) -> Stream:
    """Be the only one who counts for a stream until the commit. Raises `NotFound`."""
    held = update(Stream).where(col(Stream.id) == stream_id).values(batches=col(Stream.batches) + 1)
    stream = await tx.row(held.returning(Stream))
    if stream is None:
        raise NotFound("There is no such stream.", field="stream_id")
    return stream


async def begin_session(tx: Transaction, stream: Stream, session: Session) -> StreamSession:
    """Begin a live session of a stream that is held: goals that live for one begin anew."""
    values = {"id": session.id, "stream_id": stream.id, "started_at": session.started_at, "room": session.room}
    zero = dict.fromkeys(_SESSION_COUNTS.values(), 0)
    made = insert(StreamSession).values(**values, **zero, viewer_count=0, most_viewers=0)
    begun = cast("StreamSession", await tx.row(made.returning(StreamSession)))
    of_session = col(StreamGoal.period) == StreamGoalPeriod.SESSION
    for goal in await tx.rows(select(StreamGoal).where(col(StreamGoal.stream_id) == stream.id, of_session)):
        await restart_goal(tx, goal.id, session.started_at, CLOCK)
    return begun


async def end_session(tx: Transaction, session_id: UUID, at: datetime) -> None:
    """End a live session."""
    is_open = col(StreamSession.id) == session_id, col(StreamSession.ended_at).is_(None)
    await tx.execute(update(StreamSession).where(*is_open).values(ended_at=at))


async def restart_goal(
    tx: Transaction, goal_id: UUID, at: datetime, by: By, *conditions: Any, **columns: object
) -> StreamGoal | None:
    """Let a goal begin anew: at its start, towards the target it was given, shown. `None` if it is gone."""
    goal = await hold_goal(tx, goal_id, at, *conditions)
    if goal is None:
        return None
    standing, happenings = restarted(standing_of(goal), goal.first_target)
    told = [Told(happening, Move(thousandths=0, at=at)) for happening in happenings]
    return await keep(tx, goal, standing, told, by, reached_at=None, **columns)


async def roll_goal(tx: Transaction, goal: StreamGoal, zone_name: str, at: datetime) -> StreamGoal | None:
    """Let a goal begin anew because its period is over, once: `None` if somebody else was faster."""
    ends_at = period_end(goal.period, at, time_zone(zone_name))
    is_over = col(StreamGoal.period_ends_at) == goal.period_ends_at
    return await restart_goal(tx, goal.id, at, CLOCK, is_over, period_ends_at=ends_at)


async def _progress(tx: Transaction, stream: Stream) -> Progress:
    row = await tx.row(select(StreamSession).where(col(StreamSession.id) == stream.current_session_id))
    session = None
    if row is not None:
        session = Session(id=row.id, started_at=row.started_at, room=row.room, liked_at=row.liked_at)
    return Progress(session=session, last_event_at=stream.last_event_at, host=stream.host, channel=stream.channel_key)


async def _marks(tx: Transaction, stream_id: UUID, keys: Iterable[str]) -> dict[str, int]:
    marks = select(col(StreamMark.key), col(StreamMark.high))
    found = await tx.tuples(marks.where(col(StreamMark.stream_id) == stream_id, any_of(col(StreamMark.key), keys)))
    return {key: high for key, high in found}  # noqa: C416 -- rows are sequences of their driver's


async def _keep_marks(tx: Transaction, stream_id: UUID, folded: Folded, received: Sequence[Received]) -> None:
    if folded.marks:
        at = received[-1].received_at
        rows = [
            {"stream_id": stream_id, "key": key, "high": high, "marked_at": at} for key, high in folded.marks.items()
        ]
        await tx.execute_many(_UPSERT_MARK, rows)


async def _take_segment(tx: Transaction, stream: Stream, segment: Segment, by: By) -> None:
    if segment.began and segment.session is not None:
        await begin_session(tx, stream, segment.session)
    if segment.counted:
        await _count(tx, stream, segment.counted, by)
    if segment.session is not None:
        await _keep_session(tx, segment, segment.session)


async def _count(tx: Transaction, stream: Stream, counted: Sequence[Counted], by: By) -> None:
    goals = await tx.rows(select(StreamGoal).where(col(StreamGoal.stream_id) == stream.id).order_by(col(StreamGoal.id)))
    for goal in goals:
        weights = weights_of(goal)
        wanted = [one for one in counted if one.kind in weights]
        if wanted:
            await _count_for(tx, stream, goal, wanted, weights, by)


async def _count_for(
    tx: Transaction,
    stream: Stream,
    goal: StreamGoal,
    counted: Sequence[Counted],
    weights: dict[StreamGoalKind, int],
    by: By,
) -> None:
    """Count news for one goal; where its period ends in the middle, what came before counts for that."""
    over = goal.period_ends_at
    early = [one for one in counted if over is None or one.received_at < over]
    late = counted[len(early) :]
    for part, is_new in ((early, False), (late, True)):
        if not part:
            continue
        if is_new:
            await roll_goal(tx, goal, stream.time_zone, part[0].received_at)
        real = [one for one in part if not one.event.is_test]
        if real and goal.kind is StreamGoalKind.VIEWERS:
            await level_goal(tx, goal.id, real[-1].amount, by, _move(real[-1], 0))
        elif real:
            await move_goal(tx, goal.id, [_move(one, one.amount * weights[one.kind]) for one in real], by)
        tests = [one for one in part if one.event.is_test]
        if tests:
            moves = [_move(one, one.amount * weights[one.kind]) for one in tests]
            await tell_test(tx, goal.id, moves, by)


async def tell_test(tx: Transaction, goal_id: UUID, moves: Sequence[Move], by: By) -> StreamGoal | None:
    """Tell of a test, and leave the count where it is."""
    goal = await hold_goal(tx, goal_id, moves[-1].at)
    if goal is None:
        return None
    told = [
        Told(
            Happening(
                kind=StreamGoalChangeKind.TEST, old=goal.current, new=goal.current, delta=move.thousandths // THOUSAND
            ),
            move,
        )
        for move in moves
    ]
    return await keep(tx, goal, standing_of(goal), told, by)


def _move(counted: Counted, thousandths: int) -> Move:
    event = counted.event
    return Move(
        thousandths=thousandths,
        at=counted.received_at,
        viewer_name=event.viewer_name,
        event_key=event.event_id,
    )


async def _keep_session(tx: Transaction, segment: Segment, session: Session) -> None:
    real = [one for one in segment.counted if not one.event.is_test]
    totals: Counter[StreamGoalKind] = Counter()
    for one in real:
        totals[one.kind] += one.amount
    values: dict[str, Any] = {
        column: _added_to(table_of(StreamSession).c[column], totals[kind])
        for kind, column in _SESSION_COUNTS.items()
        if totals[kind]
    }
    levels = [one.amount for one in real if one.kind is StreamGoalKind.VIEWERS]
    if levels:
        most = col(StreamSession.most_viewers)
        values |= {"viewer_count": levels[-1], "most_viewers": case((most < max(levels), max(levels)), else_=most)}
    values |= {"room": session.room, "liked_at": session.liked_at}
    await tx.execute(update(StreamSession).where(col(StreamSession.id) == session.id).values(**values))
    if segment.ended_at is not None:
        await end_session(tx, session.id, segment.ended_at)


async def _keep_stream(tx: Transaction, stream: Stream, progress: Progress) -> None:
    session_id = None if progress.session is None else progress.session.id
    if (session_id, progress.last_event_at) == (stream.current_session_id, stream.last_event_at):
        return
    values = {"current_session_id": session_id, "last_event_at": progress.last_event_at}
    await tx.execute(update(Stream).where(col(Stream.id) == stream.id).values(**values))


async def _keep_source(tx: Transaction, source_id: UUID, received: Sequence[Received], folded: Folded) -> Taken:
    # Read again: what it said before the stream was held may be old.
    source = cast("StreamSource", await tx.row(select(StreamSource).where(col(StreamSource.id) == source_id)))
    events = Counter(str(one.what.kind) for one in received if isinstance(one.what, StreamEvent))
    faults = Counter(str(one.fault) for one in folded.rejections)
    ignored = sum(isinstance(one.what, Ignored) for one in received)
    values: dict[str, Any] = {
        "event_counts": _added(source.event_counts, events),
        "fault_counts": _added(source.fault_counts, faults),
        "ignored_count": source.ignored_count + ignored,
        "duplicate_count": source.duplicate_count + folded.duplicates,
    }
    if events:
        values["last_event_at"] = received[-1].received_at
    if folded.rejections:
        last = folded.rejections[-1]
        values |= {"last_error": f"{last.fault}: {last.detail}"[:200], "last_error_at": received[-1].received_at}
    await tx.execute(update(StreamSource).where(col(StreamSource.id) == source_id).values(**values))
    return Taken(
        counted=events.total() - folded.duplicates - folded.strangers,
        duplicates=folded.duplicates,
        ignored=ignored,
        rejected=faults.total(),
    )


def _added_to(column: Any, more: int) -> Any:
    """Add to a count, up to the largest that clients can hold."""
    added = column + more
    return case((added > LARGEST_COUNT, LARGEST_COUNT), else_=added)


def _added(before: dict[str, Any], more: Counter[str]) -> dict[str, int]:
    return {name: min(int(before.get(name, 0)) + more[name], LARGEST_COUNT) for name in sorted({*before, *more})}


def _upsert_mark() -> Any:
    table = table_of(StreamMark)
    values = {column.key: bindparam(column.key, type_=column.type) for column in table.c}
    statement = upsert(table).values(values)
    later = {name: statement.excluded[name] for name in ("high", "marked_at")}
    return statement.on_conflict_do_update(index_elements=["stream_id", "key"], set_=later)


_UPSERT_MARK = fixed(_upsert_mark())
_SESSION_COUNTS = {
    StreamGoalKind.COINS: "coin_count",
    StreamGoalKind.LIKES: "like_count",
    StreamGoalKind.FOLLOWERS: "follower_count",
    StreamGoalKind.SHARES: "share_count",
    StreamGoalKind.SUBSCRIBERS: "subscriber_count",
}
