"""How Alembic reaches the database: one URL, one transaction, one migration at a time.

The URL comes from the caller (`config.attributes["url"]`), or on Alembic's own command line from `-x url=…`. A caller
with a transaction of its own hands in its `connection` instead: what it does beside is then done or undone with it.
"""

import asyncio
from typing import Any

from alembic import context
from sqlalchemy import Connection, create_engine, event, pool, text
from sqlalchemy.ext.asyncio import create_async_engine

from db.tables import OF_ONE_DATABASE, metadata

# Any number will do, as long as everyone who migrates takes the same.
_LOCK = 0x52494E47


def _migrate(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=metadata,
        # SQLite changes a table by copying it.
        render_as_batch=connection.dialect.name == "sqlite",
        compare_type=True,
        include_name=lambda name, _, __: not str(name).startswith(OF_ONE_DATABASE),
    )
    with context.begin_transaction():
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        context.run_migrations()


def _on_sqlite(url: str) -> None:
    engine = create_engine(url, poolclass=pool.NullPool)

    # The driver would begin no transaction before a CREATE TABLE; ours begins before everything, and as the only one.
    @event.listens_for(engine, "connect")
    def _take_over(connection: Any, _: Any) -> None:
        connection.isolation_level = None
        # No WAL yet: SQLite lets nobody wait for that switch. Whoever opens the database afterwards makes it.
        connection.execute("PRAGMA busy_timeout=60000")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    with engine.begin() as connection:
        _migrate(connection)
    engine.dispose()


async def _on_postgresql(url: str) -> None:
    _, _, rest = url.partition("://")
    engine = create_async_engine(f"postgresql+asyncpg://{rest}", poolclass=pool.NullPool)
    async with engine.begin() as connection:
        await connection.run_sync(_migrate)
    await engine.dispose()


_given = context.config.attributes.get("connection")
_url = str(context.config.attributes.get("url") or context.get_x_argument(as_dictionary=True).get("url", ""))
if _given is not None:
    _migrate(_given)
elif _url.startswith("sqlite"):
    _on_sqlite(_url)
else:
    asyncio.run(_on_postgresql(_url))
