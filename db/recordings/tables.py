"""What is stored of recordings: files and their stretches of time, bookmarks, OBS machines and their commands."""

from typing import Any

from sqlalchemy import BigInteger, Index, LargeBinary, UniqueConstraint

from db.base import IS_SECRET, UUID, Base, Field, JSONColumn, Stored, datetime, enum_type
from db.recordings.vocabulary import (
    OBSCommandKind,
    OBSCommandState,
    OBSMachineState,
    RecordingKind,
    RecordingState,
)


class OBSMachine(Stored, table=True):
    """An OBS that films a mat, and what it is to do by itself."""

    __tablename__ = "obs_machines"

    mat_id: UUID = Field(foreign_key="mats.id", ondelete="CASCADE", index=True)
    name: str = Field(unique=True)
    host: str
    port: int
    # It must be known to be proved, so it is no hash. Never shown.
    password: bytes | None = Field(default=None, sa_type=LargeBinary, sa_column_kwargs={"info": IS_SECRET})
    is_enabled: bool = True
    # What it does when a fight is ready, when its winner is announced, and at a challenge.
    records_matches: bool = True
    stop_delay_ms: int
    saves_challenges: bool = True
    # How far the machine's clock is ahead of ours, and how much later its stream shows what happens.
    clock_offset_ms: int = 0
    stream_delay_ms: int = 0
    state: OBSMachineState = Field(sa_type=enum_type(OBSMachineState))
    message: str = ""
    connection_count: int = 0
    state_changed_at: datetime
    # When a replay was last asked for: what comes too soon behind it is the same one.
    replay_asked_at: datetime | None = None
    # Raised by one whenever what it should do was changed.
    revision: int = 0
    created_at: datetime


class Recording(Stored, table=True):
    """A file, or an output, that shows a mat for some time. Its times are those of the machine that made it."""

    __tablename__ = "recordings"
    __table_args__ = (
        Index(None, "mat_id", "dated_at", "id"),
        Index(None, "match_id", "dated_at", "id"),
        Index(None, "machine_id", "state"),
    )

    mat_id: UUID = Field(foreign_key="mats.id", ondelete="CASCADE")
    machine_id: UUID | None = Field(default=None, foreign_key="obs_machines.id", ondelete="SET NULL")
    match_id: UUID | None = Field(default=None, foreign_key="matches.id", ondelete="SET NULL")
    kind: RecordingKind = Field(sa_type=enum_type(RecordingKind))
    state: RecordingState = Field(sa_type=enum_type(RecordingState))
    name: str = ""
    path: str = ""
    started_at: datetime | None = None
    ended_at: datetime | None = None
    # Its start or, where nobody knows that, its end.
    dated_at: datetime
    duration_ms: int | None = Field(default=None, sa_type=BigInteger)
    size_bytes: int | None = Field(default=None, sa_type=BigInteger)
    checksum: str = ""
    # Times in which nothing was written to it, in order: `from` and `until`, which is null of one that lasts.
    gaps: list[Any] = Field(sa_type=JSONColumn)
    # Null for those of the machine.
    clock_offset_ms: int | None = None
    delay_ms: int | None = None
    # When it was last known to be under way.
    seen_at: datetime | None = None
    message: str = ""
    made_by_id: UUID | None = Field(default=None, foreign_key="users.id", ondelete="SET NULL")
    revision: int = 0
    created_at: datetime
    changed_at: datetime


class RecordingSegment(Base, table=True):
    """A stretch of a recording without gaps: from when until when it shows the mat by our clock, and where in the file.

    Made anew whenever one of the recording's times changes: offsets are worked out from it for any moment.
    """

    __tablename__ = "recording_segments"
    __table_args__ = (Index(None, "mat_id", "shows_from"),)

    recording_id: UUID = Field(foreign_key="recordings.id", ondelete="CASCADE", primary_key=True)
    number: int = Field(primary_key=True)
    mat_id: UUID = Field(foreign_key="mats.id", ondelete="CASCADE")
    shows_from: datetime
    shows_until: datetime
    # Where in the file it begins.
    begins_ms: int = Field(sa_type=BigInteger)


class Bookmark(Stored, table=True):
    """A moment on a mat that somebody wants to find again, in whichever recordings show it."""

    __tablename__ = "bookmarks"
    __table_args__ = (
        Index(None, "mat_id", "happened_at", "id"),
        Index(None, "match_id", "happened_at", "id"),
        Index(None, "event_id", "happened_at", "id"),
    )

    mat_id: UUID = Field(foreign_key="mats.id", ondelete="CASCADE")
    match_id: UUID | None = Field(default=None, foreign_key="matches.id", ondelete="SET NULL")
    event_id: UUID | None = Field(default=None, foreign_key="match_events.id", ondelete="SET NULL")
    # By our clock.
    happened_at: datetime
    label: str = ""
    lead_in_ms: int
    lead_out_ms: int
    made_by_id: UUID | None = Field(default=None, foreign_key="users.id", ondelete="SET NULL")
    revision: int = 0
    created_at: datetime
    changed_at: datetime


class OBSCommand(Stored, table=True):
    """Something that an OBS is told to do, once for each cause."""

    __tablename__ = "obs_commands"
    __table_args__ = (
        UniqueConstraint("machine_id", "cause"),
        Index(None, "machine_id", "state", "due_at"),
        Index(None, "machine_id", "created_at", "id"),
    )

    machine_id: UUID = Field(foreign_key="obs_machines.id", ondelete="CASCADE")
    kind: OBSCommandKind = Field(sa_type=enum_type(OBSCommandKind))
    state: OBSCommandState = Field(sa_type=enum_type(OBSCommandState))
    cause: str
    match_id: UUID | None = Field(default=None, foreign_key="matches.id", ondelete="SET NULL")
    asked_by_id: UUID | None = Field(default=None, foreign_key="users.id", ondelete="SET NULL")
    recording_id: UUID | None = Field(default=None, foreign_key="recordings.id", ondelete="SET NULL")
    due_at: datetime
    sent_at: datetime | None = None
    finished_at: datetime | None = None
    message: str = ""
    created_at: datetime
