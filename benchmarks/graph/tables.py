"""What the benchmark stores: members, their threaded entries, resonances and goals. Every peer reads these tables."""

from sqlalchemy import Index, text
from sqlalchemy.orm import registry
from sqlmodel import SQLModel

from db.base import UUID, Field, datetime
from db.ids import new_id

_IS_ROOT = text("parent_id IS NULL")
# Without the roots: SQLite counts their nulls for an average parent, and would look for a member's threads among all.
_IS_REPLY = text("parent_id IS NOT NULL")


class Measured(SQLModel, registry=registry()):
    """The root of the benchmark's tables, with metadata of their own."""


class Member(Measured, table=True):
    """Somebody who writes."""

    __tablename__ = "members"

    id: UUID = Field(default_factory=new_id, primary_key=True)
    name: str
    avatar_url: str
    bio: str
    score: int
    created_at: datetime


class Entry(Measured, table=True):
    """Something written: the root of a thread, or a reply."""

    __tablename__ = "entries"
    __table_args__ = (
        Index("ix_entries_created_at", "created_at", "id"),
        Index(
            "ix_entries_parent_id_of_replies",
            "parent_id",
            "created_at",
            "id",
            sqlite_where=_IS_REPLY,
            postgresql_where=_IS_REPLY,
        ),
        Index(
            "ix_entries_author_id_of_roots",
            "author_id",
            "created_at",
            "id",
            sqlite_where=_IS_ROOT,
            postgresql_where=_IS_ROOT,
        ),
    )

    id: UUID = Field(default_factory=new_id, primary_key=True)
    author_id: UUID = Field(foreign_key="members.id")
    parent_id: UUID | None = Field(default=None, foreign_key="entries.id")
    title: str
    body: str
    kind: str
    language: str
    score: int
    is_public: bool
    revision: int
    created_at: datetime
    updated_at: datetime


class EntryCounts(Measured, table=True):
    """What was done with an entry, counted."""

    __tablename__ = "entry_counts"

    entry_id: UUID = Field(foreign_key="entries.id", primary_key=True)
    likes: int
    reposts: int
    replies: int
    views: int


class Resonance(Measured, table=True):
    """A member's answer to an entry in one gesture."""

    __tablename__ = "resonances"
    __table_args__ = (Index("ix_resonances_entry_id", "entry_id"), Index("ix_resonances_member_id", "member_id"))

    id: UUID = Field(default_factory=new_id, primary_key=True)
    member_id: UUID = Field(foreign_key="members.id")
    entry_id: UUID = Field(foreign_key="entries.id")
    kind: str
    created_at: datetime


class Goal(Measured, table=True):
    """A goal, or a part of one."""

    __tablename__ = "goals"
    __table_args__ = (
        Index("ix_goals_parent_id", "parent_id", "position", "id"),
        Index("ix_goals_owner_id", "owner_id"),
    )

    id: UUID = Field(default_factory=new_id, primary_key=True)
    owner_id: UUID = Field(foreign_key="members.id")
    parent_id: UUID | None = Field(default=None, foreign_key="goals.id")
    title: str
    status: str
    progress: int
    target: int
    position: int
    created_at: datetime


metadata = Measured.metadata
