"""What a database holds: its engine, its revision, how large it is, and how many rows each table has."""

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import BigInteger, Select, String, cast, column, func, literal, select, table, union_all

from db.database import Database
from db.revisions import Migration, pending_after
from db.session import Session
from db.tables import metadata


@dataclass(frozen=True, kw_only=True)
class TableRows:
    """How many rows a table has: `None` if it is not there, or PostgreSQL, which estimates, never looked at it."""

    name: str
    rows: int | None


@dataclass(frozen=True, kw_only=True)
class DatabaseStatus:
    """What a database holds. `size` is in bytes, `log_size` that of its log of changes; 0 where that is none's own."""

    engine: str
    version: str
    revision: str
    size: int
    log_size: int
    are_estimates: bool
    tables: tuple[TableRows, ...]
    # What this version of Ringside would still do to it.
    pending: tuple[Migration, ...] = ()


async def read_status(db: Database) -> DatabaseStatus:
    """Say what a database holds. Raises `Unavailable`."""
    versions = await db.versions()
    async with db.read() as session:
        is_embedded = session.dialect == "sqlite"
        revision = await session.scalar(select(column("version_num")).select_from(table("alembic_version")))
        size = await session.scalar(_sqlite_size() if is_embedded else _postgresql_size())
        log_size = await _log_size(session) if is_embedded else 0
        rows = await (_counted(session) if is_embedded else _estimated(session))
    return DatabaseStatus(
        engine=versions["engine"],
        version=versions["version"],
        revision=str(revision or ""),
        size=int(size),
        log_size=log_size,
        are_estimates=not is_embedded,
        tables=tuple(TableRows(name=name, rows=rows.get(name)) for name in sorted(metadata.tables)),
        # The first time, files are read.
        pending=await asyncio.to_thread(pending_after, str(revision or "")),
    )


async def _log_size(session: Session) -> int:
    # A connection that has sorted much lists a second one, which is its own and temporary.
    files = {row[0]: row[1] for row in await session.tuples(pragma("database_list", "name", "file"))}
    log = Path(f"{files['main']}-wal")
    return await asyncio.to_thread(lambda: log.stat().st_size if log.exists() else 0)


async def _counted(session: Session) -> dict[str, int]:
    # A database of an older version has not all of them.
    there = {row[0] for row in await session.tuples(select(column("name")).select_from(table("sqlite_master")))}
    counts = [
        select(literal(one.name).label("name"), select(func.count()).select_from(one).scalar_subquery().label("rows"))
        for one in metadata.sorted_tables
        if one.name in there
    ]
    return {row[0]: int(row[1]) for row in await session.tuples(union_all(*counts))}


async def _estimated(session: Session) -> dict[str, int]:
    """Return what PostgreSQL last estimated; -1 is what it says of a table it never looked at."""
    known = table("pg_class", column("relname"), column("reltuples"), column("relkind"), column("relnamespace"))
    of_ours = known.c.relkind == "r", known.c.relnamespace == func.to_regnamespace(func.current_schema())
    found = await session.tuples(
        select(cast(known.c.relname, String), cast(known.c.reltuples, BigInteger)).where(*of_ours)
    )
    return {row[0]: int(row[1]) for row in found if row[1] >= 0}


def _sqlite_size() -> Select[Any]:
    pages = func.pragma_page_count().table_valued("page_count")
    sizes = func.pragma_page_size().table_valued("page_size")
    return select(pages.c.page_count * sizes.c.page_size)


def _postgresql_size() -> Select[Any]:
    return select(func.pg_database_size(func.current_database()))


def pragma(name: str, *columns: str) -> Select[Any]:
    """Select what SQLite says of itself."""
    found = getattr(func, f"pragma_{name}")().table_valued(*columns)
    return select(*(found.c[one] for one in columns))
