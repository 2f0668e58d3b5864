"""What people are and write, taken in from files: users with their profiles, and entries with their replies."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, cast
from uuid import UUID

from sqlalchemy import bindparam, insert, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlmodel import col, select

from db import import_readers as read
from db.access.operations import NEW_USER
from db.access.tables import User
from db.access.viewer import Role, UserKind, Viewer
from db.batches import table_of
from db.bus import MuchHappened
from db.errors import Conflict, Invalid, Refusal
from db.ids import new_id
from db.importing import Bringer, ImportField, ImportReport, ImportRow, TableImport, Values
from db.parameters import any_of
from db.session import Transaction
from db.social.drafts import NEW_ENTRY, entry_columns
from db.social.events import ALL_ENTRIES
from db.social.operations import (
    DIGITS,
    FRESH,
    MOST_BRANCHES,
    profile_columns,
    update_entry,
)
from db.social.ranks import heat
from db.social.tables import Entry, EntryTag, Numbering
from db.social.visibility import DEEPEST
from db.social.vocabulary import EntryKind, EntryPrivacy
from db.statements import fixed


def _user(said: Values) -> Values:
    kept: Values = {name: said[name] for name in ("role", "created_at") if name in said}
    return {**kept, **profile_columns(said)}


USERS = TableImport(
    name="users",
    role=Role.ADMIN,
    model=User,
    fields=(
        ImportField(header="id", column="id", read=read.optional(read.id_of("user"))),
        ImportField(header="username", column="username", read=read.text),
        ImportField(header="name", column="name", read=read.text),
        ImportField(header="role", column="role", read=read.one_of(Role)),
        ImportField(header="kind", column="kind", read=read.one_of(UserKind)),
        ImportField(header="bio", column="bio", read=read.text),
        ImportField(header="location", column="location", read=read.text),
        ImportField(header="avatarUrl", column="avatar_url", read=read.text),
        ImportField(header="createdAt", column="created_at", read=read.instant),
    ),
    key=("username_key",),
    needed=("username", "name"),
    new=lambda _said, now: {**NEW_USER, "role": Role.VIEWER, "kind": UserKind.HUMAN, "created_at": now},
    check=_user,
    told=lambda ids: ids,
)

_METRICS = ("clarity", "resonance", "coherence")
_SAID = ("kind", "label", "title", "content", "tags", "agent", "privacy")


class _Entries:
    """Entries, told apart by their ids. A reply names its parent, which is here or stands above it in the file."""

    name = "entries"
    role = Role.ADMIN
    fields: Sequence[ImportField] = (
        ImportField(header="id", column="id", read=read.optional(read.id_of("entry"))),
        ImportField(header="author.id", column="author_id", read=read.id_of("user")),
        ImportField(header="parent.id", column="parent_id", read=read.optional(read.id_of("entry"))),
        ImportField(header="kind", column="kind", read=read.one_of(EntryKind)),
        *(ImportField(header=one, column=one, read=read.text) for one in ("label", "title", "content", "agent")),
        ImportField(header="tags", column="tags", read=read.texts),
        ImportField(header="privacy", column="privacy", read=read.one_of(EntryPrivacy)),
        *(ImportField(header=f"metrics.{one}", column=f"metrics.{one}", read=read.number) for one in _METRICS),
        ImportField(header="createdAt", column="created_at", read=read.instant),
        ImportField(header="isDeleted", column="is_deleted", read=read.boolean),
    )

    async def take(self, tx: Transaction, rows: Sequence[ImportRow], report: ImportReport, by: Bringer) -> None:
        """Store what is new together, and change what is there one by one."""
        known = await _known(tx, rows)
        authors = await _authors(tx, rows)
        made: list[Values] = []
        branches: dict[UUID, int] = {}
        for row in rows:
            try:
                before = known.get(row.values.get("id"))
                if before is None:
                    entry = _made(row.values, authors, known, by.now)
                    _put_below(entry, known, branches)
                    made.append(entry)
                    known[entry["id"]] = entry
                    continue
                is_changed = await _changed(tx, row.values, before, by.now)
            except Refusal as refusal:
                header = next((one.header for one in self.fields if one.column == refusal.field), refusal.field or "")
                report.blame(row.line, header, refusal.message)
                continue
            report.changed += is_changed
            report.unchanged += not is_changed
        report.made += len(made)
        await _store(tx, made, branches)


async def _known(tx: Transaction, rows: Sequence[ImportRow]) -> dict[Any, Any]:
    """Return the entries that rows are about or reply to, by id: as rows, and later as what is to be stored."""
    ids = {row.values.get(name) for row in rows for name in ("id", "parent_id")} - {None}
    return {one.id: one for one in await tx.rows(select(Entry).where(any_of(col(Entry.id), ids)))}


async def _authors(tx: Transaction, rows: Sequence[ImportRow]) -> Mapping[UUID, User]:
    ids = {row.values.get("author_id") for row in rows} - {None}
    return {one.id: one for one in await tx.rows(select(User).where(any_of(col(User.id), ids)))}


def _said(values: Values) -> Values:
    said = {name: values[name] for name in _SAID if name in values}
    metrics = {one: values[f"metrics.{one}"] for one in _METRICS if f"metrics.{one}" in values}
    return {**said, "metrics": metrics} if metrics else said


def _made(values: Values, authors: Mapping[UUID, User], known: Mapping[Any, Any], now: datetime) -> Values:
    if values.get("is_deleted"):
        raise Conflict(
            "It was deleted: nothing is left of it to take in. Export with `deletedAt=null`.", field="is_deleted"
        )
    author_id = values.get("author_id")
    if author_id not in authors:
        raise Invalid("A new one needs an author who is here: take users in before.", field="author_id")
    parent_id = values.get("parent_id")
    if parent_id is not None and parent_id not in known:
        raise Invalid("There is no such entry here or above: what it replies to is taken in before.", field="parent_id")
    created_at = values.get("created_at", now)
    return {
        "id": values.get("id") or new_id(),
        "author_id": author_id,
        "parent_id": parent_id,
        **entry_columns({**NEW_ENTRY, **_said(values)}),
        **FRESH,
        "heat": heat(created_at, 0),
        "request_key": None,
        "created_at": created_at,
        "changed_at": created_at,
        "deleted_at": None,
    }


def _put_below(entry: Values, known: Mapping[Any, Any], branches: dict[UUID, int]) -> None:
    """Say where an entry stands: at the root of a thread, or at the next place below another."""
    if entry["parent_id"] is None:
        root = {"root_id": entry["id"], "root_author_id": entry["author_id"], "root_privacy": entry["privacy"]}
        entry.update(root, path="", depth=0, branch_order=0)
        return
    parent = _columns_of(known[entry["parent_id"]])
    if parent["deleted_at"] is not None:
        raise Conflict("What it replies to was deleted.", field="parent_id")
    if parent["depth"] >= DEEPEST:
        raise Conflict(f"A thread is at most {DEEPEST} deep.", field="parent_id")
    place = (branches.get(parent["id"]) or int(parent["last_branch"])) + 1
    if place > MOST_BRANCHES:
        raise Conflict(f"An entry has at most {MOST_BRANCHES:,} replies.", field="parent_id")
    branches[parent["id"]] = place
    entry.update({name: parent[name] for name in ("root_id", "root_author_id", "root_privacy")})
    entry.update(path=f"{parent['path']}{place:0{DIGITS}x}", depth=parent["depth"] + 1, branch_order=place)


def _columns_of(entry: Any) -> Values:
    return entry if isinstance(entry, dict) else entry._asdict()  # a row of the database is a named tuple


async def _changed(tx: Transaction, values: Values, before: Any, now: datetime) -> bool:
    """Change an entry that is there where it is said otherwise, as its author would."""
    if isinstance(before, dict):
        raise Conflict("This entry stands in the file twice.", field="id")
    said = entry_columns(_said(values)) if not values.get("is_deleted") else {}
    other = {name: value for name, value in said.items() if getattr(before, name) != value}
    for name in ("author_id", "parent_id"):
        if name in values and values[name] != getattr(before, name):
            raise Conflict("This stays as it was when the entry was written.", field=name)
    if not other or before.deleted_at is not None:
        return False
    viewer = Viewer(user_id=before.author_id, token_id=new_id(), role=Role.MEMBER)
    await update_entry(tx, before.id, other, viewer=viewer, now=now)
    return True


async def _store(tx: Transaction, made: list[Values], branches: Mapping[UUID, int]) -> None:
    if not made:
        return
    fresh = {one["id"]: one for one in made}
    for parent_id, place in branches.items():
        if parent_id in fresh:
            fresh[parent_id]["last_branch"] = place
    taken = upsert(Numbering).values(name="entries", last=len(made))
    raised = taken.on_conflict_do_update(index_elements=["name"], set_={"last": col(Numbering.last) + len(made)})
    last = cast("Numbering", await tx.row(raised.returning(Numbering))).last
    for number, entry in enumerate(made, start=last - len(made) + 1):
        entry["seq"] = number
    await tx.execute_many(insert(Entry), made)
    tags = [{"tag": tag, "entry_id": entry["id"]} for entry in made for tag in entry["tags"]]
    if tags:
        await tx.execute_many(insert(EntryTag), tags)
    given = [{"of_id": one, "place": place} for one, place in branches.items() if one not in fresh]
    if given:
        await tx.execute_many(_GIVE_PLACES, given)
    authors = dict.fromkeys(entry["author_id"] for entry in made)
    tx.record(MuchHappened(about=(ALL_ENTRIES, *branches, *authors)))


_GIVE_PLACES = fixed(
    update(Entry)
    .where(col(Entry.id) == bindparam("of_id", type_=table_of(Entry).c.id.type))
    .values(last_branch=bindparam("place", type_=table_of(Entry).c.last_branch.type))
)

ENTRIES = _Entries()
