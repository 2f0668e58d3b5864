"""PostgreSQL's driver: a pool of asyncpg connections that speak our types."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any

import asyncpg
import orjson

from db.errors import Conflict, Unavailable

if TYPE_CHECKING:
    from asyncpg import Connection, Pool
    from asyncpg.pool import PoolConnectionProxy

POOL_TIMEOUT_SECONDS = 5.0

# The driver's names for a database that went away, is coming back, or has no room for one more connection.
LOST = (
    OSError,
    asyncpg.InterfaceError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.TooManyConnectionsError,
)
# And for a statement that it gave up, with the transaction: a deadlock, a full disk, a standby.
_GIVEN_UP = (
    asyncpg.TransactionRollbackError,
    asyncpg.InsufficientResourcesError,
    asyncpg.ReadOnlySQLTransactionError,
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
    except ValueError as error:
        # The driver's words may hold a part of the password.
        raise Unavailable(
            "PostgreSQL is not asked: its URL cannot be read. In a password / is written %2F, and # is written %23."
        ) from error
    except (*LOST, asyncpg.PostgresError) as error:
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
    finally:
        await asyncio.shield(pool.release(connection))


@asynccontextmanager
async def transaction(connection: "PoolConnectionProxy[Any]", *, committed: Callable[[], None]) -> AsyncIterator[None]:
    """Begin, and commit at the end of the block or roll back; `committed` is called at once after the commit.

    The end is not cancelled with the caller, who waits for it: a commit would be stored and nobody told.
    """
    change = connection.transaction()
    with refusing():
        await change.__aenter__()
    try:
        yield
    except BaseException as error:
        with refusing():
            await _undisturbed(connection, change.__aexit__(type(error), error, error.__traceback__))
        raise

    async def commit() -> None:
        await change.__aexit__(None, None, None)
        committed()

    with refusing():
        await _undisturbed(connection, commit())


@contextmanager
def refusing() -> Iterator[None]:
    """Say in our words what the driver says of a statement."""
    try:
        yield
    except asyncpg.IntegrityConstraintViolationError as error:
        raise Conflict("This would contradict what is stored already.") from error
    except _GIVEN_UP as error:
        raise Unavailable("The database cannot do this now. Nothing was changed; try again.") from error
    except LOST as error:
        raise unavailable(error) from error


async def _undisturbed(connection: "PoolConnectionProxy[Any]", work: Coroutine[Any, Any, object]) -> None:
    """Finish work even if the caller is cancelled, and only then let him go; hang up if it does not finish."""
    task = asyncio.create_task(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task}, timeout=POOL_TIMEOUT_SECONDS)
        if not task.done():
            connection.terminate()
        elif not task.cancelled():
            # Nobody is left to be told how it ended.
            task.exception()
        raise


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
