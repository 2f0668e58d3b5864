"""The two databases with the data set in them, as the migrations make them: filled once, and found again."""

import asyncio
import sqlite3
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import asyncpg
from sqlalchemy import func, select, text

from api.migrate import migrate_up
from benchmarks.kept import Kept
from benchmarks.social import dataset, peer_functions, shapes_of_threads, spelling
from benchmarks.social.dataset import Sizes
from db.connecting import connect
from db.database import Database
from db.social.recount import find_drift

_ROOT = Path(__file__).parents[2]
_NODES = (
    "shape BIGINT, node BIGINT, parent BIGINT, path TEXT, branch_order BIGINT, depth BIGINT, seconds BIGINT, "
    "is_deleted BIGINT"
)
_TEXTS = "number BIGINT PRIMARY KEY, content TEXT"
# What a trigger would have noted of each entry. There are few texts, so each is taken apart once.
_WORDS_ON_POSTGRESQL = (
    "CREATE TEMP TABLE making_words AS SELECT content, to_tsvector('simple', content) AS words FROM making_texts",
    (
        "INSERT INTO entry_texts (seq, words) SELECT seq, to_tsvector('simple', title) || words FROM entries "
        "JOIN making_words USING (content) WHERE deleted_at IS NULL ORDER BY seq"
    ),
    "INSERT INTO entry_texts (seq, words) SELECT seq, '' FROM entries WHERE deleted_at IS NOT NULL",
)
_WORDS_ON_SQLITE = "INSERT INTO entry_texts (entry_texts) VALUES ('rebuild')"
_CACHE_KIBIBYTES = 2 * 1024 * 1024

_MIGRATING = asyncio.Lock()

Say = Callable[[str], None]


class Miscounted(Exception):
    """A counter does not say what there is, or there is not what was asked for."""


def kept(sizes: Sizes) -> Kept:
    """Number the data set by what makes it: our own statements, and the migrations that lay its tables."""
    made_of = [*_WORDS_ON_POSTGRESQL, _WORDS_ON_SQLITE, repr(_given()), *peer_functions.STATEMENTS]
    made_of += [statement for _, statement in dataset.statements(spelling.SQLite(), sizes)]
    made_of += [path.read_text() for path in sorted((_ROOT / "migrations/versions").glob("*.py"))]
    return Kept(name=f"ringside_benchmark_social_{sizes.entries}", edition=zlib.crc32("\n".join(made_of).encode()) >> 1)


async def fill_postgresql(url: str, sizes: Sizes, say: Say) -> None:
    """Fill a database that is empty."""
    await _migrate(url)
    connection = await asyncpg.connect(url, server_settings={"synchronous_commit": "off"})
    try:
        for setting in ("work_mem = '512MB'", "maintenance_work_mem = '512MB'", "temp_buffers = '512MB'"):
            await connection.execute(f"SET {setting}")
        # Neither triggers nor foreign keys: both are looked after below.
        await connection.execute("SET session_replication_role = replica")
        for name, columns, rows in _given():
            await connection.execute(f"CREATE TEMP TABLE {name} ({columns})")
            await connection.copy_records_to_table(name, records=rows)
        indexes = await connection.fetch(
            "SELECT indexname AS name, indexdef AS statement FROM pg_indexes WHERE schemaname = 'public' AND tablename "
            "IN ('entries', 'entry_texts', 'resonances', 'amplifications', 'follows', 'entry_tags') "
            "AND indexname LIKE 'ix_%'"
        )
        for index in indexes:
            await connection.execute(f"DROP INDEX {index['name']}")
        for what, statement in dataset.statements(spelling.PostgreSQL(), sizes):
            with _timed(say, f"PostgreSQL: {what}"):
                await connection.execute(statement)
                if statement.startswith("CREATE TEMP TABLE"):
                    await connection.execute(f"ANALYZE {statement.split()[3]}")
        for statement in _WORDS_ON_POSTGRESQL:
            with _timed(say, "PostgreSQL: words"):
                await connection.execute(statement)
        for index in indexes:
            with _timed(say, f"PostgreSQL: {index['name']}"):
                await connection.execute(index["statement"])
        for statement in (*peer_functions.STATEMENTS, "DISCARD TEMP", "VACUUM ANALYZE", "CHECKPOINT"):
            with _timed(say, f"PostgreSQL: {statement.partition('(')[0]}"):
                await connection.execute(statement)
    finally:
        await connection.close()
    await _check(url, sizes, say)


