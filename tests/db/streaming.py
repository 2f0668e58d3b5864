"""Goals of a stream as they are stored."""

from typing import Any
from uuid import UUID

from sqlalchemy import Select
from sqlmodel import col, select

from db.database import Database
from db.streams import operations
from db.streams.tables import StreamGoal, StreamGoalChange
from db.streams.vocabulary import StreamGoalMode
from tests.db.stored import NOW


async def found(db: Database, statement: Select[Any]) -> list[Any]:
    async with db.read() as session:
        rows: list[Any] = await session.rows(statement)
        return rows


async def goal_of(db: Database, goal_id: UUID) -> StreamGoal:
    (goal,) = await found(db, select(StreamGoal).where(col(StreamGoal.id) == goal_id))
    return goal  # type: ignore[no-any-return]  # a row stands for its table


async def history(db: Database, goal_id: UUID) -> list[StreamGoalChange]:
    entries = select(StreamGoalChange).where(col(StreamGoalChange.goal_id) == goal_id)
    return await found(db, entries.order_by(col(StreamGoalChange.revision), col(StreamGoalChange.part)))


async def told(db: Database, goal_id: UUID) -> list[tuple[str, int, int, int]]:
    return [(str(one.kind), one.old_value, one.new_value, one.delta) for one in await history(db, goal_id)]


async def update(db: Database, goal: StreamGoal, **changes: Any) -> StreamGoal:
    if "mode" in changes:
        changes["mode"] = StreamGoalMode(changes["mode"])
    async with db.transaction() as tx:
        return await operations.update_goal(tx, goal.id, changes, viewer=None, now=NOW)


async def counts(db: Database, goals: dict[str, UUID]) -> dict[str, int]:
    return {kind: (await goal_of(db, goal_id)).current for kind, goal_id in goals.items()}
