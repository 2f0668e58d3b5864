"""People who write, reply, resonate and follow."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import insert

from db.access import operations as access
from db.access.tables import User
from db.access.viewer import Role, Viewer
from db.database import Database
from db.ids import new_id
from db.social import operations
from db.social.drafts import NEW_ENTRY
from db.social.tables import Amplification, Entry, Follow, Resonance
from db.social.vocabulary import EntryKind, EntryPrivacy

_FOLDER = Path(__file__).parents[1] / "data" / "social"
_SHAPE = [line.split("\t") for line in (_FOLDER / "thread_1429.tsv").read_text().splitlines()[1:]]
_COUNTS = ("resonance_count", "amplification_count", "branch_count", "share_count", "score", "heat", "revision")
# A root as it is stored where nothing else is said.
_PLAIN: dict[str, Any] = {
    **NEW_ENTRY,
    **dict.fromkeys((*_COUNTS, "depth", "branch_order", "last_branch"), 0),
    "tags": [],
    "root_privacy": EntryPrivacy.PUBLIC,
    "path": "",
    "parent_id": None,
    "request_key": None,
}
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


async def plant(db: Database, people: Sequence[Viewer], now: datetime, *, word: str = "") -> UUID:
    """A thread of the shape of a real one, as it is stored; return its root's id. Each says its number and a word."""
    rows: list[dict[str, Any]] = []
    branches: Counter[str] = Counter()
    for number, (above, author, seconds, is_deleted) in enumerate(_SHAPE):
        branches[above] += 1
        at = now + timedelta(seconds=int(seconds))
        place = _place(rows[int(above)] if above else None, branches[above], people[int(author or 0) % len(people)])
        said = {"content": f"{number} {word}".strip(), "seq": 1_000_000 + number, "created_at": at, "changed_at": at}
        rows.append({**_PLAIN, **place, **said, "deleted_at": at if is_deleted == "1" else None})
    async with db.transaction() as tx:
        await tx.execute_many(insert(Entry), rows)
    root_id: UUID = rows[0]["id"]
    return root_id


def _place(parent: dict[str, Any] | None, branch: int, author: Viewer) -> dict[str, Any]:
    own = {"id": new_id(), "author_id": author.user_id}
    if parent is None:
        return {**own, "root_id": own["id"], "root_author_id": author.user_id}
    return {
        **own,
        "parent_id": parent["id"],
        "root_id": parent["root_id"],
        "root_author_id": parent["root_author_id"],
        "path": f"{parent['path']}{branch:05x}",
        "depth": parent["depth"] + 1,
        "branch_order": branch,
    }


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
        return await operations.unmark_entry(tx, Resonance, entry.id, viewer=viewer, now=entry.created_at)


async def amplify(db: Database, viewer: Viewer, entry: Entry, now: datetime) -> Entry:
    async with db.transaction() as tx:
        return await operations.mark_entry(tx, Amplification, entry.id, viewer=viewer, now=now)


async def unamplify(db: Database, viewer: Viewer, entry: Entry) -> Entry:
    async with db.transaction() as tx:
        return await operations.unmark_entry(tx, Amplification, entry.id, viewer=viewer, now=entry.created_at)


async def share(db: Database, viewer: Viewer, entry: Entry, now: datetime, key: str | None = None) -> Entry:
    async with db.transaction() as tx:
        return await operations.share_entry(tx, entry.id, request_key=key, viewer=viewer, now=now)


async def follow(db: Database, follower: Viewer, followed: Viewer | UUID, now: datetime) -> operations.Followed:
    user_id = followed if isinstance(followed, UUID) else followed.user_id
    async with db.transaction() as tx:
        return await operations.follow_user(tx, user_id, viewer=follower, now=now)


async def follow_many(db: Database, follower: Viewer, number: int, now: datetime) -> list[Viewer]:
    """Make so many people whom somebody follows."""
    people = [Viewer(user_id=new_id(), token_id=new_id(), role=Role.MEMBER) for _ in range(number)]
    users = [
        User(id=one.user_id, name="Somebody", username=name, username_key=name, role=one.role, created_at=now)
        for one in people
        for name in [one.user_id.hex]
    ]
    follows = [Follow(follower_id=follower.user_id, followed_id=one.user_id, created_at=now) for one in people]
    async with db.transaction() as tx:
        await tx.execute_many(insert(User), [one.model_dump() for one in users])
        await tx.execute_many(insert(Follow), [one.model_dump() for one in follows])
    return people


async def unfollow(db: Database, follower: Viewer, followed: Viewer) -> operations.Followed:
    async with db.transaction() as tx:
        return await operations.unfollow_user(tx, followed.user_id, viewer=follower)
