"""What is stored of practice: goals in trees, sessions with their pauses and reviews, templates, whose it all is."""

from datetime import date
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, Date, Index, String, UniqueConstraint, text

from db.base import UUID, Base, Field, JSONColumn, Stored, datetime, enum_type
from db.practice.vocabulary import GoalCompletionCause, GoalLevel, PracticeSessionState

# Sorted by its bytes on either database: a range of paths is a subtree.
_PATH: Any = String().with_variant(String(collation="C"), "postgresql")
_IS_RUNNING = text("state = 'RUNNING' AND deleted_at IS NULL")


def _some_of(*columns: str, where: str) -> Index:
    """Return an index of the rows that fit a condition."""
    return Index(None, *columns, sqlite_where=text(where), postgresql_where=text(where))


class Practice(Base, table=True):
    """All that one user practises. Whoever changes any of it raises the revision, and so is alone with it."""

    __tablename__ = "practices"

    owner_id: UUID = Field(foreign_key="users.id", ondelete="CASCADE", primary_key=True)
    # Where the days of streaks and statistics begin at midnight.
    time_zone: str = "UTC"
    revision: int = Field(default=0, sa_type=BigInteger)


class Goal(Stored, table=True):
    """Something to be reached: at the top of a tree, under another goal, or under a session."""

    __tablename__ = "goals"
    __table_args__ = (
        CheckConstraint("parent_id IS NULL OR session_id IS NULL", name="one_parent"),
        # A goal that moves is written anew, with all that is under it: each is in as few indexes as will do.
        Index(None, "path", unique=True),
        Index(None, "parent_id", "position", "id"),
        _some_of("session_id", "position", "id", where="session_id IS NOT NULL"),
        _some_of("within_session_id", where="within_session_id IS NOT NULL"),
        _some_of("owner_id", "position", "id", where="parent_id IS NULL"),
    )

    owner_id: UUID = Field(foreign_key="users.id", ondelete="CASCADE")
    parent_id: UUID | None = Field(default=None, foreign_key="goals.id", ondelete="CASCADE")
    session_id: UUID | None = Field(default=None, foreign_key="practice_sessions.id", ondelete="CASCADE")
    # Where its path begins: the goal at the top of it, and the session that one stands under. The first is part of the
    # path itself and needs no foreign key, which would be looked after for every goal of a tree that moves.
    root_id: UUID
    within_session_id: UUID | None = Field(default=None, foreign_key="practice_sessions.id", ondelete="CASCADE")
    path: str = Field(sa_type=_PATH)
    position: int = Field(sa_type=BigInteger)
    level: GoalLevel = Field(sa_type=enum_type(GoalLevel))
    name: str
    description: str = ""
    deadline: date | None = Field(default=None, sa_type=Date)
    is_completed_with_children: bool = False
    completed_at: datetime | None = None
    completion_cause: GoalCompletionCause | None = Field(default=None, sa_type=enum_type(GoalCompletionCause))
    completed_by_id: UUID | None = Field(default=None, foreign_key="users.id", ondelete="SET NULL")
    # Raised by one whenever the goal itself is changed, and whenever anything in the tree of a root is.
    revision: int = 0
    tree_revision: int = 0
    deleted_at: datetime | None = None
    # What was deleted together has one of these, and comes back together.
    deletion_id: UUID | None = None
    created_at: datetime
    changed_at: datetime


class SessionTemplate(Stored, table=True):
    """What sessions are made from, again and again."""

    __tablename__ = "session_templates"
    __table_args__ = (UniqueConstraint("owner_id", "name"),)

    owner_id: UUID = Field(foreign_key="users.id", ondelete="CASCADE")
    name: str
    description: str = ""
    planned_seconds: int | None = None
    location: str = ""
    tags: list[Any] = Field(sa_type=JSONColumn)
    # Names of the immediate goals that its sessions begin with.
    goal_names: list[Any] = Field(sa_type=JSONColumn)
    # On which days it recurs, and at what minute of the day by its owner's clocks. No days: it does not.
    weekdays: list[Any] = Field(sa_type=JSONColumn)
    minute_of_day: int = 0
    starts_on: date | None = Field(default=None, sa_type=Date)
    ends_on: date | None = Field(default=None, sa_type=Date)
    created_at: datetime
    changed_at: datetime


class SessionTemplateGoal(Base, table=True):
    """A short-term goal that the sessions of a template are for."""

    __tablename__ = "session_template_goals"

    template_id: UUID = Field(foreign_key="session_templates.id", ondelete="CASCADE", primary_key=True)
    goal_id: UUID = Field(foreign_key="goals.id", ondelete="CASCADE", primary_key=True, index=True)


class PracticeSession(Stored, table=True):
    """A time of practice, planned or done."""

    __tablename__ = "practice_sessions"
    __table_args__ = (
        Index(
            "uq_practice_sessions_running",
            "owner_id",
            unique=True,
            sqlite_where=_IS_RUNNING,
            postgresql_where=_IS_RUNNING,
        ),
        UniqueConstraint("template_id", "occurs_on"),
        Index(None, "owner_id", "created_at", "id"),
        Index(None, "owner_id", "started_at", "id"),
        Index(None, "deletion_id"),
    )

    owner_id: UUID = Field(foreign_key="users.id", ondelete="CASCADE")
    name: str
    description: str = ""
    state: PracticeSessionState = Field(sa_type=enum_type(PracticeSessionState))
    planned_at: datetime | None = None
    planned_seconds: int | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    # Since when its clock runs, and what it had counted by then.
    running_since: datetime | None = None
    practised_ms: int = Field(default=0, sa_type=BigInteger)
    focus: int | None = None
    energy: int | None = None
    productivity: int | None = None
    notes: str = ""
    tags: list[Any] = Field(sa_type=JSONColumn)
    location: str = ""
    interruption_count: int = 0
    template_id: UUID | None = Field(default=None, foreign_key="session_templates.id", ondelete="SET NULL")
    # The day that a recurring one is of.
    occurs_on: date | None = Field(default=None, sa_type=Date)
    revision: int = 0
    deleted_at: datetime | None = None
    deletion_id: UUID | None = None
    created_at: datetime
    changed_at: datetime


class PracticeSessionGoal(Base, table=True):
    """A short-term goal that a session is for."""

    __tablename__ = "practice_session_goals"

    session_id: UUID = Field(foreign_key="practice_sessions.id", ondelete="CASCADE", primary_key=True)
    goal_id: UUID = Field(foreign_key="goals.id", ondelete="CASCADE", primary_key=True, index=True)


class PracticePause(Stored, table=True):
    """A time in a session in which nobody practised."""

    __tablename__ = "practice_pauses"
    __table_args__ = (Index(None, "session_id", "started_at", "id"),)

    session_id: UUID = Field(foreign_key="practice_sessions.id", ondelete="CASCADE")
    started_at: datetime
    ended_at: datetime | None = None


class PracticeReview(Stored, table=True):
    """What its owner makes of a session afterwards."""

    __tablename__ = "practice_reviews"
    __table_args__ = (UniqueConstraint("session_id"),)

    session_id: UUID = Field(foreign_key="practice_sessions.id", ondelete="CASCADE")
    went_well: str = ""
    went_badly: str = ""
    next_time: str = ""
    created_at: datetime
    changed_at: datetime
