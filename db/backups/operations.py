"""How what is asked of backups may change: asked for, claimed, gone on with, over."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, cast
from uuid import UUID

from sqlalchemy import ColumnElement, func, or_, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlmodel import col, select

from db.access.tables import User
from db.access.viewer import Role, Viewer
from db.backups.events import BackupJobChanged
from db.backups.tables import BackupJob
from db.backups.target import checked_name
from db.backups.vocabulary import BackupJobCause, BackupJobKind, BackupJobState
from db.errors import Conflict, Forbidden
from db.ids import new_id
from db.session import Session, Transaction

MOST_WAITING = 20
_LONGEST_ERROR = 500


async def ask(
    tx: Transaction,
    kind: BackupJobKind,
    *,
    name: str = "",
    is_dry_run: bool = False,
    viewer: Viewer | None,
    now: datetime,
) -> BackupJob:
    """Ask for something to be done about backups; `viewer` is `None` for the schedule.

    Raises `Invalid` for what is no name of a backup, `Conflict` when too much waits, and `Forbidden`.
    """
    if viewer is not None and not viewer.has_role(Role.ADMIN):
        raise Forbidden("Backups are for admins.")
    if kind is not BackupJobKind.CREATE:
        checked_name(name)
    if await tx.scalar(select(func.count()).select_from(BackupJob).where(_is_open())) >= MOST_WAITING:
        raise Conflict(f"{MOST_WAITING} jobs wait already: ask again when some are done.")
    values = {
        "id": new_id(),
        "kind": kind,
        "state": BackupJobState.QUEUED,
        "cause": BackupJobCause.SCHEDULE if viewer is None else BackupJobCause.ASKED,
        "name": name,
        "is_dry_run": is_dry_run,
        "rows": 0,
        "table_name": "",
        "tables": [],
        "error": "",
        "asked_at": now,
        "asked_by_id": None if viewer is None else viewer.user_id,
        "revision": 0,
    }
    return _told(tx, await tx.row(upsert(BackupJob).values(**values).returning(BackupJob)))


async def claim(tx: Transaction, *, now: datetime) -> BackupJob | None:
    """Begin what was asked for first and waits, `None` if nothing does. Whoever claims is the only one who does."""
    waits = col(BackupJob.state) == BackupJobState.QUEUED
    first = select(col(BackupJob.id)).where(waits).order_by(col(BackupJob.asked_at), col(BackupJob.id)).limit(1)
    values = {"state": BackupJobState.RUNNING, "started_at": now, "revision": col(BackupJob.revision) + 1}
    claimed = update(BackupJob).where(col(BackupJob.id) == first.scalar_subquery(), waits).values(**values)
    job = await tx.row(claimed.returning(BackupJob))
    return None if job is None else _told(tx, job)


async def note_progress(tx: Transaction, job_id: UUID, *, rows: int, table: str) -> BackupJob:
    """Note how far a job has come."""
    return await _change(tx, job_id, {"rows": rows, "table_name": table})


async def finish(tx: Transaction, job_id: UUID, *, error: str = "", now: datetime, **came: Any) -> BackupJob:
    """End a job, well or with what went wrong. `came` are columns of what came of it."""
    state = BackupJobState.FAILED if error else BackupJobState.DONE
    values = {**came, "state": state, "error": error[:_LONGEST_ERROR], "ended_at": now, "table_name": ""}
    return await _change(tx, job_id, values)


async def end_interrupted(tx: Transaction, *, now: datetime) -> Sequence[BackupJob]:
    """End what a server left when it was gone. Called by who does such work alone."""
    left = col(BackupJob.state) == BackupJobState.RUNNING
    told = "The server was gone before it was done. Ask again."
    values = {"state": BackupJobState.FAILED, "error": told, "ended_at": now, "revision": col(BackupJob.revision) + 1}
    ended = await tx.rows(update(BackupJob).where(left).values(**values).returning(BackupJob))
    return [_told(tx, job) for job in ended]


async def keep_job(tx: Transaction, job: BackupJob, *, error: str = "", now: datetime, **came: Any) -> BackupJob:
    """Store a job that ended with another database in place of the one it was asked of."""
    asker = select(col(User.id)).where(col(User.id) == job.asked_by_id)
    values: dict[str, Any] = {
        **job._asdict(),  # type: ignore[attr-defined]  # a light row
        **came,
        "asked_by_id": await tx.scalar(asker),
        "state": BackupJobState.FAILED if error else BackupJobState.DONE,
        "error": error[:_LONGEST_ERROR],
        "ended_at": now,
        "table_name": "",
        "revision": job.revision + 1,
    }
    made = upsert(BackupJob).values(**values)
    kept = made.on_conflict_do_update(
        index_elements=["id"], set_={name: values[name] for name in values if name != "id"}
    )
    return _told(tx, await tx.row(kept.returning(BackupJob)))


async def is_due(session: Session, *, since: datetime) -> bool:
    """Say whether the next backup is to be made by itself: none waits, and none was asked for since then."""
    is_one = col(BackupJob.kind) == BackupJobKind.CREATE
    if await session.row(select(BackupJob).where(is_one, _is_open()).limit(1)) is not None:
        return False
    last = await session.row(select(BackupJob).where(is_one).order_by(col(BackupJob.asked_at).desc()).limit(1))
    return last is None or last.asked_at < since


def _is_open() -> ColumnElement[bool]:
    return or_(*(col(BackupJob.state) == state for state in (BackupJobState.QUEUED, BackupJobState.RUNNING)))


async def _change(tx: Transaction, job_id: UUID, values: dict[str, Any]) -> BackupJob:
    changed = update(BackupJob).where(col(BackupJob.id) == job_id)
    values = {**values, "revision": col(BackupJob.revision) + 1}
    return _told(tx, await tx.row(changed.values(**values).returning(BackupJob)))


def _told(tx: Transaction, job: BackupJob | None) -> BackupJob:
    found = cast("BackupJob", job)
    tx.record(BackupJobChanged(job=found))
    return found