async def fill_sqlite(path: Path, sizes: Sizes, say: Say) -> None:
    """Fill a file that does not exist."""
    url = f"sqlite:///{path}"
    await _migrate(url)
    await asyncio.to_thread(_fill_sqlite, path, sizes, say)
    await _check(url, sizes, say)


def _fill_sqlite(path: Path, sizes: Sizes, say: Say) -> None:
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        for pragma in ("journal_mode=OFF", "synchronous=OFF", f"cache_size=-{_CACHE_KIBIBYTES}", "temp_store=MEMORY"):
            connection.execute(f"PRAGMA {pragma}")
        for name, columns, rows in _given():
            connection.execute(f"CREATE TEMP TABLE {name} ({columns})")
            places = ", ".join("?" * len(rows[0]))
            connection.executemany(f"INSERT INTO {name} VALUES ({places})", rows)  # noqa: S608 -- our own names
        laid = connection.execute(
            "SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL AND type IN ('index', 'trigger') "
            "AND tbl_name IN ('entries', 'resonances', 'amplifications', 'shares', 'follows', 'entry_tags')"
        ).fetchall()
        for kind, name, _ in laid:
            connection.execute(f"DROP {kind} {name}")
        for what, statement in dataset.statements(spelling.SQLite(), sizes):
            with _timed(say, f"SQLite: {what}"):
                connection.execute(statement)
        with _timed(say, "SQLite: words"):
            connection.execute(_WORDS_ON_SQLITE)
        for _, name, statement in laid:
            with _timed(say, f"SQLite: {name}"):
                connection.execute(statement)
        with _timed(say, "SQLite: ANALYZE"):
            connection.execute("ANALYZE")
        connection.execute("PRAGMA journal_mode=WAL")
    finally:
        connection.close()


async def _migrate(url: str) -> None:
    # Migrations are run by one thread at a time.
    async with _MIGRATING:
        await asyncio.to_thread(migrate_up, url)


def _given() -> list[tuple[str, str, list[tuple[Any, ...]]]]:
    return [
        ("making_nodes", _NODES, list(shapes_of_threads.nodes())),
        ("making_texts", _TEXTS, list(dataset.texts())),
    ]


async def _check(url: str, sizes: Sizes, say: Say) -> None:
    """Count everything anew, as `ringside social recount` does. Raises `Miscounted`."""
    db = await connect(url)
    try:
        with _timed(say, "counters compared with what they count"):
            await check_counts(db, sizes)
    finally:
        await db.close()


async def check_counts(db: Database, sizes: Sizes) -> None:
    """Compare every counter with what it counts, and what there is with what was asked for. Raises `Miscounted`."""
    async with db.read() as session:
        drift = await find_drift(session)
        if drift:
            raise Miscounted(f"{len(drift):,} counters are wrong, the first of them {drift[0]}.")
        for table, wanted in (("entries", sizes.entries), ("resonances", sizes.resonances), ("follows", sizes.follows)):
            found = await session.scalar(select(func.count()).select_from(text(table)))
            if found != wanted:
                raise Miscounted(f"There are {found:,} {table}; {wanted:,} were asked for.")


@contextmanager
def _timed(say: Say, what: str) -> Iterator[None]:
    began = time.perf_counter()
    yield
    if (took := time.perf_counter() - began) >= 1:
        say(f"{what}: {took:.0f} s")
