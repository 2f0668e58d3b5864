"""What is stored of backups: what was asked, and what came of it."""

from typing import Any

from sqlalchemy import BigInteger, Index

from db.backups.vocabulary import BackupJobCause, BackupJobKind, BackupJobState
from db.base import UUID, Base, Field, JSONColumn, Stored, datetime, enum_type


class BackupJob(Stored, table=True):
    """Something to be done about backups. One is done at a time, as they were asked for."""

    __tablename__ = "backup_jobs"
    __table_args__ = (Index(None, "asked_at", "id"), Index(None, "state", "asked_at"))

    kind: BackupJobKind = Field(sa_type=enum_type(BackupJobKind))
    state: BackupJobState = Field(sa_type=enum_type(BackupJobState))
    cause: BackupJobCause = Field(sa_type=enum_type(BackupJobCause))
    # The name of the archive; empty until one is made.
    name: str = ""
    is_dry_run: bool = False
    # How many rows are done, of which table last.
    rows: int = Field(default=0, sa_type=BigInteger)
    table_name: str = ""
    size: int | None = Field(default=None, sa_type=BigInteger)
    # What putting it back does to each table: [[name, rows before, rows after], …].
    tables: list[Any] = Field(sa_type=JSONColumn)
    error: str = ""
    asked_at: datetime
    # Null: by itself, or somebody who is gone.
    asked_by_id: UUID | None = Field(default=None, foreign_key="users.id", ondelete="SET NULL")
    started_at: datetime | None = None
    ended_at: datetime | None = None
    # Raised by one with every change.
    revision: int = 0


class Epoch(Base, table=True):
    """Which database this is: one that a backup was put into is another. One row, and in no backup."""

    __tablename__ = "epochs"

    name: str = Field(primary_key=True)
    epoch: str
    began_at: datetime
