"""Written by hand: a Starlette endpoint for each shape, rows of the driver → dicts → orjson. No GraphQL, no tokens.

Each level of an answer is one statement with just the columns it needs; there is no layer between driver and dicts.
"""

# ruff: noqa: A001 -- an id is called id

import asyncio
import sqlite3
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Protocol

import asyncpg
import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from benchmarks.graph.shapes import TREE_DEPTH
from db.urls import is_embedded, sqlite_path

Rows = Sequence[Sequence[Any]]
Read = dict[str, Any]

_FLAT = """
SELECT id, title, body, kind, language, score, is_public, revision, created_at, updated_at
FROM entries ORDER BY created_at DESC, id DESC LIMIT $1
"""
_MEMBERS = "SELECT id, name, avatar_url FROM members ORDER BY id LIMIT $1"
_MEMBER = "SELECT id, name, score FROM members WHERE id = $1"
_GOAL = "SELECT id, title, status, progress FROM goals WHERE id = $1"
_LIKE = "UPDATE entry_counts SET likes = likes + 1 WHERE entry_id = $1 RETURNING likes"

_POSTGRESQL = {
    "entries": """
        SELECT e.id, e.title, e.created_at, e.author_id FROM unnest($1::uuid[]) AS p(id), LATERAL (
            SELECT id, title, created_at, author_id FROM entries
            WHERE author_id = p.id AND parent_id IS NULL ORDER BY created_at DESC, id DESC LIMIT 10) AS e
    """,
    "authors": "SELECT id, name FROM members WHERE id = ANY($1::uuid[])",
    "counts": "SELECT entry_id, likes, reposts, replies, views FROM entry_counts WHERE entry_id = ANY($1::uuid[])",
    "replies": """
        SELECT r.id, r.body, r.created_at, r.parent_id FROM unnest($1::uuid[]) AS p(id), LATERAL (
            SELECT id, body, created_at, parent_id FROM entries
            WHERE parent_id = p.id ORDER BY created_at, id LIMIT 3) AS r
    """,
    "goals": """
        SELECT id, title, status, progress, parent_id FROM goals
        WHERE parent_id = ANY($1::uuid[]) ORDER BY position, id
    """,
}
_SQLITE = {
    "entries": """
        SELECT e.id, e.title, e.created_at, e.author_id FROM json_each(?1) AS p JOIN entries AS e ON e.id IN (
            SELECT id FROM entries AS x WHERE x.author_id = p.value AND x.parent_id IS NULL
            ORDER BY x.created_at DESC, x.id DESC LIMIT 10) ORDER BY e.created_at DESC, e.id DESC
    """,
    "authors": "SELECT id, name FROM members WHERE id IN (SELECT value FROM json_each(?1))",
    "counts": """
        SELECT entry_id, likes, reposts, replies, views FROM entry_counts
        WHERE entry_id IN (SELECT value FROM json_each(?1))
    """,
    "replies": """
        SELECT r.id, r.body, r.created_at, r.parent_id FROM json_each(?1) AS p JOIN entries AS r ON r.id IN (
            SELECT id FROM entries AS x WHERE x.parent_id = p.value ORDER BY x.created_at, x.id LIMIT 3)
        ORDER BY r.created_at, r.id
    """,
    "goals": """
        SELECT id, title, status, progress, parent_id FROM goals
        WHERE parent_id IN (SELECT value FROM json_each(?1)) ORDER BY position, id
    """,
}


class Store(Protocol):
    """A database, asked in its own words."""

    sql: dict[str, str]

    async def fetch(self, sql: str, argument: Any) -> Rows:
        """Run a statement."""

    async def by_keys(self, name: str, keys: Sequence[str]) -> Rows:
        """Run a statement for many keys."""

    def instant(self, value: Any) -> Any:
        """Return an instant as it is to be printed."""


class PostgreSQL:
    """Rows of asyncpg. UUIDs go from bytes to text without an object between."""

    sql = _POSTGRESQL

    def __init__(self, pool: "asyncpg.Pool[Any]") -> None:
        self._pool = pool

    async def fetch(self, sql: str, argument: Any) -> Rows:
        """Run a statement."""
        rows: Rows = await self._pool.fetch(sql, argument)
        return rows

    async def by_keys(self, name: str, keys: Sequence[str]) -> Rows:
        """Run a statement for many keys."""
        return await self.fetch(self.sql[name], keys)

    def instant(self, value: Any) -> Any:
        """Leave instants to orjson."""
        return value


