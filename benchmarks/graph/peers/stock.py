"""Stock Strawberry: resolvers, aiodataloader and ORM entities, as its documentation would have it."""

# ruff: noqa: A001, A002, TC003 -- an id is called id, and Strawberry reads annotations at run time

from __future__ import annotations

from collections import defaultdict
from contextlib import asynccontextmanager
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import UUID

import strawberry
from aiodataloader import DataLoader
from sqlalchemy import func, update
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import aliased
from sqlmodel import col, select
from starlette.applications import Starlette
from starlette.routing import Route
from strawberry.asgi import GraphQL

from benchmarks.graph import tables

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence


Sessions = async_sessionmaker[AsyncSession]


class Loaders:
    """The dataloaders of one request."""

    def __init__(self, sessions: Sessions) -> None:
        self.sessions = sessions
        self.members: DataLoader[UUID, Any] = DataLoader(self._members)
        self.counts: DataLoader[UUID, Any] = DataLoader(self._counts)
        self.children: DataLoader[UUID, Any] = DataLoader(self._children)
        self._entries: dict[int, DataLoader[UUID, Any]] = {}
        self._replies: dict[int, DataLoader[UUID, Any]] = {}

    def entries(self, first: int) -> DataLoader[UUID, Any]:
        """Return the loader of so many entries of a member."""
        return _kept(self._entries, first, self._entries_of)

    def replies(self, first: int) -> DataLoader[UUID, Any]:
        """Return the loader of so many replies to an entry."""
        return _kept(self._replies, first, self._replies_to)

    async def _members(self, ids: list[UUID]) -> list[Any]:
        rows = await self._all(select(tables.Member).where(col(tables.Member.id).in_(ids)))
        found = {row.id: row for row in rows}
        return [found.get(id) for id in ids]

    async def _counts(self, ids: list[UUID]) -> list[Any]:
        rows = await self._all(select(tables.EntryCounts).where(col(tables.EntryCounts.entry_id).in_(ids)))
        found = {row.entry_id: row for row in rows}
        return [found.get(id) for id in ids]

    async def _children(self, ids: list[UUID]) -> list[Any]:
        goal = tables.Goal
        statement = select(goal).where(col(goal.parent_id).in_(ids)).order_by(col(goal.position), col(goal.id))
        return _grouped(ids, await self._all(statement), "parent_id")

    async def _entries_of(self, first: int, ids: list[UUID]) -> list[Any]:
        entry = tables.Entry
        order = (col(entry.created_at).desc(), col(entry.id).desc())
        rank = func.row_number().over(partition_by=col(entry.author_id), order_by=order).label("rank")
        ranked = select(entry, rank).where(col(entry.author_id).in_(ids), col(entry.parent_id).is_(None)).subquery()
        top = aliased(entry, ranked)
        rows = await self._all(select(top).where(ranked.c.rank <= first).order_by(ranked.c.rank))
        return _grouped(ids, rows, "author_id")

    async def _replies_to(self, first: int, ids: list[UUID]) -> list[Any]:
        entry = tables.Entry
        order = (col(entry.created_at), col(entry.id))
        rank = func.row_number().over(partition_by=col(entry.parent_id), order_by=order).label("rank")
        ranked = select(entry, rank).where(col(entry.parent_id).in_(ids)).subquery()
        top = aliased(entry, ranked)
        rows = await self._all(select(top).where(ranked.c.rank <= first).order_by(ranked.c.rank))
        return _grouped(ids, rows, "parent_id")

    async def _all(self, statement: Any) -> Sequence[Any]:
        async with self.sessions() as session:
            return (await session.execute(statement)).scalars().all()


def _kept(
    loaders: dict[int, DataLoader[UUID, Any]], first: int, load: Callable[[int, list[UUID]], Any]
) -> DataLoader[UUID, Any]:
    if first not in loaders:
        loaders[first] = DataLoader(partial(load, first))
    return loaders[first]


def _grouped(ids: Sequence[UUID], rows: Sequence[Any], by: str) -> list[list[Any]]:
    groups: dict[UUID, list[Any]] = defaultdict(list)
    for row in rows:
        groups[getattr(row, by)].append(row)
    return [groups[id] for id in ids]


Info = strawberry.Info[Loaders, None]


@strawberry.type
class EntryCounts:
    """What was done with an entry."""

    likes: int
    reposts: int
    replies: int
    views: int


