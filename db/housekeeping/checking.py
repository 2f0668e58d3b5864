"""Whether a database is sound: its pages, what rows refer to, and counters that must say what there is."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from math import inf
from typing import Any

import asyncpg
from sqlalchemy import Column, Select, String, cast, column, exists, func, literal, select, table
from sqlalchemy.dialects.postgresql import REGCLASS

from db.database import Database
from db.housekeeping.status import pragma
from db.session import Session
from db.social.recount import find_drift
from db.tables import metadata

MOST_TOLD = 100
_PAGES = "pages of the file"
_INDEXES = "indexes"
_REFERENCES = "references between tables"
_COUNTERS = "users and entries with their counters"


@dataclass(frozen=True, kw_only=True)
class CheckedPart:
    """One thing that was looked at: what it is, how many of it there are, and whether it could be looked at at all."""

    name: str
    count: int
    is_checked: bool = True


@dataclass(frozen=True, kw_only=True)
class DatabaseCheck:
    """What was looked at, and what is wrong: a hundred things at most, none if nothing is."""

    parts: tuple[CheckedPart, ...]
    wrong: tuple[str, ...]

    @property
    def is_sound(self) -> bool:
        """Whether nothing is wrong with what was looked at."""
        return not self.wrong


_Looked = tuple[CheckedPart, list[str]]


async def check_database(db: Database, *, seconds: float = inf) -> DatabaseCheck:
    """Look a database over: all of it is read. What cannot be checked on it is named and said to be unchecked.

    SQLite looks through its file, page by page; PostgreSQL through its indexes, where it has the extension `amcheck`.
    On both it is looked whether each row is there that another refers to, and whether counters are what they count.
    What is not done within `seconds` is ended, and said to be unchecked, too.
    """
    async with db.read() as session:
        is_embedded = session.dialect == "sqlite"
    until = asyncio.get_running_loop().time() + seconds
    first, told = await _looked(db, *((_PAGES, _check_file) if is_embedded else (_INDEXES, _check_indexes)), until)
    parts = [first]
    # Whatever else is asked of a broken file may fail, or be answered wrongly.
    is_broken = bool(told) and is_embedded
    for name, look in ((_REFERENCES, _check_references), (_COUNTERS, _check_counters)):
        part, wrong = (_unchecked(name), []) if is_broken else await _looked(db, name, look, until)
        parts.append(part)
        told += wrong
    return DatabaseCheck(parts=tuple(parts), wrong=tuple(told[:MOST_TOLD]))


async def _looked(db: Database, name: str, look: Callable[[Session], Awaitable[_Looked]], until: float) -> _Looked:
    """Look at one thing for as long as there is time."""
    if asyncio.get_running_loop().time() < until:
        with suppress(TimeoutError):
            async with asyncio.timeout_at(None if until == inf else until), db.read() as session:
                return await look(session)
    return _unchecked(f"{name}: there was no time left; `ringside database check` takes as long as it needs"), []


def _unchecked(name: str) -> CheckedPart:
    return CheckedPart(name=name, count=0, is_checked=False)


async def _check_counters(session: Session) -> _Looked:
    drift = await find_drift(session)
    told = [f"{one.counter} of {one.table} {one.id} is {one.counted}, and there are {one.actual}." for one in drift]
    return CheckedPart(name=_COUNTERS, count=await _counted(session)), told


async def _check_file(session: Session) -> _Looked:
    broken = await session.tuples(pragma("integrity_check", "integrity_check"))
    (count,) = await session.tuples(pragma("page_count", "page_count"))
    return CheckedPart(name=_PAGES, count=count[0]), [str(row[0]) for row in broken if row[0] != "ok"]


async def _check_indexes(session: Session) -> _Looked:
    """Have PostgreSQL compare each index with its table. It raises at the first that is broken."""
    extension = select(func.count()).select_from(table("pg_extension", column("extname")))
    if not await session.scalar(extension.where(column("extname") == "amcheck")):
        return CheckedPart(
            name=f"{_INDEXES}: `CREATE EXTENSION amcheck` lets them be checked", count=0, is_checked=False
        ), []
    told, count = [], 0
    for (name,) in await session.tuples(_indexes()):
        count += 1
        try:
            await session.tuples(_comparison(name))
        except asyncpg.IndexCorruptedError as error:
            told.append(f"The index {name} is broken ({error}): REINDEX INDEX {name};")
    return CheckedPart(name=_INDEXES, count=count), told


def _comparison(name: str) -> Select[Any]:
    # What it answers is nothing at all, which has no type that a driver reads.
    return select(cast(func.bt_index_check(cast(literal(name), REGCLASS)), String))


def _indexes() -> Select[Any]:
    """Select our indexes that are trees."""
    known = table("pg_class", *map(column, ("oid", "relname", "relam", "relnamespace", "relkind")))
    trees = table("pg_am", column("oid"), column("amname"))
    ours = known.c.relnamespace == func.to_regnamespace(func.current_schema()), known.c.relkind == "i"
    found = select(cast(known.c.relname, String)).join(trees, trees.c.oid == known.c.relam)
    return found.where(*ours, trees.c.amname == "btree").order_by(known.c.relname)


async def _check_references(session: Session) -> _Looked:
    told, count = [], 0
    for one, parent in _references():
        count += 1
        other = parent.table.alias("other")
        is_there = exists().where(other.c[parent.name] == one)
        gone = await session.scalar(select(func.count()).select_from(one.table).where(one.is_not(None), ~is_there))
        if gone:
            told.append(
                f"{gone} rows of {one.table.name} refer by {one.name} to rows of {parent.table.name} that are gone."
            )
    return CheckedPart(name=_REFERENCES, count=count), told


def _references() -> Iterator[tuple[Column[Any], Column[Any]]]:
    for one in metadata.sorted_tables:
        for key in one.foreign_keys:
            yield key.parent, key.column


async def _counted(session: Session) -> int:
    """Return how many rows there are that have counters."""
    known = (metadata.tables[name] for name in ("users", "entries"))
    return sum([int(await session.scalar(select(func.count()).select_from(one))) for one in known])
