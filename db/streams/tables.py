"""What is stored of streams: live sessions, goals with their history, sources, and the marks news is counted by."""

from typing import Any

from sqlalchemy import BigInteger, Index, LargeBinary, UniqueConstraint

from db.base import IS_SECRET, UUID, Base, Field, JSONColumn, Stored, datetime, enum_type
from db.streams.vocabulary import (
    StreamGoalChangeCause,
    StreamGoalChangeKind,
    StreamGoalKind,
    StreamGoalMode,
    StreamGoalPeriod,
    StreamGoalState,
    StreamSourceKind,
    StreamSourceState,
)


class Stream(Stored, table=True):
    """A channel that somebody streams on."""

    __tablename__ = "streams"
    __table_args__ = (UniqueConstraint("owner_id", "name"), Index(None, "name", "id"))

    owner_id: UUID = Field(foreign_key="users.id", ondelete="CASCADE")
    name: str
    # Names by which news says that it is of this channel; "" where any will do.
    channel_key: str = ""
    # The host's own number on the platform: gifts to others do not count. "" where any will do.
    host: str = ""
    time_zone: str
    # Kept by the transaction that begins or ends a session. No foreign key: the session points back at its stream.
    current_session_id: UUID | None = None
    last_event_at: datetime | None = None
    # Raised by every batch of news: whoever raises it is the only one who counts until he commits.
    batches: int = Field(default=0, sa_type=BigInteger)
    created_at: datetime


class StreamSession(Stored, table=True):
    """One time that a stream was live, and what came of it."""

    __tablename__ = "stream_sessions"
    __table_args__ = (Index(None, "stream_id", "started_at", "id"),)

    stream_id: UUID = Field(foreign_key="streams.id", ondelete="CASCADE")
    started_at: datetime
    ended_at: datetime | None = None
    # Which room of the platform it is; "" where that was not said.
    room: str = ""
    # The platform's time of the newest likes.
    liked_at: datetime | None = None
    coin_count: int = Field(default=0, sa_type=BigInteger)
    like_count: int = Field(default=0, sa_type=BigInteger)
    follower_count: int = Field(default=0, sa_type=BigInteger)
    share_count: int = Field(default=0, sa_type=BigInteger)
    subscriber_count: int = Field(default=0, sa_type=BigInteger)
    viewer_count: int = Field(default=0, sa_type=BigInteger)
    most_viewers: int = Field(default=0, sa_type=BigInteger)


class StreamGoal(Stored, table=True):
    """A number that a stream tries to reach."""

    __tablename__ = "stream_goals"
    __table_args__ = (
        UniqueConstraint("stream_id", "preset"),
        Index(None, "stream_id", "position", "id"),
        Index(None, "period_ends_at"),
        Index(None, "ends_at"),
    )

    stream_id: UUID = Field(foreign_key="streams.id", ondelete="CASCADE")
    # Which of the goals that every stream begins with this is; those that were made later are none.
    preset: str | None = None
    name: str
    kind: StreamGoalKind = Field(sa_type=enum_type(StreamGoalKind))
    unit: str = ""
    mode: StreamGoalMode = Field(sa_type=enum_type(StreamGoalMode))
    state: StreamGoalState = Field(sa_type=enum_type(StreamGoalState))
    position: int = 0
    start: int = Field(default=0, sa_type=BigInteger)
    current: int = Field(default=0, sa_type=BigInteger)
    # Thousandths beside `current`, of goals whose news is worth parts of a point.
    fraction: int = 0
    target: int = Field(sa_type=BigInteger)
    # The target as somebody set it: where the goal begins anew.
    first_target: int = Field(sa_type=BigInteger)
    step: int = Field(sa_type=BigInteger)
    # What lies at or below this was told already: see `db.streams.rules`.
    told: int = Field(default=0, sa_type=BigInteger)
    # What the last change of the count came to, after it was kept within bounds.
    last_delta: int = Field(default=0, sa_type=BigInteger)
    times_reached: int = Field(default=0, sa_type=BigInteger)
    reached_at: datetime | None = None
    # What news of each kind is worth, in thousandths of a point.
    weights: dict[str, Any] = Field(sa_type=JSONColumn)
    milestones: list[Any] = Field(sa_type=JSONColumn)
    style: dict[str, Any] = Field(sa_type=JSONColumn)
    period: StreamGoalPeriod = Field(sa_type=enum_type(StreamGoalPeriod))
    period_ends_at: datetime | None = None
    ends_at: datetime | None = None
    # Raised by one with every change.
    revision: int = 0
    created_at: datetime
    changed_at: datetime


class StreamGoalChange(Stored, table=True):
    """One entry of a goal's history: append-only."""

    __tablename__ = "stream_goal_changes"
    __table_args__ = (UniqueConstraint("goal_id", "revision", "part"), Index(None, "changed_at"))

    goal_id: UUID = Field(foreign_key="stream_goals.id", ondelete="CASCADE")
    # The revision that the change led to, and which part of it this is, from 0.
    revision: int
    part: int
    kind: StreamGoalChangeKind = Field(sa_type=enum_type(StreamGoalChangeKind))
    old_value: int = Field(sa_type=BigInteger)
    new_value: int = Field(sa_type=BigInteger)
    delta: int = Field(sa_type=BigInteger)
    threshold: int | None = Field(default=None, sa_type=BigInteger)
    label: str = ""
    cause: StreamGoalChangeCause = Field(sa_type=enum_type(StreamGoalChangeCause))
    source_id: UUID | None = Field(default=None, foreign_key="stream_sources.id", ondelete="SET NULL")
    user_id: UUID | None = Field(default=None, foreign_key="users.id", ondelete="SET NULL")
    viewer_name: str = ""
    event_key: str = ""
    changed_at: datetime


class StreamSource(Stored, table=True):
    """Where a stream's news comes from."""

    __tablename__ = "stream_sources"
    __table_args__ = (UniqueConstraint("stream_id", "name"),)

    stream_id: UUID = Field(foreign_key="streams.id", ondelete="CASCADE")
    kind: StreamSourceKind = Field(sa_type=enum_type(StreamSourceKind))
    name: str
    # Where it is listened to; "" for one that calls us.
    url: str = ""
    is_enabled: bool = True
    # What calls of it are signed with. It must be known to be checked, so it is no hash. Shown once.
    secret: bytes | None = Field(default=None, sa_type=LargeBinary, sa_column_kwargs={"info": IS_SECRET})
    state: StreamSourceState = Field(sa_type=enum_type(StreamSourceState))
    connection_count: int = 0
    last_event_at: datetime | None = None
    # How much news came of each kind, and how much was refused for each reason.
    event_counts: dict[str, Any] = Field(sa_type=JSONColumn)
    fault_counts: dict[str, Any] = Field(sa_type=JSONColumn)
    ignored_count: int = Field(default=0, sa_type=BigInteger)
    duplicate_count: int = Field(default=0, sa_type=BigInteger)
    last_error: str = ""
    last_error_at: datetime | None = None
    created_at: datetime
    # Raised by one whenever what it should do was changed.
    revision: int = 0


class StreamMark(Base, table=True):
    """How far something was counted: see `db.streams.fold`."""

    __tablename__ = "stream_marks"
    __table_args__ = (Index(None, "marked_at"),)

    stream_id: UUID = Field(foreign_key="streams.id", ondelete="CASCADE", primary_key=True)
    key: str = Field(primary_key=True)
    high: int = Field(sa_type=BigInteger)
    marked_at: datetime