@strawberry.type
class Entry:
    """Something written."""

    id: strawberry.ID
    title: str
    body: str
    kind: str
    language: str
    score: int
    is_public: bool
    revision: int
    created_at: datetime
    updated_at: datetime

    @strawberry.field
    async def author(root: Any, info: Info) -> Member:  # noqa: N805 -- Strawberry's way to name the row
        """Load the author."""
        return await info.context.members.load(root.author_id)  # type: ignore[no-any-return]  # an entity

    @strawberry.field
    async def counts(root: Any, info: Info) -> EntryCounts:  # noqa: N805 -- as above
        """Load the counts."""
        return await info.context.counts.load(root.id)  # type: ignore[no-any-return]  # an entity

    @strawberry.field
    async def replies(root: Any, info: Info, first: int) -> list[Entry]:  # noqa: N805 -- as above
        """Load the first replies."""
        return await info.context.replies(first).load(root.id)  # type: ignore[no-any-return]  # entities


@strawberry.type
class Member:
    """Somebody who writes."""

    id: strawberry.ID
    name: str
    avatar_url: str
    score: int

    @strawberry.field
    async def entries(root: Any, info: Info, first: int) -> list[Entry]:  # noqa: N805 -- as above
        """Load the newest threads."""
        return await info.context.entries(first).load(root.id)  # type: ignore[no-any-return]  # entities


@strawberry.type
class Goal:
    """A goal, or a part of one."""

    id: strawberry.ID
    title: str
    status: str
    progress: int

    @strawberry.field
    async def children(root: Any, info: Info) -> list[Goal]:  # noqa: N805 -- as above
        """Load the parts."""
        return await info.context.children.load(root.id)  # type: ignore[no-any-return]  # entities


@strawberry.type
class Query:
    """Everything that can be asked."""

    @strawberry.field
    async def entries(self, info: Info, first: int) -> list[Entry]:
        """Return the newest entries."""
        entry = tables.Entry
        newest = select(entry).order_by(col(entry.created_at).desc(), col(entry.id).desc()).limit(first)
        async with info.context.sessions() as session:
            return list((await session.execute(newest)).scalars())  # type: ignore[arg-type]  # entities

    @strawberry.field
    async def members(self, info: Info, first: int) -> list[Member]:
        """Return the first members."""
        async with info.context.sessions() as session:
            found = await session.execute(select(tables.Member).order_by(col(tables.Member.id)).limit(first))
            return list(found.scalars())  # type: ignore[arg-type]  # entities

    @strawberry.field
    async def member(self, info: Info, id: strawberry.ID) -> Member | None:
        """Return one member."""
        async with info.context.sessions() as session:
            return await session.get(tables.Member, UUID(id))  # type: ignore[arg-type]  # an entity

    @strawberry.field
    async def goal(self, info: Info, id: strawberry.ID) -> Goal | None:
        """Return one goal."""
        async with info.context.sessions() as session:
            return await session.get(tables.Goal, UUID(id))  # type: ignore[arg-type]  # an entity


@strawberry.type
class EntryLikePayload:
    """What came of a like."""

    counts: EntryCounts


@strawberry.type
class Mutation:
    """Everything that can be changed."""

    @strawberry.mutation
    async def entry_like(self, info: Info, id: strawberry.ID) -> EntryLikePayload:
        """Count one like more."""
        counts = tables.EntryCounts
        statement = (
            update(counts).where(col(counts.entry_id) == UUID(id)).values(likes=col(counts.likes) + 1).returning(counts)
        )
        async with info.context.sessions.begin() as session:
            row = (await session.execute(statement)).scalar_one()
        return EntryLikePayload(counts=row)  # type: ignore[arg-type]  # an entity


class _Door(GraphQL[Loaders, None]):
    def __init__(self, sessions: Sessions) -> None:
        super().__init__(strawberry.Schema(Query, Mutation), graphql_ide=None)
        self._sessions = sessions

    async def get_context(self, request: Any, response: Any) -> Loaders:  # noqa: ARG002 -- Strawberry's signature
        """Make the loaders of a request."""
        return Loaders(self._sessions)


@asynccontextmanager
async def open_app(url: str) -> AsyncIterator[Starlette]:
    """Open an engine with a pool and put the door together."""
    scheme, _, rest = url.partition(":")
    driver = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+asyncpg"}[scheme]
    engine = create_async_engine(f"{driver}:{rest}", pool_size=10)
    try:
        yield Starlette(routes=[Route("/graphql", _Door(async_sessionmaker(engine, expire_on_commit=False)))])
    finally:
        await engine.dispose()
