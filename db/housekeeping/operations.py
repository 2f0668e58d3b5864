"""What may be let go of, and letting go of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, Table, and_, delete, false, func, or_, select
from sqlmodel import col

from db.accounts.tables import Execution, ExecutionEvent, Poll
from db.accounts.vocabulary import FINAL_STATES
from db.backups.tables import BackupJob
from db.backups.vocabulary import BackupJobState
from db.batches import table_of
from db.network.tables import ListenerSession
from db.network.vocabulary import ListenerSessionState
from db.parameters import any_of
from db.session import Session, Transaction
from db.settings.tables import SettingChange
from db.streams.tables import StreamGoalChange


@dataclass(frozen=True, kw_only=True)
class Kept:
    """A table that grows: the part of its settings' keys, when a row is from, and what rows are counted for."""

    name: str
    table: Table
    at: str
    counted_for: str | None = None
    # What may be let go at all: what is over.
    is_over: ColumnElement[bool] | None = None


def _kept() -> list[Kept]:
    sessions, jobs, events = table_of(ListenerSession), table_of(BackupJob), table_of(ExecutionEvent)
    return [
        Kept(name="goal_changes", table=table_of(StreamGoalChange), at="changed_at"),
        Kept(
            name="listener_sessions",
            table=sessions,
            at="started_at",
            counted_for="listener_id",
            is_over=sessions.c.state != ListenerSessionState.RUNNING,
        ),
        Kept(name="setting_changes", table=table_of(SettingChange), at="changed_at", counted_for="setting_id"),
        Kept(name="polls", table=table_of(Poll), at="started_at", counted_for="feed_id"),
        Kept(
            name="execution_events",
            table=events,
            at="happened_at",
            counted_for="execution_id",
            is_over=events.c.execution_id.in_(_executions_that_are_over()),
        ),
        Kept(
            name="backup_jobs",
            table=jobs,
            at="asked_at",
            is_over=or_(jobs.c.state == BackupJobState.DONE, jobs.c.state == BackupJobState.FAILED),
        ),
    ]


def _executions_that_are_over() -> Select[Any]:
    over = (col(Execution.state) == state for state in sorted(FINAL_STATES))
    return select(col(Execution.id)).where(or_(*over))


KEPT: Sequence[Kept] = _kept()


async def not_kept(session: Session, kept: Kept, *, before: datetime | None, most: int, at_once: int) -> list[UUID]:
    """Return what may be let go, the oldest first: at most `at_once` rows.

    That is what is from before `before`, and all but the newest `most` of each that rows are counted for; `None` and 0
    keep everything.
    """
    if before is None and not most:
        return []
    found: Select[Any] = select(kept.table.c.id).order_by(kept.table.c[kept.at], kept.table.c.id).limit(at_once)
    is_past = kept.table.c[kept.at] < before if before is not None else false()
    is_too_much: ColumnElement[bool] = false()
    if most and kept.counted_for is not None:
        newest_first = kept.table.c[kept.at].desc(), kept.table.c.id.desc()
        place = func.row_number().over(partition_by=kept.table.c[kept.counted_for], order_by=newest_first)
        placed = select(kept.table.c.id, place.label("place")).subquery("placed")
        is_too_much = kept.table.c.id.in_(select(placed.c.id).where(placed.c.place > most))
    is_gone = or_(is_past, is_too_much)
    condition = is_gone if kept.is_over is None else and_(is_gone, kept.is_over)
    return [row[0] for row in await session.tuples(found.where(condition))]


async def let_go(tx: Transaction, kept: Kept, ids: Sequence[UUID]) -> None:
    """Delete rows of a table that is kept. Those that are gone already are no fault."""
    await tx.execute(delete(kept.table).where(any_of(kept.table.c.id, ids)))