class SQLite:
    """Rows of sqlite3, read by a thread, so that the loop is free meanwhile."""

    sql = _SQLITE

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._thread = ThreadPoolExecutor(1)

    async def fetch(self, sql: str, argument: Any) -> Rows:
        """Run a statement."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, self._fetch, sql.replace("$1", "?1"), argument)

    async def by_keys(self, name: str, keys: Sequence[str]) -> Rows:
        """Run a statement for many keys."""
        return await self.fetch(self.sql[name], orjson.dumps(keys).decode())

    def instant(self, value: str) -> str:
        """Print an instant as SQLite stores it: in UTC, with a space in the middle."""
        return value.replace(" ", "T") + "Z"

    def _fetch(self, sql: str, argument: Any) -> Rows:
        return self._connection.execute(sql, (argument.replace("-", "") if sql in _BY_ID else argument,)).fetchall()


_BY_ID = {sql.replace("$1", "?1") for sql in (_MEMBER, _GOAL, _LIKE)}


async def flat(store: Store, asked: Read) -> Read:
    """Read the newest entries."""
    instant = store.instant
    rows = await store.fetch(_FLAT, asked["first"])
    entries = [
        {
            "id": id,
            "title": title,
            "body": body,
            "kind": kind,
            "language": language,
            "score": score,
            "isPublic": bool(is_public),
            "revision": revision,
            "createdAt": instant(created_at),
            "updatedAt": instant(updated_at),
        }
        for id, title, body, kind, language, score, is_public, revision, created_at, updated_at in rows
    ]
    return {"entries": entries}


async def nested(store: Store, asked: Read) -> Read:
    """Read members, their entries, and of each its author, its counts and its first replies."""
    instant = store.instant
    members = await store.fetch(_MEMBERS, asked["first"])
    entries = await store.by_keys("entries", [row[0] for row in members])
    keys = [row[0] for row in entries]
    authors, counts, replies = await asyncio.gather(
        store.by_keys("authors", list({row[3] for row in entries})),
        store.by_keys("counts", keys),
        store.by_keys("replies", keys),
    )
    author_of = {id: {"id": id, "name": name} for id, name in authors}
    counts_of = {
        id: {"likes": likes, "reposts": reposts, "replies": replied, "views": views}
        for id, likes, reposts, replied, views in counts
    }
    replies_of: dict[str, list[Read]] = defaultdict(list)
    for id, body, created_at, parent_id in replies:
        replies_of[parent_id].append({"id": id, "body": body, "createdAt": instant(created_at)})
    entries_of: dict[str, list[Read]] = defaultdict(list)
    for id, title, created_at, author_id in entries:
        entries_of[author_id].append(
            {
                "id": id,
                "title": title,
                "createdAt": instant(created_at),
                "author": author_of[author_id],
                "counts": counts_of[id],
                "replies": replies_of[id],
            }
        )
    return {
        "members": [
            {"id": id, "name": name, "avatarUrl": avatar_url, "entries": entries_of[id]}
            for id, name, avatar_url in members
        ]
    }


async def tree(store: Store, asked: Read) -> Read:
    """Read a goal and five levels below it."""
    found = await store.fetch(_GOAL, asked["id"])
    if not found:
        return {"goal": None}
    id, title, status, progress = found[0]
    children: list[Read] = []
    goal = {"id": id, "title": title, "status": status, "progress": progress, "children": children}
    level = {id: children}
    for depth in range(1, TREE_DEPTH):
        rows = await store.by_keys("goals", list(level))
        if depth == TREE_DEPTH - 1:
            for id, title, status, progress, parent_id in rows:
                level[parent_id].append({"id": id, "title": title, "status": status, "progress": progress})
            break
        below: dict[str, list[Read]] = {}
        for id, title, status, progress, parent_id in rows:
            below[id] = children = []
            level[parent_id].append(
                {"id": id, "title": title, "status": status, "progress": progress, "children": children}
            )
        level = below
    return {"goal": goal}


async def by_id(store: Store, asked: Read) -> Read:
    """Read one member."""
    found = await store.fetch(_MEMBER, asked["id"])
    if not found:
        return {"member": None}
    id, name, score = found[0]
    return {"member": {"id": id, "name": name, "score": score}}


async def increment(store: Store, asked: Read) -> Read:
    """Count one like more."""
    found = await store.fetch(_LIKE, asked["id"])
    return {"entryLike": {"counts": {"likes": found[0][0]}}}


_ENDPOINTS = {"flat": flat, "nested": nested, "tree": tree, "by-id": by_id, "increment": increment}


async def _answer(store: Store, read: Callable[[Store, Read], Awaitable[Read]], request: Request) -> Response:
    data = await read(store, orjson.loads(await request.body()))
    return Response(orjson.dumps({"data": data}), media_type="application/json")


def _app(store: Store) -> Starlette:
    return Starlette(
        routes=[Route(f"/{name}", partial(_answer, store, read), methods=["POST"]) for name, read in _ENDPOINTS.items()]
    )


@asynccontextmanager
async def open_app(url: str) -> AsyncIterator[Starlette]:
    """Open the database and put the endpoints together."""
    if is_embedded(url):
        connection = sqlite3.connect(sqlite_path(url), check_same_thread=False, isolation_level=None)
        connection.execute("PRAGMA synchronous = FULL")
        yield _app(SQLite(connection))
        connection.close()
        return
    async with open_pool(url) as pool:
        yield _app(PostgreSQL(pool))


@asynccontextmanager
async def open_pool(url: str) -> AsyncIterator["asyncpg.Pool[Any]"]:
    """Open connections that give UUIDs as text and are not reset between two statements."""

    async def speak(connection: Any) -> None:
        await connection.set_type_codec(
            "uuid", schema="pg_catalog", format="binary", encoder=_uuid_bytes, decoder=bytes.hex
        )

    async def leave_as_is(_: Any) -> None:
        return

    pool = await asyncpg.create_pool(url, min_size=1, max_size=10, init=speak, reset=leave_as_is)
    try:
        yield pool
    finally:
        await pool.close()


def _uuid_bytes(text: str) -> bytes:
    return bytes.fromhex(text.replace("-", ""))
