"""The PostgreSQL server that tests make their databases on."""

import asyncio
import os
from dataclasses import dataclass

import asyncpg

_DEFAULT = "postgresql://postgres@127.0.0.1:5432"


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

    def shape(self, name: str) -> str:
        """A print of all that is not rows: two databases of one shape hold the same tables."""
        return asyncio.run(_shape(self.url(name)))

    def empty(self, name: str, *, shape: str) -> bool:
        """Take all rows out of a database, and say whether it is as good as new. Making one takes ten times longer."""
        return asyncio.run(_empty(self.url(name), shape))

    def _run(self, statement: str) -> None:
        asyncio.run(_execute(self.url("postgres"), statement))


def find_server() -> Server | None:
    """The server RINGSIDE_TEST_POSTGRESQL names, or the one on this machine, if it answers."""
    server = Server(os.environ.get("RINGSIDE_TEST_POSTGRESQL", _DEFAULT).rstrip("/"))
    try:
        asyncio.run(_execute(server.url("postgres"), "SELECT 1"))
    except (OSError, asyncpg.PostgresError, TimeoutError):
        return None
    return server


_SHAPE = """
SELECT string_agg(line, ' ' ORDER BY line) FROM (
    SELECT format('%s.%s:%s:%s', attrelid::regclass, attname, atttypid, attnotnull) AS line FROM pg_attribute
    WHERE attrelid IN (SELECT oid FROM pg_class WHERE relnamespace = 'public'::regnamespace) AND attnum > 0
    UNION ALL SELECT conname FROM pg_constraint WHERE connamespace = 'public'::regnamespace
    UNION ALL SELECT tgname FROM pg_trigger WHERE NOT tgisinternal
    UNION ALL SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace
    UNION ALL SELECT version_num FROM alembic_version
    UNION ALL SELECT array_to_string(setconfig, ',') FROM pg_db_role_setting
    WHERE setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())
) AS shape
"""
_EMPTY = """
SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid();
SET session_replication_role = replica;
DO $$ DECLARE name text; BEGIN
    FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = 'public'
        AND tablename NOT IN ('alembic_version', 'flag_mappings') LOOP
        EXECUTE format('DELETE FROM %I', name);
    END LOOP;
    -- A migration filled this one.
    DELETE FROM flag_mappings WHERE is_custom;
END $$;
"""


async def _shape(url: str) -> str:
    connection = await asyncpg.connect(url, timeout=5)
    try:
        return str(await connection.fetchval(_SHAPE))
    finally:
        await connection.close()


async def _empty(url: str, shape: str) -> bool:
    connection = await asyncpg.connect(url, timeout=5)
    try:
        # Foreign keys are off while the tables are emptied, so that their order does not matter.
        await connection.execute(_EMPTY)
        return str(await connection.fetchval(_SHAPE)) == shape
    except asyncpg.PostgresError:
        return False
    finally:
        await connection.close()


async def _execute(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url, timeout=5)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()
