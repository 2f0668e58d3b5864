"""Letting go of what is too old, or too much: in batches, written to a file before where that is asked."""

import asyncio
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import select

from db.archive import Writer
from db.archive_columns import kind_of
from db.backups.target import RETIRED_SUFFIX, Target
from db.database import Database
from db.housekeeping import operations
from db.housekeeping.operations import KEPT, Kept
from db.parameters import any_of
from db.streams.operations import forget

# How many rows of a table one run lets go, and one transaction.
MOST_AT_ONCE = 20_000
_ROWS_OF_A_BATCH = 1000


@dataclass(frozen=True, kw_only=True)
class Retired:
    """What was let go of a table, or would be: how many rows, and in which file they are, if in one."""

    name: str
    rows: int
    file: str = ""


async def retire(
    db: Database, values: Mapping[str, Any], target: Target | None, *, is_dry_run: bool = False, now: datetime
) -> list[Retired]:
    """Let go of what the settings in `values` say is not kept, or say what that would be.

    With a `target`, rows are written there before; what cannot be written stays. Raises `Unavailable`.
    """
    return [await _retire(db, one, values, target, is_dry_run=is_dry_run, now=now) for one in KEPT]


async def _retire(
    db: Database, kept: Kept, values: Mapping[str, Any], target: Target | None, *, is_dry_run: bool, now: datetime
) -> Retired:
    days = values[f"retention.{kept.name}_days"]
    most = values.get(f"retention.{kept.name}_rows", 0)
    before = now - timedelta(days=days) if days else None
    async with db.read() as session:
        ids = await operations.not_kept(session, kept, before=before, most=most, at_once=MOST_AT_ONCE)
    if is_dry_run or not ids:
        return Retired(name=kept.name, rows=len(ids))
    file = "" if target is None else await _write(db, kept, ids, target, now)
    for begin in range(0, len(ids), _ROWS_OF_A_BATCH):
        async with db.transaction() as tx:
            await operations.let_go(tx, kept, ids[begin : begin + _ROWS_OF_A_BATCH])
    if kept.name == "goal_changes" and len(ids) < MOST_AT_ONCE:
        # With the marks by which it is known what was counted: nothing as old comes again.
        async with db.transaction() as tx:
            await forget(tx, kept=timedelta(days=days), now=now)
    return Retired(name=kept.name, rows=len(ids), file=file)


async def _write(db: Database, kept: Kept, ids: Sequence[UUID], target: Target, now: datetime) -> str:
    """Write rows to a file at the target, and return its name."""
    name = f"{kept.name.replace('_', '-')}-{now:%Y%m%d-%H%M%S-%f}{RETIRED_SUFFIX}"
    with tempfile.TemporaryDirectory(prefix="ringside-retired-") as folder:
        path = Path(folder) / name
        writer = Writer(path)
        try:
            writer.begin(kept.table.name, [(column.name, kind_of(column)) for column in kept.table.columns])
            for begin in range(0, len(ids), _ROWS_OF_A_BATCH):
                async with db.read() as session:
                    these = any_of(kept.table.c.id, ids[begin : begin + _ROWS_OF_A_BATCH])
                    rows = await session.tuples(select(kept.table).where(these))
                writer.write([[_shown(value) for value in row] for row in rows])
            writer.finish(revision="retired", made_at=now, engine="ringside", version="1")
        finally:
            writer.abandon()
        await asyncio.to_thread(target.put, path, name)
    return name


def _shown(value: Any) -> Any:
    """Return a value as it stands in an archive."""
    if isinstance(value, UUID):
        return value.hex
    if isinstance(value, datetime):
        return value.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"
    return value.isoformat() if isinstance(value, date) else value
