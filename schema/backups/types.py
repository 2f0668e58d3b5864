"""The types of backups: what stands at the target, and what was asked and came of it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import strawberry

from db.access.queries import user_by_id
from db.backups import queries
from schema.access.types import User
from schema.backups.vocabulary import BackupJobCause, BackupJobKind, BackupJobState
from schema.fields import Node, column, computed, node, to_one, value


@value
class Backup:
    """An archive as it stands at the target. What is in it, `backupVerify` says."""

    name: str = strawberry.field(description="Its name, which begins with when it was made.")
    size: float = strawberry.field(description="How many bytes it has: a whole number.")


@value
class BackupTable:
    """What putting a backup back does to a table."""

    name: str = strawberry.field(description="The table.")
    rows_before: float = strawberry.field(description="How many rows it had, or has: a whole number.")
    rows_after: float = strawberry.field(description="How many it has then: a whole number.")


def _tables(found: list[Any]) -> list[BackupTable]:
    return [BackupTable(name=name, rows_before=float(now), rows_after=float(then)) for name, now, then in found]


@node("backupjob", queries.backup_job_by_id)
class BackupJob(Node):
    """Something that is done about backups. One is done at a time, as they were asked for."""

    kind: BackupJobKind = column("What is done.")
    state: BackupJobState = column("How far it has come.")
    cause: BackupJobCause = column("Why it is done.")
    name: str = column("The name of the backup. Empty until one is made.")
    is_dry_run: bool = column("Whether nothing is changed by it, and it says what would be.")
    row_count: float = computed("How many rows are done: a whole number.", ("rows",), float)
    table_name: str = column("The table that is at work. Empty if none is.")
    size: float | None = computed(
        "How many bytes the backup has: a whole number. Null until that is known.",
        ("size",),
        lambda size: None if size is None else float(size),
    )
    tables: list[BackupTable] = computed(
        "What putting it back does, or would do, to each table. Empty for anything else, and until it is known.",
        ("tables",),
        _tables,
    )
    error: str = column("What went wrong. Empty if nothing did.")
    asked_at: datetime = column("When it was asked for.")
    started_at: datetime | None = column("When it was begun. Null until then.")
    ended_at: datetime | None = column("When it was over. Null until then.")
    asked_by: User | None = to_one(
        "Who asked for it. Null if it was time, or the user is not in this database.", user_by_id, key="asked_by_id"
    )
    revision: int = column("Raised by one with every change.")
