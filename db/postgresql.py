"""PostgreSQL's driver: a pool of asyncpg connections that speak our types."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import asyncpg
import orjson

from db.errors import Unavailable

if TYPE_CHECKING:
    from asyncpg import Connection, Pool
    from asyncpg.pool import PoolConnectionProxy

POOL_TIMEOUT_SECONDS = 5.0

# The driver's names for a database that went away, is coming back, or has no room for one more connection.
LOST = (
    OSError,
    asyncpg.InterfaceError,
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.TooManyConnectionsError,
)

_SESSION_SETTINGS = {
    "application_name": "ringside",
    # A commit that was answered is on disk.
    "synchronous_commit": "on",
    "TimeZone": "UTC",
    # Our statements are short: compiling them to machine code takes longer than running them.
    "jit": "off",
}


async def open_pool(url: str, *, size: int) -> "Pool[Any]":
    """Open the connections. Raises `Unavailable` with the reason if the server does not let us in."""
    try:
        pool: Pool[Any] = await asyncpg.create_pool(  # type: ignore[call-overload]  # the stubs know no `init` here
            url,
            min_size=1,
            max_size=size,
            timeout=POOL_TIMEOUT_SECONDS,
            init=_speak_json,
            reset=_leave_as_is,
            statement_cache_size=1000,
            server_settings=_SESSION_SETTINGS,
        )
    except (*LOST, asyncpg.PostgresError, ValueError) as error:
        raise Unavailable(f"PostgreSQL does not let us in: {error}") from error
    return pool


@asynccontextmanager
async def acquire(pool: "Pool[Any]") -> AsyncIterator["PoolConnectionProxy[Any]"]:
    """Borrow a connection. Raises `Unavailable` when none is free in time or the server is away."""
    try:
        connection = await pool.acquire(timeout=POOL_TIMEOUT_SECONDS)
    except TimeoutError as error:
        raise Unavailable("All database connections are busy. Nothing was changed; try again.") from error
    except LOST as error:
        raise unavailable(error) from error
    try:
        yield connection
    except LOST as error:
        raise unavailable(error) from error
    finally:
        await asyncio.shield(pool.release(connection))


def unavailable(error: BaseException) -> Unavailable:
    """Say that the server is away, without the driver's words."""
    refusal = Unavailable("The database does not answer. If this was a change, read before you repeat it.")
    refusal.__cause__ = error
    return refusal


async def _speak_json(connection: "Connection[Any]") -> None:
    for name in ("json", "jsonb"):
        await connection.set_type_codec(name, encoder=str, decoder=orjson.loads, schema="pg_catalog", format="text")


async def _leave_as_is(_: "PoolConnectionProxy[Any]") -> None:
    """Skip the pool's four-statement reset: we never leave a session changed."""
