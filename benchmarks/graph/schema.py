"""Ringside's graph over the benchmark's tables, declared as a domain of Ringside is."""

# ruff: noqa: A002, TC001, TC003 -- an id is called id, and Strawberry reads annotations at run time

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import strawberry
from sqlalchemy import ColumnElement, bindparam, update
from sqlmodel import col

from benchmarks.graph import tables
from db.access.viewer import Role, ViewerKind
from db.batches import Order, Pages, ToMany, ToOne
from db.errors import NotFound
from db.statements import fixed
from schema import Schema
from schema.connections import Connection
from schema.context import Asked
from schema.errors import RefusalsAsData, UserError
from schema.fields import Demand, Node, column, connection, lookup, node, to_many, to_one, value
from schema.ids import decode_id

if TYPE_CHECKING:
    from uuid import UUID

    from db.session import Changes


def _everything(_: ViewerKind) -> ColumnElement[bool] | None:
    return None


def _roots(_: ViewerKind) -> ColumnElement[bool] | None:
    return col(tables.Entry.parent_id).is_(None)


_NEWEST = {"NEWEST": Order(columns=("created_at", "id"), is_descending=True)}
_OLDEST = {"OLDEST": Order(columns=("created_at", "id"))}

member_by_id = ToOne(model=tables.Member, visible=_everything)
members = Pages(model=tables.Member, orders={"JOINED": Order(columns=("id",))}, visible=_everything)
entry_by_id = ToOne(model=tables.Entry, visible=_everything)
entries = Pages(model=tables.Entry, orders=_NEWEST, visible=_everything)
roots_by_author = Pages(model=tables.Entry, by="author_id", orders=_NEWEST, visible=_roots)
replies_by_entry = Pages(model=tables.Entry, by="parent_id", orders=_OLDEST, visible=_everything)
counts_by_entry = ToOne(model=tables.EntryCounts, by="entry_id", visible=_everything)
goal_by_id = ToOne(model=tables.Goal, visible=_everything)
goals_by_parent = ToMany(
    model=tables.Goal, by="parent_id", order=Order(columns=("position", "id")), visible=_everything, tree=300
)


@node("member", member_by_id)
class Member(Node):
    """Somebody who writes."""

    name: str = column("What he is called.")
    avatar_url: str = column("Where his picture is.")
    bio: str = column("What he says of himself.")
    score: int = column("How much he did.")
    created_at: datetime = column("When he came.")
    entries: Connection[Entry] = connection("The threads he began, newest first.", roots_by_author)


@node("entry", entry_by_id)
class Entry(Node):
    """Something written: the root of a thread, or a reply."""

    title: str = column("What it is called.")
    body: str = column("The text.")
    kind: str = column("What sort of entry.")
    language: str = column("The code of its language.")
    score: int = column("What it is worth.")
    is_public: bool = column("Whether everybody may see it.")
    revision: int = column("How often it was changed.")
    created_at: datetime = column("When it was written.")
    updated_at: datetime = column("When it was last changed.")
    author: Member = to_one("Who wrote it.", member_by_id, key="author_id")
    counts: EntryCounts = to_one("What was done with it.", counts_by_entry, key="id")
    replies: Connection[Entry] = connection("What was answered, oldest first.", replies_by_entry)


@value
class EntryCounts:
    """What was done with an entry, counted."""

    likes: int = column("How many like it.")
    reposts: int = column("How often it was passed on.")
    replies: int = column("How many answered.")
    views: int = column("How often it was seen.")


@node("goal", goal_by_id)
class Goal(Node):
    """A goal, or a part of one."""

    title: str = column("What is to be done.")
    status: str = column("Where it stands.")
    progress: int = column("How much is done.")
    target: int = column("How much there is to do.")
    position: int = column("Its place among its siblings.")
    created_at: datetime = column("When it was set.")
    children: list[Goal] = to_many("Its parts, in order.", goals_by_parent)


@strawberry.type(description="Everything that can be asked.")
class Query:
    """Everything that can be asked."""

    members: Connection[Member] = connection("All members.", members, key=None, demand=Demand(Role.VIEWER))
    entries: Connection[Entry] = connection("All entries, newest first.", entries, key=None, demand=Demand(Role.VIEWER))
    member: Member | None = lookup("One member.", "member", member_by_id, demand=Demand(Role.VIEWER))
    goal: Goal | None = lookup("One goal.", "goal", goal_by_id, demand=Demand(Role.VIEWER))


@strawberry.type(description="What came of it.")
class EntryLikePayload:
    """What came of `entryLike`."""

    counts: EntryCounts | None = strawberry.field(description="The counts after it. Null if it was refused.")
    errors: list[UserError] = strawberry.field(description="Why it was refused. Empty if it was not.")


@strawberry.type(description="Everything that can be changed.")
class Mutation:
    """Everything that can be changed."""

    @strawberry.mutation(  # type: ignore[untyped-decorator]  # it loses the type with extensions
        description="Like an entry.", extensions=[RefusalsAsData(), Demand(Role.MEMBER)]
    )
    async def entry_like(
        self, info: Asked, id: Annotated[strawberry.ID, strawberry.argument(description="The entry.")]
    ) -> EntryLikePayload:
        """Like an entry."""
        row = await like_entry(info.context.db, decode_id(id, kind="entry"))
        return EntryLikePayload(counts=row, errors=[])  # type: ignore[arg-type]  # a row stands for its type


_LIKE = fixed(
    update(tables.EntryCounts)
    .where(col(tables.EntryCounts.entry_id) == bindparam("entry"))
    .values(likes=col(tables.EntryCounts.likes) + 1)
    .returning(tables.EntryCounts)
)


async def like_entry(changes: Changes, entry_id: UUID) -> tables.EntryCounts:
    """Count one like more. Raises `NotFound`."""
    row = await changes.change(_LIKE, entry=entry_id)
    if row is None:
        raise NotFound("There is no such entry.", field="id")
    return row


def build_schema() -> Schema:
    """Join it as Ringside's own schema is joined."""
    return Schema(query=Query, mutation=Mutation, types=[Member, Entry, Goal])
