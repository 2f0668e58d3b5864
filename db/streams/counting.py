"""How a goal changes, and how its history is written: in one transaction, by whoever holds the row.

Every change begins with one statement that raises the goal's revision: for a count that moves, it is the statement that
moves it, so that what many add at once adds up. The row is then held until the commit, and what follows from the change
is worked out by `db.streams.rules` and stored beside it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast
from uuid import UUID

from sqlalchemy import Integer, Uuid, bindparam, case, insert, or_, update
from sqlmodel import col

from db.batches import table_of
from db.ids import new_id
from db.session import Transaction
from db.statements import fixed, row_class
from db.streams.events import StreamGoalChanged
from db.streams.rules import LARGEST_COUNT, THOUSAND, Happening, Standing, levelled, moved
from db.streams.tables import StreamGoal, StreamGoalChange
from db.streams.terms import milestones_of
from db.streams.vocabulary import StreamGoalChangeCause, StreamGoalChangeKind


@dataclass(frozen=True, slots=True, kw_only=True)
class By:
    """Who or what changes a goal."""

    cause: StreamGoalChangeCause
    user_id: UUID | None = None
    source_id: UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """One movement of a count, in thousandths, and whose doing it was."""

    thousandths: int
    at: datetime
    viewer_name: str = ""
    event_key: str = ""


@dataclass(frozen=True, slots=True)
class Told:
    """Something that happened to a goal, and the movement it came of."""

    happening: Happening
    move: Move


CLOCK = By(cause=StreamGoalChangeCause.CLOCK)
_EVER = datetime(1, 1, 1, tzinfo=UTC)


def standing_of(goal: StreamGoal) -> Standing:
    """Return what the rules look at."""
    return Standing(
        mode=goal.mode,
        start=goal.start,
        current=goal.current,
        fraction=goal.fraction,
        target=goal.target,
        step=goal.step,
        told=goal.told,
        times_reached=goal.times_reached,
        state=goal.state,
        milestones=milestones_of(goal),
    )


async def move_goal(tx: Transaction, goal_id: UUID, moves: Sequence[Move], by: By) -> StreamGoal | None:
    """Move a goal's count. Several movements are one statement, and an entry of the history each.

    `None` if the goal is gone or, for news of viewers, was over by then.
    """
    whole, thousandths = divmod(sum(move.thousandths for move in moves), THOUSAND)
    last = moves[-1]
    counted_at = last.at if by.cause is StreamGoalChangeCause.EVENT else _EVER
    values = {"goal_id": goal_id, "whole": whole, "thousandths": thousandths, "at": last.at, "counted_at": counted_at}
    goal = await tx.row(_MOVE, **values)
    if goal is None:
        return None
    standing = _before(goal, fraction=(goal.fraction - thousandths) % THOUSAND)
    told: list[Told] = []
    for move in moves:
        standing, happenings = moved(standing, *divmod(move.thousandths, THOUSAND))
        told += [Told(happening, move) for happening in happenings]
    return await keep(tx, goal, standing, _worth_telling(told, by), by)


async def level_goal(tx: Transaction, goal_id: UUID, level: int, by: By, move: Move) -> StreamGoal | None:
    """Set a goal's count to a level; nothing happens, and `None` is returned, if it stands there."""
    level = min(level, LARGEST_COUNT)
    goal = await tx.row(_LEVEL, goal_id=goal_id, level=level, at=move.at, counted_at=move.at)
    if goal is None:
        return None
    standing, happenings = levelled(_before(goal, fraction=0), level)
    return await keep(tx, goal, standing, [Told(happening, move) for happening in happenings], by)


async def hold_goal(tx: Transaction, goal_id: UUID, at: datetime, *conditions: Any) -> StreamGoal | None:
    """Raise a goal's revision, and with it hold the goal until the commit. `None` if it is gone, or not as it was."""
    held = update(StreamGoal).where(col(StreamGoal.id) == goal_id, *conditions)
    return await tx.row(held.values(revision=col(StreamGoal.revision) + 1, changed_at=at).returning(StreamGoal))


