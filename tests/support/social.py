"""People who write, reply, resonate and follow."""

from datetime import datetime
from typing import Any
from uuid import UUID

from db.access import operations as access
from db.access.tables import User
from db.access.viewer import Role, Viewer
from db.ids import new_id
from db.session import Database
from db.social import operations
from db.social.tables import Amplification, Entry, Resonance
from db.social.vocabulary import EntryKind, EntryPrivacy

_WORDS: dict[str, Any] = {"kind": EntryKind, "privacy": EntryPrivacy}


async def make_person(db: Database, now: datetime, name: str = "", *, role: Role = Role.MEMBER) -> Viewer:
    """Somebody with a name of his own, as he asks."""
    async with db.transaction() as tx:
        user = await access.create_user(tx, name=name or f"Person {new_id().hex[-12:]}", role=role, now=now)
    return viewer_of(user)


def viewer_of(user: User) -> Viewer:
    return Viewer(user_id=user.id, token_id=new_id(), role=user.role)


async def write(
    db: Database, author: Viewer, now: datetime, *, parent: Entry | None = None, key: str | None = None, **said: Any
) -> Entry:
    """An entry, or a reply to one."""
    changes = {"content": "Something.", **{name: _WORDS.get(name, lambda one: one)(one) for name, one in said.items()}}
    async with db.transaction() as tx:
        return await operations.create_entry(
            tx, changes, parent_id=None if parent is None else parent.id, request_key=key, viewer=author, now=now
        )


async def rewrite(db: Database, author: Viewer, entry: Entry, now: datetime, **said: Any) -> Entry:
    changes = {name: _WORDS.get(name, lambda one: one)(one) for name, one in said.items()}
    async with db.transaction() as tx:
        return await operations.update_entry(tx, entry.id, changes, viewer=author, now=now)


async def erase(db: Database, author: Viewer, entry: Entry, now: datetime) -> Entry:
    async with db.transaction() as tx:
        return await operations.delete_entry(tx, entry.id, viewer=author, now=now)


async def resonate(db: Database, viewer: Viewer, entry: Entry, now: datetime) -> Entry:
    async with db.transaction() as tx:
        return await operations.mark_entry(tx, Resonance, entry.id, viewer=viewer, now=now)


async def unresonate(db: Database, viewer: Viewer, entry: Entry) -> Entry:
    async with db.transaction() as tx:
        return await operations.unmark_entry(tx, Resonance, entry.id, viewer=viewer)


async def amplify(db: Database, viewer: Viewer, entry: Entry, now: datetime) -> Entry:
    async with db.transaction() as tx:
        return await operations.mark_entry(tx, Amplification, entry.id, viewer=viewer, now=now)


async def unamplify(db: Database, viewer: Viewer, entry: Entry) -> Entry:
    async with db.transaction() as tx:
        return await operations.unmark_entry(tx, Amplification, entry.id, viewer=viewer)


async def share(db: Database, viewer: Viewer, entry: Entry, now: datetime, key: str | None = None) -> Entry:
    async with db.transaction() as tx:
        return await operations.share_entry(tx, entry.id, request_key=key, viewer=viewer, now=now)


async def follow(db: Database, follower: Viewer, followed: Viewer | UUID, now: datetime) -> operations.Followed:
    user_id = followed if isinstance(followed, UUID) else followed.user_id
    async with db.transaction() as tx:
        return await operations.follow_user(tx, user_id, viewer=follower, now=now)


async def unfollow(db: Database, follower: Viewer, followed: Viewer) -> operations.Followed:
    async with db.transaction() as tx:
        return await operations.unfollow_user(tx, followed.user_id, viewer=follower)
