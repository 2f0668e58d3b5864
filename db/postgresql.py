"""PostgreSQL's driver: asyncpg connections that speak our types, and how they are lent."""

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from contextvars import Context
from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple

import asyncpg
import orjson

from db.errors import Conflict, Unavailable
from db.statements import RawRow

if TYPE_CHECKING:
    from asyncpg import Connection

POOL_TIMEOUT_SECONDS = 5.0
_ALL_BUSY = "All database connections are busy. Nothing was changed; try again."

# The driver's names for a database that went away, is coming back, or has no room for one more connection.
LOST = (
    OSError,
    asyncpg.InterfaceError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.TooManyConnectionsError,
    # Of a connection that has been told that it ends, and has not ended yet.
    asyncpg.InternalClientError,
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
    # Whoever stands still in the middle of a change, because its machine does, holds nobody up for longer.
    "idle_in_transaction_session_timeout": "30s",
    "TimeZone": "UTC",
    # Our statements are short: compiling them to machine code takes longer than running them.
    "jit": "off",
}


class _Change(NamedTuple):
    """A statement that is a whole change, and who waits for it; `until` is when it must have begun."""

    sql: str
    arguments: Sequence[Any]
    committed: Callable[[Sequence[RawRow]], None]
    done: "asyncio.Future[Sequence[RawRow]]"
    until: float

    def fail(self, error: BaseException) -> None:
        """Tell him why it was not made, if he is still there."""
        if not self.done.done():
            self.done.set_exception(error)


