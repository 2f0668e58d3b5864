"""The PostgreSQL server that tests make their databases on."""

import asyncio
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass

import asyncpg

_DEFAULT = "postgresql://postgres@127.0.0.1:5432"
# One that is not there says so at once; one that is busy with the databases of others is waited for.
_PATIENCE_SECONDS = 60
_BETWEEN_TRIES_SECONDS = 0.1
_DROPPED_AT_ONCE = 8
# How the driver tells of a connection that somebody has ended.
_CUT = (OSError, asyncpg.InterfaceError, asyncpg.PostgresConnectionError, asyncpg.OperatorInterventionError)


@dataclass(frozen=True)
class Server:
    """A server whose databases may be made and dropped."""

    base: str

    def url(self, name: str) -> str:
        return f"{self.base}/{name}"

    def create(self, name: str, *, template: str = "template1") -> None:
        self._run(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')

    def drop(self, name: str) -> None:
        self._run(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def drop_all(self, names: Sequence[str]) -> None:
        """Drop databases at once: the server writes everything out for each, or once for those who ask together."""
        with ThreadPoolExecutor(max_workers=_DROPPED_AT_ONCE) as threads:
            list(threads.map(self.drop, names))

    def shape(self, name: str) -> str:
        """A print of all that is not rows: two databases of one shape hold the same tables."""
        return asyncio.run(_shape(self.url(name)))

    def _run(self, statement: str) -> None:
        asyncio.run(_execute(self.url("postgres"), statement))


class Emptying:
    """Takes all rows out of databases, over one connection into each that is kept from test to test.

    What a connection has looked up of its database it knows: a fresh one takes five times as long. It lives on a loop
    of its own, because each test has another.
    """

    def __init__(self, server: Server, shape: str) -> None:
        self._server = server
        self._shape = shape
        self._loop = asyncio.new_event_loop()
        self._kept: dict[str, asyncpg.Connection[asyncpg.Record]] = {}

    def empty(self, name: str) -> bool:
        """Empty a database, and say whether it is as good as new. Making one takes ten times longer."""
        return self._loop.run_until_complete(self._empty(name))

    def close(self) -> None:
        for connection in self._kept.values():
            with suppress(*_CUT):
                self._loop.run_until_complete(connection.close(timeout=_PATIENCE_SECONDS))
        self._loop.close()

    async def _empty(self, name: str) -> bool:
        is_as_new = False
        try:
            try:
                is_as_new = await self._is_empty(await self._connection(name))
            except _CUT:
                # A test may have cut off whoever was connected.
                self._kept.pop(name).terminate()
                is_as_new = await self._is_empty(await self._connection(name))
        except asyncpg.PostgresError:
            return False
        finally:
            # Nobody comes back to one that was bent.
            if not is_as_new and name in self._kept:
                self._kept.pop(name).terminate()
        return is_as_new

    async def _is_empty(self, connection: "asyncpg.Connection[asyncpg.Record]") -> bool:
        await connection.execute(_EMPTY)
        return str(await connection.fetchval(_SHAPE)) == self._shape

    async def _connection(self, name: str) -> "asyncpg.Connection[asyncpg.Record]":
        if name not in self._kept:
            self._kept[name] = await _connect(self._server.url(name), _SETTINGS)
        return self._kept[name]


def find_server() -> Server | None:
    """The server RINGSIDE_TEST_POSTGRESQL names, or the one on this machine, if it answers."""
    server = Server(os.environ.get("RINGSIDE_TEST_POSTGRESQL", _DEFAULT).rstrip("/"))
    try:
        asyncio.run(_execute(server.url("postgres"), "SELECT 1"))
    except (OSError, asyncpg.PostgresError, TimeoutError):
        return None
    return server


# By numbers, not by names: a copy of a database has those of the database, and to look up names is most of the work.
_SHAPE = """
SELECT string_agg(line, ' ' ORDER BY line) FROM (
    SELECT concat_ws(':', attrelid, attname, atttypid, attnotnull) AS line FROM pg_attribute
    WHERE attrelid IN (SELECT oid FROM pg_class WHERE relnamespace = 'public'::regnamespace) AND attnum > 0
    UNION ALL SELECT concat(oid, conname) FROM pg_constraint WHERE connamespace = 'public'::regnamespace
    UNION ALL SELECT concat(oid, tgname) FROM pg_trigger WHERE NOT tgisinternal
    UNION ALL SELECT concat(oid, proname) FROM pg_proc WHERE pronamespace = 'public'::regnamespace
    UNION ALL SELECT version_num FROM alembic_version
    UNION ALL SELECT array_to_string(setconfig, ',') FROM pg_db_role_setting
    WHERE setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())
) AS shape
"""
# Foreign keys are off while the tables are emptied, so that their order does not matter.
_SETTINGS = {"application_name": "tests", "session_replication_role": "replica", "synchronous_commit": "off"}
# A table without a page has no rows, and most have none: they need not be opened.
_EMPTY = """
SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid();
DO $$ DECLARE name text; BEGIN
    FOR name IN SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'
        AND relname NOT IN ('alembic_version', 'flag_mappings') AND pg_relation_size(oid) > 0 LOOP
        EXECUTE format('DELETE FROM %I', name);
    END LOOP;
    -- A migration filled this one.
    DELETE FROM flag_mappings WHERE is_custom;
END $$;
"""


async def _connect(url: str, settings: dict[str, str] | None = None) -> "asyncpg.Connection[asyncpg.Record]":
    """Connect as soon as the server has room: for a moment others may have all of it."""
    loop = asyncio.get_running_loop()
    until = loop.time() + _PATIENCE_SECONDS
    while True:
        try:
            return await asyncpg.connect(url, timeout=_PATIENCE_SECONDS, server_settings=settings)
        except asyncpg.TooManyConnectionsError:
            if loop.time() > until:
                raise
        await asyncio.sleep(_BETWEEN_TRIES_SECONDS)


async def _shape(url: str) -> str:
    connection = await _connect(url)
    try:
        return str(await connection.fetchval(_SHAPE))
    finally:
        await connection.close()


async def _execute(url: str, statement: str) -> None:
    connection = await _connect(url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()