async def keep(
    tx: Transaction,
    goal: StreamGoal,
    standing: Standing,
    told: Sequence[Told],
    by: By,
    /,
    **columns: object,
) -> StreamGoal:
    """Store what became of a goal that is held, write its history, and tell of it."""
    reached = [one.move.at for one in told if one.happening.kind is StreamGoalChangeKind.REACHED]
    if reached and goal.reached_at is None:
        columns["reached_at"] = reached[0]
    columns |= _differences(goal, standing)
    if columns:
        kept = update(StreamGoal).where(col(StreamGoal.id) == goal.id).values(**columns).returning(StreamGoal)
        goal = cast("StreamGoal", await tx.row(kept))
    changes = [_change_row(goal, part, one, by) for part, one in enumerate(told)]
    if changes:
        await tx.execute_many(_INSERT_CHANGE, changes)
    tx.record(StreamGoalChanged(goal=goal, changes=tuple(changes)))
    return goal


def _before(goal: StreamGoal, *, fraction: int) -> Standing:
    """Return how a goal stood before the statement that returned it."""
    now = standing_of(goal)
    return Standing(
        mode=now.mode,
        start=now.start,
        current=goal.current - goal.last_delta,
        fraction=fraction,
        target=now.target,
        step=now.step,
        told=now.told,
        times_reached=now.times_reached,
        state=now.state,
        milestones=now.milestones,
    )


def _differences(goal: StreamGoal, standing: Standing) -> dict[str, object]:
    return {name: getattr(standing, name) for name in _SETTLED if getattr(standing, name) != getattr(goal, name)}


def _worth_telling(told: Iterable[Told], by: By) -> list[Told]:
    """Leave out news that came to less than one. What somebody did by hand is told even if it came to nothing."""
    if by.cause is not StreamGoalChangeCause.EVENT:
        return list(told)
    return [one for one in told if one.happening.kind is not StreamGoalChangeKind.PROGRESS or one.happening.delta]


def _change_row(goal: StreamGoal, part: int, told: Told, by: By) -> Any:
    happening, move = told.happening, told.move
    return _CHANGE_ROW(
        id=new_id(),
        goal_id=goal.id,
        revision=goal.revision,
        part=part,
        kind=happening.kind,
        old_value=happening.old,
        new_value=happening.new,
        delta=happening.delta,
        threshold=happening.threshold,
        label=happening.label,
        cause=by.cause,
        source_id=by.source_id,
        user_id=by.user_id,
        viewer_name=move.viewer_name,
        event_key=move.event_key,
        changed_at=move.at,
    )


def _moving(counted: Any, **values: Any) -> Any:
    """Build the statement that makes a goal's count what `counted` says."""
    is_open = or_(
        col(StreamGoal.ends_at).is_(None), col(StreamGoal.ends_at) > bindparam("counted_at", type_=_ENDS_AT.type)
    )
    return (
        update(StreamGoal)
        .where(col(StreamGoal.id) == bindparam("goal_id", type_=Uuid()), is_open)
        .values(
            current=counted,
            last_delta=counted - col(StreamGoal.current),
            revision=col(StreamGoal.revision) + 1,
            changed_at=bindparam("at", type_=_ENDS_AT.type),
            **values,
        )
        .returning(StreamGoal)
    )


def _moved() -> Any:
    fraction = col(StreamGoal.fraction) + bindparam("thousandths", type_=Integer())
    wanted = col(StreamGoal.current) + bindparam("whole", type_=_COUNT.type) + fraction // THOUSAND
    counted = case((wanted < 0, 0), (wanted > LARGEST_COUNT, LARGEST_COUNT), else_=wanted)
    return _moving(counted, fraction=fraction % THOUSAND)


def _levelled() -> Any:
    level = bindparam("level", type_=_COUNT.type)
    return _moving(level, fraction=0).where(col(StreamGoal.current) != level)


_GOALS = table_of(StreamGoal)
_ENDS_AT, _COUNT = _GOALS.c.ends_at, _GOALS.c.current
_SETTLED = ("current", "fraction", "target", "told", "times_reached", "state")
_MOVE = fixed(_moved())
_LEVEL = fixed(_levelled())
_CHANGES = table_of(StreamGoalChange)
_CHANGE_ROW: Any = row_class(_CHANGES.name, tuple(_CHANGES.c.keys()), _CHANGES)
_INSERT_CHANGE = fixed(insert(StreamGoalChange))
