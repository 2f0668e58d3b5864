"""Resonating, amplifying, sharing, following: facts that are set and unset, and counted by triggers as they are."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any, cast
from uuid import UUID

from sqlalchemy import DateTime, String, Uuid, bindparam, delete, literal
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlmodel import col, select

from db.access.tables import User
from db.access.viewer import Role, Viewer, ViewerKind
from db.batches import table_of
from db.errors import Forbidden, Invalid, NotFound
from db.ids import new_id
from db.parameters import any_of
from db.session import Session, Transaction
from db.social.drafts import checked_key
from db.social.events import EntryChanged, UserCountsChanged
from db.social.tables import Amplification, Entry, Follow, Resonance, Share
from db.social.visibility import entries_shown_to, shown_entries
from db.statements import fixed

_ENTRY_ID = bindparam("entry_id", type_=Uuid())
_IS_IT = col(Entry.id) == _ENTRY_ID
Mark = type[Resonance] | type[Amplification]


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What a user wants: that his mark is on an entry, or that it is not."""

    mark: Mark
    user_id: UUID
    is_set: bool


@dataclass(frozen=True, kw_only=True)
class Marked:
    """An entry after it was marked, and who of those who wanted to mark it sees it. `None` if nobody does."""

    entry: Entry | None
    seen_by: frozenset[UUID]

    def shown_to(self, user_id: UUID) -> Entry:
        """Return the entry. Raises `NotFound` for whoever does not see it."""
        if self.entry is None or user_id not in self.seen_by:
            raise no_entry()
        return self.entry


@dataclass(frozen=True, kw_only=True)
class Followed:
    """Two users after one began or ceased to follow the other."""

    follower: User
    followed: User


async def mark_entry(tx: Transaction, mark: Mark, entry_id: UUID, *, viewer: Viewer, now: datetime) -> Entry:
    """Resonate with an entry or amplify it; twice is as good as once. Returns it with its counts after that.

    Raises `NotFound` for what the viewer does not see.
    """
    return await _mark(tx, mark, entry_id, viewer, is_set=True, now=now)


async def unmark_entry(tx: Transaction, mark: Mark, entry_id: UUID, *, viewer: Viewer, now: datetime) -> Entry:
    """Take back what `mark_entry` set; twice is as good as once. Raises `NotFound` as it does."""
    return await _mark(tx, mark, entry_id, viewer, is_set=False, now=now)


async def mark_together(tx: Transaction, entry_id: UUID, wishes: Iterable[Wish], *, now: datetime) -> Marked:
    """Do what several want of one entry: of what one of them wants of a mark, the last. It is counted once for all."""
    last: dict[tuple[Mark, bool], set[UUID]] = {wish: set() for wish in _WISHES}
    for (mark, user_id), is_set in {(wish.mark, wish.user_id): wish.is_set for wish in wishes}.items():
        last[mark, is_set].add(user_id)
    everybody = set[UUID]().union(*last.values())
    # The entry is held from here on, so that whoever marks it elsewhere waits with nothing in his hands.
    seen_by = {row[0] for row in await tx.tuples(_SEEING, entry_id=entry_id, users=sorted(everybody))}
    if not seen_by:
        return Marked(entry=None, seen_by=frozenset())
    is_news = False
    for (mark, is_set), users in last.items():
        if wanted := sorted(users & seen_by):
            statement = _marking(mark) if is_set else _unmarking(mark)
            is_news |= bool(await tx.tuples(statement, entry_id=entry_id, users=wanted, now=now))
    entry = cast("Entry", await tx.row(_THE_ENTRY, entry_id=entry_id))
    if is_news:
        tx.record(EntryChanged(entry=entry))
    return Marked(entry=entry, seen_by=frozenset(seen_by))


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
    entry = await visible_entry(tx, entry_id, viewer)
    if made is not None:
        tx.record(EntryChanged(entry=entry))
    return entry


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
        raise no_entry(field)
    return found


def no_entry(field: str = "id") -> NotFound:
    """Say that there is no entry that the viewer sees."""
    return NotFound("There is no such entry.", field=field)


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
def _marking(mark: Mark) -> Any:
    table, users = table_of(mark), table_of(User)
    each = select(users.c.id, _ENTRY_ID, bindparam("now", type_=DateTime(timezone=True)))
    # In the order of their ids, so that two who mark for the same people do not wait for each other.
    each = each.where(any_of(users.c.id, "users")).order_by(users.c.id)
    made = upsert(table).from_select(["user_id", "entry_id", "created_at"], each).on_conflict_do_nothing()
    return fixed(made.returning(table.c.user_id))


@cache
def _unmarking(mark: Mark) -> Any:
    table = table_of(mark)
    theirs = table.c.entry_id == _ENTRY_ID, any_of(table.c.user_id, "users")
    return fixed(delete(table).where(*theirs).returning(table.c.user_id))


def _seeing() -> Any:
    users, entries = table_of(User), table_of(Entry)
    seen = select(users.c.id).select_from(users.join(entries, entries_shown_to(users.c.id)))
    held = seen.where(_IS_IT, any_of(users.c.id, "users")).with_for_update(of=entries, key_share=True)
    return fixed(held)


@cache
def _showing(kind: ViewerKind) -> Any:
    return fixed(select(Entry).where(_IS_IT, shown_entries(kind)))


def _shown(viewer: Viewer, entry_id: UUID, *values: Any) -> Any:
    """Select values beside an entry's id, if it is seen: what is stored with it is then never about what is not."""
    return select(col(Entry.id), *values).where(col(Entry.id) == entry_id, shown_entries(viewer.kind))


async def _mark(tx: Transaction, mark: Mark, entry_id: UUID, viewer: Viewer, *, is_set: bool, now: datetime) -> Entry:
    check_member(viewer)
    wish = Wish(mark=mark, user_id=viewer.user_id, is_set=is_set)
    return (await mark_together(tx, entry_id, [wish], now=now)).shown_to(viewer.user_id)


async def _followed(tx: Transaction, follower_id: UUID, followed_id: UUID, *, is_news: bool) -> Followed:
    ids = (follower_id, followed_id)
    if is_news:
        users = await tell_users(tx, ids)
    else:
        users = {user.id: user for user in await tx.rows(select(User).where(any_of(col(User.id), ids)))}
    if followed_id not in users:
        raise NotFound("There is no such user.", field="id")
    return Followed(follower=users[follower_id], followed=users[followed_id])


_WISHES: list[tuple[Mark, bool]] = [(mark, is_set) for mark in (Resonance, Amplification) for is_set in (True, False)]
_SEEING = _seeing()
_THE_ENTRY = fixed(select(Entry).where(_IS_IT))
