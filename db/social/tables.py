"""What is stored of entries: they themselves, who marked and shared them, and who follows whom."""

from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, Index, UniqueConstraint, text

from db.base import UUID, Base, Field, JSONColumn, Stored, datetime, enum_type
from db.social.vocabulary import EntryKind, EntryPrivacy, EntrySubjectKind


def _only(condition: str) -> dict[str, Any]:
    return {"sqlite_where": text(condition), "postgresql_where": text(condition)}


_ROOTS = "depth = 0 AND deleted_at IS NULL"
# What feeds of everybody are made of.
_FEED = f"{_ROOTS} AND privacy = 'PUBLIC'"
# Most entries are about nothing, and roots have no parent: SQLite would take an index of nulls for "is null", and be
# slower by it than by any other way.
_REPLIES = "parent_id IS NOT NULL"


class Entry(Stored, table=True):
    """Something that somebody wrote: the root of a thread or a reply in one."""

    __tablename__ = "entries"
    __table_args__ = (
        UniqueConstraint("root_id", "path"),
        UniqueConstraint("author_id", "request_key"),
        UniqueConstraint("seq"),
        Index("ix_entries_author_id_created_at", "author_id", "created_at", "id"),
        # Who may see them is found in the index, too, and SQLite looks there for the condition of the index itself.
        Index("ix_entries_roots", "author_id", "created_at", "id", "privacy", **_only(_ROOTS)),
        Index(
            "ix_entries_roots_by_time",
            *("created_at", "id", "author_id", "privacy", "depth", "deleted_at"),
            **_only(_ROOTS),
        ),
        Index("ix_entries_root_author_id", "root_author_id"),
        Index("ix_entries_shown", "created_at", "id", **_only("deleted_at IS NULL")),
        Index("ix_entries_feed_score", "score", "created_at", "id", **_only(_FEED)),
        Index("ix_entries_feed_heat", "heat", "id", **_only(_FEED)),
        Index("ix_entries_replies", "parent_id", "branch_order", **_only(_REPLIES)),
        Index("ix_entries_subject", "subject_id", "created_at", "id", **_only("subject_id IS NOT NULL")),
    )

    author_id: UUID = Field(foreign_key="users.id")
    parent_id: UUID | None = Field(default=None, foreign_key="entries.id")
    # Of a root, itself.
    root_id: UUID = Field(foreign_key="entries.id")
    # The places on the way from the root, `DIGITS` hexadecimal digits each: "" of a root. Sorted, a thread is read as
    # it is shown.
    path: str = ""
    depth: int = 0
    # Its place among the replies of its parent, from 1; 0 of a root.
    branch_order: int = 0
    # The last place that was given to a reply. It is never given again.
    last_branch: int = 0
    kind: EntryKind = Field(sa_type=enum_type(EntryKind))
    label: str = ""
    title: str = ""
    content: str
    tags: list[Any] = Field(sa_type=JSONColumn)
    # The author's label for whoever or whatever wrote it.
    agent: str = ""
    metrics: dict[str, Any] = Field(sa_type=JSONColumn)
    subject_kind: EntrySubjectKind | None = Field(default=None, sa_type=enum_type(EntrySubjectKind))
    subject_id: UUID | None = None
    privacy: EntryPrivacy = Field(sa_type=enum_type(EntryPrivacy))
    # Whose the thread is and who may see it: no reply is seen by anybody else.
    root_author_id: UUID = Field(foreign_key="users.id")
    root_privacy: EntryPrivacy = Field(sa_type=enum_type(EntryPrivacy))
    # Kept by triggers, in the transaction of what they count.
    resonance_count: int = Field(default=0, sa_type=BigInteger)
    amplification_count: int = Field(default=0, sa_type=BigInteger)
    branch_count: int = Field(default=0, sa_type=BigInteger)
    share_count: int = Field(default=0, sa_type=BigInteger)
    # Resonances and amplifications together, and what they are worth in time: see `db.social.ranks`.
    score: int = Field(default=0, sa_type=BigInteger)
    heat: int = Field(default=0, sa_type=BigInteger)
    # Raised by one with every change, of its counts too.
    revision: int = 0
    # Its number among all entries, in the order in which they were committed: see `Numbering`.
    seq: int = Field(sa_type=BigInteger)
    # What its author's program called the making of it, so that it is not made twice.
    request_key: str | None = None
    created_at: datetime
    changed_at: datetime
    deleted_at: datetime | None = None


class Numbering(Base, table=True):
    """The last number that was given. Whoever takes one holds it until he commits: numbers follow the commits."""

    __tablename__ = "numberings"

    name: str = Field(primary_key=True)
    last: int = Field(sa_type=BigInteger)


class EntryTag(Base, table=True):
    """A tag of an entry, to find it by. What is shown stands in the entry."""

    __tablename__ = "entry_tags"
    __table_args__ = (Index("ix_entry_tags_of_entry", "entry_id"),)

    tag: str = Field(primary_key=True)
    entry_id: UUID = Field(foreign_key="entries.id", ondelete="CASCADE", primary_key=True)


class Resonance(Base, table=True):
    """Somebody resonates with an entry."""

    __tablename__ = "resonances"
    __table_args__ = (
        Index("ix_resonances_of_entry", "entry_id", "created_at", "user_id"),
        Index("ix_resonances_of_user", "user_id", "created_at", "entry_id"),
    )

    user_id: UUID = Field(foreign_key="users.id", ondelete="CASCADE", primary_key=True)
    entry_id: UUID = Field(foreign_key="entries.id", ondelete="CASCADE", primary_key=True)
    created_at: datetime


class Amplification(Base, table=True):
    """Somebody amplifies an entry."""

    __tablename__ = "amplifications"
    __table_args__ = (
        Index("ix_amplifications_of_entry", "entry_id", "created_at", "user_id"),
        Index("ix_amplifications_of_user", "user_id", "created_at", "entry_id"),
    )

    user_id: UUID = Field(foreign_key="users.id", ondelete="CASCADE", primary_key=True)
    entry_id: UUID = Field(foreign_key="entries.id", ondelete="CASCADE", primary_key=True)
    created_at: datetime


class Share(Stored, table=True):
    """Somebody passed an entry on, outside."""

    __tablename__ = "shares"
    __table_args__ = (UniqueConstraint("user_id", "request_key"), Index("ix_shares_of_entry", "entry_id"))

    user_id: UUID = Field(foreign_key="users.id", ondelete="CASCADE")
    entry_id: UUID = Field(foreign_key="entries.id", ondelete="CASCADE")
    request_key: str | None = None
    created_at: datetime


class Follow(Base, table=True):
    """Somebody follows somebody."""

    __tablename__ = "follows"
    __table_args__ = (
        CheckConstraint("follower_id <> followed_id", name="not_self"),
        Index("ix_follows_of_follower", "follower_id", "created_at", "followed_id"),
        Index("ix_follows_of_followed", "followed_id", "created_at", "follower_id"),
    )

    follower_id: UUID = Field(foreign_key="users.id", ondelete="CASCADE", primary_key=True)
    followed_id: UUID = Field(foreign_key="users.id", ondelete="CASCADE", primary_key=True)
    created_at: datetime