class Connections:
    """Connections, lent without ceremony.

    The driver's own pool takes longer to lend than most of our statements take to run: a timeout, a task and a proxy
    for each. Here an idle connection is taken off a list and put back. There are at most `size`; whoever comes when
    all are out waits in line, and is handed one in his turn: what nobody waits for is idle. A connection that failed,
    or whose statement was cancelled, is closed, and another opened when it is needed. Transactions hold at most half,
    because who knows for how long: single statements always go on.
    """

    def __init__(self, url: str, *, size: int) -> None:
        self._url = url
        self._loop = asyncio.get_running_loop()
        self._room = max(2, size)
        self._for_transactions = asyncio.Semaphore(self._room // 2)
        self._idle: list[Connection[Any]] = []
        self._lent: set[Connection[Any]] = set()
        # Changes that are not begun, oldest first, and who makes them: at most one for each connection. Those who have
        # nothing to do rest, and are woken by the next: a task for each change would cost as much as its statement.
        self._changes: deque[_Change] = deque()
        self._changers: set[asyncio.Task[None]] = set()
        self._resting: list[asyncio.Future[None]] = []
        self._most = self._room
        self._giving_up: asyncio.TimerHandle | None = None
        # Each is handed a connection, or none when there may be room for one.
        self._waiting: deque[asyncio.Future[Connection[Any] | None]] = deque()
        self._is_closed = False
        self._endings: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Open a first connection. Raises `Unavailable` with the reason if the server does not let us in."""
        try:
            self._take_back(await self._open(), is_well=True)
        except ValueError as error:
            # The driver's words may hold a part of the password.
            raise Unavailable(
                "PostgreSQL is not asked: its URL cannot be read. In a password / is written %2F, and # is written %23."
            ) from error
        except (Unavailable, *LOST, asyncpg.PostgresError) as error:
            raise Unavailable(f"PostgreSQL does not let us in: {error.__cause__ or error}") from error

    async def fetch(self, sql: str, arguments: Sequence[Any]) -> Sequence[RawRow]:
        """Run a statement. Raises `Unavailable` when no connection is free in time or the server is away.

        A connection that lay idle may have been cut meanwhile, as by a restart of the server: a read is then tried
        once more on a fresh one.
        """
        with refusing():
            if self._idle:
                try:
                    return await self._fetch(self._idle.pop(), sql, arguments)
                except LOST:
                    # What lies idle was cut when its neighbour was.
                    while self._idle:
                        self._take_back(self._idle.pop(), is_well=False)
            return await self._fetch(await self._another(), sql, arguments)

    async def change(
        self, sql: str, arguments: Sequence[Any], committed: Callable[[Sequence[RawRow]], None]
    ) -> Sequence[RawRow]:
        """Run a statement that is a whole change: the server commits it as it answers, and `committed` is called.

        A caller who is cancelled meanwhile leaves it running to its end: it would be stored and nobody told. One that
        was not begun then is not begun any more. Raises as `fetch` does.
        """
        done: asyncio.Future[Sequence[RawRow]] = self._loop.create_future()
        self._changes.append(_Change(sql, arguments, committed, done, self._loop.time() + POOL_TIMEOUT_SECONDS))
        if not self._wake_one():
            if len(self._changers) < self._most:
                # He outlives whoever came first, and is to know nothing of him.
                self._changers.add(self._loop.create_task(self._work_off(), context=Context()))
            elif self._giving_up is None:
                self._giving_up = self._loop.call_at(self._changes[0].until, self._give_up_changes)
        return await done

    def _wake_one(self) -> bool:
        """Wake somebody who rests, and say whether there was one."""
        while self._resting:
            resting = self._resting.pop()
            if not resting.done():
                resting.set_result(None)
                return True
        return False

    async def _work_off(self) -> None:
        """Make changes, and be counted no longer than that: whoever comes next must find somebody."""
        try:
            await self._make_changes()
        finally:
            changer: asyncio.Task[None] | None = asyncio.current_task(self._loop)
            if changer is not None:
                self._changers.discard(changer)

    async def _make_changes(self) -> None:
        """Make one change after the other, and rest while none waits, until all is closed."""
        while self._changes or not self._is_closed:
            if not self._changes:
                resting = self._loop.create_future()
                self._resting.append(resting)
                await resting
                continue
            change = self._changes.popleft()
            try:
                with refusing():
                    found = await self._make(change)
            except BaseException as error:
                change.fail(error)
                if not isinstance(error, Exception):
                    raise
            else:
                if not change.done.done():
                    change.done.set_result(found)

    async def _make(self, change: _Change) -> Sequence[RawRow]:
        connection = await self._another(change.until)
        if change.done.done():
            # Nobody waits for it any more.
            self._take_back(connection, is_well=True)
            return []
        found = await self._fetch(connection, change.sql, change.arguments)
        change.committed(found)
        return found

    def _give_up_changes(self) -> None:
        """Tell those whose changes were not begun in time."""
        self._giving_up = None
        now = self._loop.time()
        while self._changes and (self._changes[0].until <= now or self._changes[0].done.done()):
            self._changes.popleft().fail(Unavailable(_ALL_BUSY))
        if self._changes:
            self._giving_up = self._loop.call_at(self._changes[0].until, self._give_up_changes)

    @asynccontextmanager
    async def lend(self) -> AsyncIterator["Connection[Any]"]:
        """Lend a connection for several statements. Raises `Unavailable` when none is free in time."""
        await self._permit()
        try:
            connection = await self._another()
            self._lent.add(connection)
            try:
                yield connection
            except BaseException as error:
                if isinstance(error, Exception):
                    # Refused, or failed and rolled back.
                    self._take_back(connection, is_well=not connection.is_in_transaction())
                else:
                    # Whoever was cancelled may have left a statement under way.
                    self._abandon(connection)
                raise
            self._take_back(connection, is_well=not connection.is_in_transaction())
        finally:
            self._for_transactions.release()

    async def close(self) -> None:
        """Let go of the connections: of those that are lent when they come back."""
        self._is_closed = True
        while self._hand(None) or self._wake_one():
            pass
        while self._idle:
            await self._idle.pop().close(timeout=POOL_TIMEOUT_SECONDS)
        while self._lent:
            await self._turn()

    def terminate(self) -> None:
        """Cut the connections that are lent."""
        for connection in self._lent:
            connection.terminate()

    async def _fetch(self, connection: "Connection[Any]", sql: str, arguments: Sequence[Any]) -> Sequence[RawRow]:
        self._lent.add(connection)
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

    async def _permit(self) -> None:
        if not self._for_transactions.locked():
            await self._for_transactions.acquire()
            return
        try:
            async with asyncio.timeout(POOL_TIMEOUT_SECONDS):
                await self._for_transactions.acquire()
        except TimeoutError as error:
            raise Unavailable(_ALL_BUSY) from error

    async def _another(self, until: float | None = None) -> "Connection[Any]":
        """Take an idle connection, open one if there is room for one more, or wait for one, no longer than `until`."""
        while True:
            while self._idle:
                connection = self._idle.pop()
                if not connection.is_closed():
                    return connection
                self._take_back(connection, is_well=False)
            if self._is_closed:
                raise Unavailable("The database is closed. Nothing was changed.")
            if self._room:
                return await self._open()
            until = until or self._loop.time() + POOL_TIMEOUT_SECONDS
            handed = await self._turn(until)
            if handed is not None:
                return handed

    async def _open(self) -> "Connection[Any]":
        self._room -= 1
        connection: Connection[Any] | None = None
        try:
            connection = await connect_once(self._url)
            await _speak(connection)
        except BaseException as error:
            if connection is not None:
                connection.terminate()
            self._room += 1
            self._hand(None)
            if isinstance(error, (*LOST, TimeoutError)):
                raise unavailable(error) from error
            raise
        return connection

    async def _turn(self, until: float | None = None) -> "Connection[Any] | None":
        """Wait in line. Raises `Unavailable` if it takes longer than `until`, by the loop's clock."""
        waiting: asyncio.Future[Connection[Any] | None] = self._loop.create_future()
        self._waiting.append(waiting)
        # A timer for each: `asyncio.timeout` costs as much as the statement that is waited for.
        timer = None if until is None else self._loop.call_at(until, _give_up, waiting)
        try:
            return await waiting
        except BaseException:
            # Whoever left with something in his hand gives it to the next.
            if waiting.done() and not waiting.cancelled() and waiting.exception() is None:
                self._pass_on(waiting.result())
            raise
        finally:
            if timer is not None:
                timer.cancel()

    def _take_back(self, connection: "Connection[Any]", *, is_well: bool) -> None:
        self._lent.discard(connection)
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


def _give_up(waiting: "asyncio.Future[Any]") -> None:
    if not waiting.done():
        waiting.set_exception(Unavailable(_ALL_BUSY))


async def connect_once(url: str, *, name: str = "ringside", **settings: str) -> "Connection[Any]":
    """Open a connection of our manners, called `name` in the server's own tables. Raises what the driver does.

    `settings` are the session's where they are not as ours are.
    """
    connection: Connection[Any] = await asyncpg.connect(
        url,
        timeout=POOL_TIMEOUT_SECONDS,
        statement_cache_size=1000,
        server_settings={**_SESSION_SETTINGS, "application_name": name, **settings},
    )
    return connection


@asynccontextmanager
async def transaction(connection: "Connection[Any]", *, committed: Callable[[], None]) -> AsyncIterator[None]:
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


class _Refusing:
    """Says in our words what the driver says of a statement. Around every statement, so it is no generator."""

    def __enter__(self) -> None:
        return

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if error is None:
            return
        if isinstance(error, asyncpg.IntegrityConstraintViolationError):
            raise Conflict("This would contradict what is stored already.") from error
        if isinstance(error, _GIVEN_UP):
            raise Unavailable("The database cannot do this now. Nothing was changed; try again.") from error
        if isinstance(error, LOST):
            raise unavailable(error) from error


_REFUSING = _Refusing()


def refusing() -> _Refusing:
    """Say in our words what the driver says of a statement."""
    return _REFUSING


async def _undisturbed(connection: "Connection[Any]", work: Coroutine[Any, Any, object]) -> None:
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


async def _speak(connection: "Connection[Any]") -> None:
    # An id is printed and looked up as text: no object is made of it on the way.
    await connection.set_type_codec(
        "uuid", encoder=bytes.fromhex, decoder=bytes.hex, schema="pg_catalog", format="binary"
    )
    # So is an instant, with a + and the hours of its offset: none, as the session's zone is UTC.
    await connection.set_type_codec("timestamptz", encoder=str, decoder=str, schema="pg_catalog", format="text")
    for name in ("json", "jsonb"):
        await connection.set_type_codec(name, encoder=str, decoder=orjson.loads, schema="pg_catalog", format="text")
