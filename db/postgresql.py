"""PostgreSQL's driver: a pool of asyncpg connections that speak our types."""

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any

import asyncpg
import orjson

from db.errors import Conflict, Unavailable
from db.statements import RawRow

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


class Readers:
    """Connections that only read, one statement at a time, lent without ceremony.

    A pool's own lending takes longer than most of our reads: a timeout, a task and a proxy for each. Here an idle
    connection is taken off a list and put back. There are at most `size`; whoever comes when all are out waits in
    line, and is handed one in his turn: what nobody waits for is idle. A connection that failed, or whose statement
    was cancelled, is closed, and another opened when it is needed.
    """

    def __init__(self, url: str, *, size: int) -> None:
        self._url = url
        self._room = size
        self._idle: list[Connection[Any]] = []
        # Each is handed a connection, or none when there may be room for one.
        self._waiting: deque[asyncio.Future[Connection[Any] | None]] = deque()
        self._is_closed = False
        self._endings: set[asyncio.Task[None]] = set()

    async def fetch(self, sql: str, arguments: Sequence[Any]) -> Sequence[RawRow]:
        """Run a statement. Raises `Unavailable` when no connection is free in time or the server is away.

        A connection that lay idle may have been cut meanwhile, as by a restart of the server: a read is then tried
        once more on a fresh one.
        """
        with refusing():
            if self._idle:
                with contextlib.suppress(*LOST):
                    return await self._fetch(self._idle.pop(), sql, arguments)
                self._drop_idle()
            return await self._fetch(await self._another(), sql, arguments)

    async def close(self) -> None:
        """Let go of the connections."""
        self._is_closed = True
        await asyncio.gather(*self._endings)
        for waiting in self._waiting:
            if not waiting.done():
                waiting.set_result(None)
        while self._idle:
            await self._idle.pop().close(timeout=POOL_TIMEOUT_SECONDS)

    async def _fetch(self, connection: "Connection[Any]", sql: str, arguments: Sequence[Any]) -> Sequence[RawRow]:
        try:
            found: Sequence[RawRow] = await connection.fetch(sql, *arguments)
        except asyncio.CancelledError:
            self._abandon(connection)
            raise
        except BaseException as error:
            # Cut off: what is under way on it is nobody's any more.
            is_well = isinstance(error, asyncpg.PostgresError) and not isinstance(error, LOST)
            self._take_back(connection, is_well=is_well)
            raise
        self._take_back(connection, is_well=True)
        return found

    def _abandon(self, connection: "Connection[Any]") -> None:
        """Have the server end what runs for somebody who has left, and only then hang up: it would not notice that."""

        async def end() -> None:
            # The driver closes when what it asked the server to cancel has ended; what it does not know is cut off.
            with contextlib.suppress(*LOST, TimeoutError, asyncpg.PostgresError):
                await connection.close(timeout=POOL_TIMEOUT_SECONDS)
            self._take_back(connection, is_well=False)

        task = asyncio.create_task(end())
        self._endings.add(task)
        task.add_done_callback(self._endings.discard)

    def _drop_idle(self) -> None:
        """Close what lies idle: it was cut when its neighbour was."""
        while self._idle:
            self._take_back(self._idle.pop(), is_well=False)

    async def _another(self) -> "Connection[Any]":
        """Open a connection if there is room for one more, and wait for one otherwise."""
        try:
            async with asyncio.timeout(POOL_TIMEOUT_SECONDS):
                while not self._idle:
                    if self._is_closed:
                        raise Unavailable("The database is closed. Nothing was changed.")
                    if self._room:
                        return await self._open()
                    handed = await self._turn()
                    if handed is not None:
                        return handed
                return self._idle.pop()
        except TimeoutError as error:
            raise Unavailable("All database connections are busy. Nothing was changed; try again.") from error

    async def _open(self) -> "Connection[Any]":
        self._room -= 1
        connection: Connection[Any] | None = None
        try:
            connection = await asyncpg.connect(self._url, statement_cache_size=1000, server_settings=_SESSION_SETTINGS)
            await _speak_json(connection)
        except BaseException as error:
            if connection is not None:
                connection.terminate()
            self._room += 1
            self._hand(None)
            if isinstance(error, LOST):
                raise unavailable(error) from error
            raise
        return connection

    async def _turn(self) -> "Connection[Any] | None":
        waiting: asyncio.Future[Connection[Any] | None] = asyncio.get_running_loop().create_future()
        self._waiting.append(waiting)
        try:
            return await waiting
        except BaseException:
            # Whoever left with something in his hand gives it to the next.
            if waiting.done() and not waiting.cancelled():
                self._pass_on(waiting.result())
            raise

    def _take_back(self, connection: "Connection[Any]", *, is_well: bool) -> None:
        if is_well and not connection.is_closed() and not self._is_closed:
            self._pass_on(connection)
            return
        connection.terminate()
        self._room += 1
        self._hand(None)

    def _pass_on(self, connection: "Connection[Any] | None") -> None:
        if connection is not None and self._is_closed:
            connection.terminate()
        elif not self._hand(connection) and connection is not None:
            self._idle.append(connection)

    def _hand(self, connection: "Connection[Any] | None") -> bool:
        """Give to the first in line, and say whether there was one."""
        while self._waiting:
            waiting = self._waiting.popleft()
            if not waiting.done():
                waiting.set_result(connection)
                return True
        return False


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
