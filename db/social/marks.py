"""Resonating, amplifying, sharing, following: facts that are set and unset, and counted by triggers as they are."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any
from uuid import UUID

from sqlalchemy import DateTime, String, Uuid, bindparam, delete, literal
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlmodel import col, select

from db.access.tables import User
from db.access.viewer import Role, Viewer, ViewerKind
from db.batches import table_of
from db.errors import Forbidden, Invalid, NotFound
from db.ids import new_id
from db.session import Session, Transaction
from db.social.drafts import checked_key
from db.social.events import EntryChanged, UserCountsChanged
from db.social.tables import Amplification, Entry, Follow, Resonance, Share
from db.social.visibility import shown_entries
from db.statements import any_of, fixed

_ENTRY_ID = bindparam("entry_id", type_=Uuid())
_IS_IT = col(Entry.id) == _ENTRY_ID
Mark = type[Resonance] | type[Amplification]


@dataclass(frozen=True, kw_only=True)
class Followed:
    """Two users after one began or ceased to follow the other."""

    follower: User
    followed: User


async def mark_entry(tx: Transaction, mark: Mark, entry_id: UUID, *, viewer: Viewer, now: datetime) -> Entry:
    """Resonate with an entry or amplify it; twice is as good as once. Returns it with its counts after that.

    Raises `NotFound` for what the viewer does not see.
    """
    check_member(viewer)
    made = await tx.row(_marking(mark, viewer.kind), entry_id=entry_id, now=now, **viewer.parameters)
    return await _marked(tx, entry_id, viewer, is_news=made is not None)


async def unmark_entry(tx: Transaction, mark: Mark, entry_id: UUID, *, viewer: Viewer) -> Entry:
    """Take back what `mark_entry` set; twice is as good as once. Raises `NotFound` as it does."""
    check_member(viewer)
    gone = await tx.row(_unmarking(mark), entry_id=entry_id, **viewer.parameters)
    return await _marked(tx, entry_id, viewer, is_news=gone is not None)


async def share_entry(
    tx: Transaction, entry_id: UUID, *, request_key: str | None = None, viewer: Viewer, now: datetime
) -> Entry:
    """Note that an entry was passed on. With a key it is noted once, however often it is asked for."""
    check_member(viewer)
    table, values = (
        table_of(Share),
        {"id": new_id(), "user_id": viewer.user_id, "request_key": checked_key(request_key)},
    )
    seen = _shown(
        viewer,
        entry_id,
        literal(values["id"], Uuid()),
        literal(values["user_id"], Uuid()),
        literal(values["request_key"], String()),
        literal(now, DateTime(timezone=True)),
    )
    names = ["entry_id", "id", "user_id", "request_key", "created_at"]
    statement = upsert(table).from_select(names, seen).on_conflict_do_nothing()
    made = await tx.row(statement.returning(table.c.entry_id), **viewer.parameters)
    return await _marked(tx, entry_id, viewer, is_news=made is not None)


async def follow_user(tx: Transaction, user_id: UUID, *, viewer: Viewer, now: datetime) -> Followed:
    """Follow somebody; twice is as good as once. Raises `NotFound`, and `Invalid` for oneself."""
    check_member(viewer)
    if user_id == viewer.user_id:
        raise Invalid("Nobody follows himself.", field="id")
    users = table_of(User)
    both = select(literal(viewer.user_id, Uuid()), users.c.id, literal(now, DateTime(timezone=True)))
    statement = upsert(table_of(Follow)).from_select(
        ["follower_id", "followed_id", "created_at"], both.where(col(users.c.id) == user_id)
    )
    made = await tx.row(statement.on_conflict_do_nothing().returning(table_of(Follow).c.followed_id))
    return await _followed(tx, viewer.user_id, user_id, is_news=made is not None)


async def unfollow_user(tx: Transaction, user_id: UUID, *, viewer: Viewer) -> Followed:
    """Cease to follow somebody; twice is as good as once. Raises `NotFound`."""
    check_member(viewer)
    link = col(Follow.follower_id) == viewer.user_id, col(Follow.followed_id) == user_id
    gone = await tx.row(delete(Follow).where(*link).returning(table_of(Follow).c.followed_id))
    return await _followed(tx, viewer.user_id, user_id, is_news=gone is not None)


async def visible_entry(session: Session, entry_id: UUID, viewer: Viewer, *, field: str = "id") -> Entry:
    """Return an entry that is seen and was not deleted. Raises `NotFound`."""
    found: Entry | None = await session.row(_showing(viewer.kind), entry_id=entry_id, **viewer.parameters)
    if found is None:
        raise NotFound("There is no such entry.", field=field)
    return found


async def tell_users(tx: Transaction, ids: Iterable[UUID]) -> dict[UUID, User]:
    """Read users whose counts a trigger has changed, and say so."""
    users = await tx.rows(select(User).where(any_of(col(User.id), ids)).order_by(col(User.id)))
    for user in users:
        tx.record(UserCountsChanged(user=user))
    return {user.id: user for user in users}


def check_member(viewer: Viewer) -> None:
    """Raise `Forbidden` to whoever may keep nothing of his own."""
    if not viewer.has_role(Role.MEMBER):
        raise Forbidden("This needs the role MEMBER.")


# Written once for each sort of viewer: a heart that everybody taps is held for as long as a statement is put together.


@cache
def _marking(mark: Mark, kind: ViewerKind) -> Any:
    table = table_of(mark)
    values = bindparam("viewer_id", type_=Uuid()), bindparam("now", type_=DateTime(timezone=True))
    seen = select(col(Entry.id), *values).where(_IS_IT, shown_entries(kind))
    made = upsert(table).from_select(["entry_id", "user_id", "created_at"], seen).on_conflict_do_nothing()
    return fixed(made.returning(table.c.entry_id))


@cache
def _unmarking(mark: Mark) -> Any:
    table = table_of(mark)
    own = table.c.user_id == bindparam("viewer_id", type_=Uuid())
    return fixed(delete(table).where(own, table.c.entry_id == _ENTRY_ID).returning(table.c.entry_id))


@cache
def _showing(kind: ViewerKind) -> Any:
    return fixed(select(Entry).where(_IS_IT, shown_entries(kind)))


def _shown(viewer: Viewer, entry_id: UUID, *values: Any) -> Any:
    """Select values beside an entry's id, if it is seen: what is stored with it is then never about what is not."""
    return select(col(Entry.id), *values).where(col(Entry.id) == entry_id, shown_entries(viewer.kind))


async def _marked(tx: Transaction, entry_id: UUID, viewer: Viewer, *, is_news: bool) -> Entry:
    entry = await visible_entry(tx, entry_id, viewer)
    if is_news:
        tx.record(EntryChanged(entry=entry))
    return entry


async def _followed(tx: Transaction, follower_id: UUID, followed_id: UUID, *, is_news: bool) -> Followed:
    ids = (follower_id, followed_id)
    if is_news:
        users = await tell_users(tx, ids)
    else:
        users = {user.id: user for user in await tx.rows(select(User).where(any_of(col(User.id), ids)))}
    if followed_id not in users:
        raise NotFound("There is no such user.", field="id")
    return Followed(follower=users[follower_id], followed=users[followed_id])
