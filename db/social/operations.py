"""How users and their entries may change."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, cast
from uuid import UUID

from sqlalchemy import delete, insert, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlmodel import col, select

from db.access.operations import LONGEST_LABEL
from db.access.tables import User
from db.access.usernames import checked_username, taken_username
from db.access.viewer import Role, UserKind, Viewer
from db.errors import Conflict, Forbidden, Invalid, NotFound
from db.ids import new_id
from db.parameters import any_of
from db.session import Transaction
from db.social.drafts import LONGEST_CONTENT, NEW_ENTRY, checked_key, entry_columns
from db.social.events import EntryAdded, EntryChanged, UserCountsChanged
from db.social.marks import (
    Followed,
    Mark,
    check_member,
    follow_user,
    mark_entry,
    share_entry,
    tell_users,
    unfollow_user,
    unmark_entry,
    visible_entry,
)
from db.social.ranks import heat
from db.social.subjects import check_subject
from db.social.tables import Entry, EntryTag, Numbering
from db.social.visibility import DEEPEST, shown_entries, visible_entries
from db.social.vocabulary import EntryPrivacy
from db.texts import checked

__all__ = ["Followed", "Mark", "follow_user", "mark_entry", "share_entry", "unfollow_user", "unmark_entry"]

# A place among replies is so many hexadecimal digits of a path.
DIGITS = 5
MOST_BRANCHES = 16**DIGITS - 1
LONGEST_PROFILE = 500


async def create_entry(
    tx: Transaction,
    changes: Mapping[str, Any],
    *,
    parent_id: UUID | None = None,
    request_key: str | None = None,
    longest: int = LONGEST_CONTENT,
    viewer: Viewer,
    now: datetime,
) -> Entry:
    """Write an entry, or with `parent_id` a reply. With a key it is written once, however often it is asked for.

    Raises `Invalid`, `NotFound` for a parent or subject that is not seen, and `Conflict` for a parent that takes no
    replies and for a key that stands for something else.
    """
    check_member(viewer)
    columns = entry_columns({**NEW_ENTRY, **changes}, longest=longest)
    key = checked_key(request_key)
    if key is not None and (known := await _written(tx, key, viewer)) is not None:
        return _same(known, columns, parent_id)
    await check_subject(tx, columns["subject_kind"], columns["subject_id"], viewer=viewer)
    parent = None if parent_id is None else await _next_branch(tx, parent_id, viewer)
    values = {**columns, **_place(parent, columns["privacy"], viewer), **FRESH, "request_key": key}
    values |= {"heat": heat(now, 0), "created_at": now, "changed_at": now, "seq": await _next_number(tx)}
    entry = await tx.row(upsert(Entry).values(**values).on_conflict_do_nothing().returning(Entry))
    if entry is None:
        # Somebody else was faster with the same key.
        return _same(cast("Entry", await _written(tx, str(key), viewer)), columns, parent_id)
    await _tag(tx, entry)
    tx.record(EntryAdded(entry=entry))
    await _tell_of_place(tx, entry)
    return entry


async def update_entry(
    tx: Transaction,
    entry_id: UUID,
    changes: Mapping[str, Any],
    *,
    longest: int = LONGEST_CONTENT,
    viewer: Viewer,
    now: datetime,
) -> Entry:
    """Change some of an entry of one's own; what is not named stays. Raises `NotFound`, `Forbidden` and `Invalid`."""
    columns = entry_columns(changes, longest=longest)
    before = await visible_entry(tx, entry_id, viewer)
    if before.author_id != viewer.user_id:
        raise Forbidden("This entry belongs to somebody else.")
    if {"subject_kind", "subject_id"} & columns.keys():
        await check_subject(tx, columns.get("subject_kind"), columns.get("subject_id"), viewer=viewer)
    privacy = columns.get("privacy", before.privacy)
    if before.depth == 0:
        columns["root_privacy"] = privacy
    entry = await _change(tx, entry_id, columns, viewer, now)
    if "tags" in columns:
        await tx.execute(delete(EntryTag).where(col(EntryTag.entry_id) == entry_id))
        await _tag(tx, entry)
    if privacy == before.privacy:
        if entry.kind is not before.kind:
            await tell_users(tx, [entry.author_id])
        return entry
    if entry.depth == 0:
        await _hide_thread(tx, entry)
    await _tell_of_place(tx, entry)
    return entry


async def delete_entry(tx: Transaction, entry_id: UUID, *, viewer: Viewer, now: datetime) -> Entry:
    """Take away what an entry says; its place stays, and so do the replies to it. Twice is as good as once.

    Raises `NotFound`, and `Forbidden` for what belongs to somebody else, unless the viewer is an admin.
    """
    check_member(viewer)
    statement = select(Entry).where(col(Entry.id) == entry_id, visible_entries(viewer.kind))
    before = await tx.row(statement, **viewer.parameters)
    if before is None:
        raise NotFound("There is no such entry.", field="id")
    if before.author_id != viewer.user_id and not viewer.has_role(Role.ADMIN):
        raise Forbidden("This entry belongs to somebody else.")
    if before.deleted_at is not None:
        return before
    await tx.execute(delete(EntryTag).where(col(EntryTag.entry_id) == entry_id))
    entry = await _change(tx, entry_id, {**_NOTHING, "deleted_at": now}, viewer, now)
    await _tell_of_place(tx, entry)
    return entry


async def update_profile(tx: Transaction, changes: Mapping[str, Any], *, viewer: Viewer) -> User:
    """Change some of one's own profile. Raises `Invalid`, and `Conflict` for a username that is taken."""
    check_member(viewer)
    columns = profile_columns(changes)
    if "username_key" in columns:
        # Said in words where it can be; of two who come at once the index refuses the second.
        taken = col(User.username_key) == columns["username_key"], col(User.id) != viewer.user_id
        if await tx.row(select(User).where(*taken)) is not None:
            raise taken_username()
    columns["revision"] = col(User.revision) + 1
    user = await tx.row(update(User).where(col(User.id) == viewer.user_id).values(**columns).returning(User))
    if user is None:
        raise NotFound("There is no such user.", field=None)
    tx.record(UserCountsChanged(user=user))
    return user


async def _written(tx: Transaction, key: str, viewer: Viewer) -> Entry | None:
    mine = col(Entry.author_id) == viewer.user_id, col(Entry.request_key) == key
    return await tx.row(select(Entry).where(*mine))


def _same(entry: Entry, columns: Mapping[str, Any], parent_id: UUID | None) -> Entry:
    """Return what a key stands for. Raises `Conflict` if that is something else than what is asked for now."""
    is_same = entry.parent_id == parent_id and entry.content == columns["content"]
    if entry.deleted_at is None and not is_same:
        raise Conflict("This key was used for another entry. Take a new one.", field="idempotency_key")
    return entry


async def _next_branch(tx: Transaction, parent_id: UUID, viewer: Viewer) -> Entry:
    """Take the next place under a parent, which is then held until the commit."""
    taken = (
        update(Entry)
        .where(col(Entry.id) == parent_id, shown_entries(viewer.kind))
        .values(last_branch=col(Entry.last_branch) + 1)
    )
    parent = await tx.row(taken.returning(Entry), **viewer.parameters)
    if parent is None:
        raise NotFound("There is no such entry.", field="parent_id")
    if parent.depth >= DEEPEST:
        raise Conflict(f"A thread is at most {DEEPEST} deep. Reply further up.", field="parent_id")
    if parent.last_branch > MOST_BRANCHES:
        raise Conflict(f"An entry has at most {MOST_BRANCHES:,} replies.", field="parent_id")
    return parent


async def _next_number(tx: Transaction) -> int:
    """Take the next number of an entry: the last thing that is waited for, and held until the commit."""
    taken = upsert(Numbering).values(name="entries", last=1)
    raised = taken.on_conflict_do_update(index_elements=["name"], set_={"last": col(Numbering.last) + 1})
    return cast("Numbering", await tx.row(raised.returning(Numbering))).last


def _place(parent: Entry | None, privacy: EntryPrivacy, viewer: Viewer) -> dict[str, Any]:
    """Return where an entry stands in a thread, and who may see that thread."""
    id = new_id()  # noqa: A001 -- an id is called id
    own = {"id": id, "author_id": viewer.user_id}
    if parent is None:
        root = {"root_id": id, "root_author_id": viewer.user_id, "root_privacy": privacy}
        return {**own, **root, "path": "", "depth": 0, "branch_order": 0}
    return {
        **own,
        "parent_id": parent.id,
        "root_id": parent.root_id,
        "root_author_id": parent.root_author_id,
        "root_privacy": parent.root_privacy,
        "path": f"{parent.path}{parent.last_branch:0{DIGITS}x}",
        "depth": parent.depth + 1,
        "branch_order": parent.last_branch,
    }


async def _tag(tx: Transaction, entry: Entry) -> None:
    if entry.tags:
        await tx.execute_many(insert(EntryTag), [{"tag": tag, "entry_id": entry.id} for tag in entry.tags])


async def _change(tx: Transaction, entry_id: UUID, columns: dict[str, Any], viewer: Viewer, now: datetime) -> Entry:
    """Change an entry that is there, and say so."""
    values = {**columns, "revision": col(Entry.revision) + 1, "changed_at": now}
    statement = update(Entry).where(col(Entry.id) == entry_id, shown_entries(viewer.kind)).values(**values)
    entry = await tx.row(statement.returning(Entry), **viewer.parameters)
    if entry is None:
        raise Conflict("The entry was deleted meanwhile.", field="id")
    tx.record(EntryChanged(entry=entry))
    return entry


async def _hide_thread(tx: Transaction, root: Entry) -> None:
    """Let all replies of a thread be seen by whoever sees its root now."""
    replies = col(Entry.root_id) == root.id, col(Entry.id) != root.id
    hidden = update(Entry).where(*replies).values(root_privacy=root.privacy, revision=col(Entry.revision) + 1)
    changed = await tx.rows(hidden.returning(Entry))
    for entry in changed:
        tx.record(EntryChanged(entry=entry))
    await tell_users(tx, {entry.author_id for entry in changed} - {root.author_id})


async def _tell_of_place(tx: Transaction, entry: Entry) -> None:
    """Say what triggers have made of an entry that is there, is gone, or is seen by others than before."""
    await tell_users(tx, [entry.author_id])
    if entry.parent_id is not None:
        for parent in await tx.rows(select(Entry).where(any_of(col(Entry.id), [entry.parent_id]))):
            tx.record(EntryChanged(entry=parent))


def profile_columns(changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return the columns of what is said of a profile. Raises `Invalid`, naming the field."""
    columns: dict[str, Any] = {}
    if "kind" in changes:
        columns["kind"] = changes["kind"] or UserKind.HUMAN
    if "name" in changes:
        columns["name"] = checked(changes["name"] or "", "A name", field="name", longest=LONGEST_LABEL)
    if "username" in changes:
        columns["username"] = checked_username(changes["username"] or "")
        columns["username_key"] = columns["username"].lower()
    for field, what in (("bio", "A biography"), ("location", "A location"), ("avatar_url", "An address")):
        if field in changes:
            columns[field] = checked(changes[field] or "", what, field=field, shortest=0, longest=LONGEST_PROFILE)
    if columns.get("avatar_url") and not columns["avatar_url"].startswith("https://"):
        raise Invalid("A picture's address begins with https://.", field="avatar_url")
    return columns


FRESH: dict[str, Any] = {
    "last_branch": 0,
    "resonance_count": 0,
    "amplification_count": 0,
    "branch_count": 0,
    "share_count": 0,
    "score": 0,
    "revision": 0,
}
# What is left of an entry that was deleted.
_NOTHING: dict[str, Any] = {
    "label": "",
    "title": "",
    "content": "",
    "tags": [],
    "agent": "",
    "metrics": {},
    "subject_kind": None,
    "subject_id": None,
}
