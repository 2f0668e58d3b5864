"""SQLite's driver: a connection on a thread of its own, and one writer that commits in groups.

Statements are run by the standard library's `sqlite3` on a thread per connection. Jobs run in the order they were
handed in, those that wait are taken together, and the event loop is woken once for all of them.
"""

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

from db.bus import Event
from db.errors import Unavailable
from db.sqlite_file import FileConnection, open_file

T = TypeVar("T")

BUSY_TIMEOUT_SECONDS = 5.0
_TAKEN_TOGETHER = 256
_GROUP_LIMIT = 256
_INTERRUPTED_AGAIN_SECONDS = 0.02

_Job = tuple["asyncio.Future[Any]", Callable[[FileConnection], Any]]
_Outcome = tuple["asyncio.Future[Any]", Any, BaseException | None]


class SQLiteConnection:
    """One connection, used by its own thread alone."""

    def __init__(self, path: Path, *, is_reader: bool = False) -> None:
        self._path = path
        self._is_reader = is_reader
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._work, name=f"sqlite {path.name}", daemon=True)
        self._is_closed = False
        # What the thread is doing. It ends under the lock, so that whoever holds it knows that it goes on.
        self._now: asyncio.Future[Any] | None = None
        self._swap = threading.Lock()
        self._connection: FileConnection | None = None
        self.pending = 0

    async def open(self) -> None:
        """Start the thread and open the file. Raises `Unavailable` if it is not there or cannot be opened."""
        self._thread.start()
        await self.run(lambda _: None)

    async def run(self, work: Callable[[FileConnection], T]) -> T:
        """Do work with the connection. If the caller is cancelled, a change is still made in its turn; a read ends."""
        future = self.submit(work)
        try:
            return await future
        except asyncio.CancelledError:
            self._interrupt(future)
            raise

    def _interrupt(self, future: "asyncio.Future[Any]") -> None:
        """End a read that nobody waits for. The thread goes on to no other meanwhile, so that none is hit."""
        with self._swap:
            if not self._is_reader or self._now is not future or self._connection is None:
                return
            self._connection.interrupt()
        # It may not have come to its statement yet.
        self._loop.call_later(_INTERRUPTED_AGAIN_SECONDS, self._interrupt, future)

    def submit(self, work: Callable[[FileConnection], T]) -> "asyncio.Future[T]":
        """Hand work in; it stands behind all that was handed in before."""
        future: asyncio.Future[T] = self._loop.create_future()
        if self._is_closed:
            future.set_exception(Unavailable("The database is closed. Nothing was changed."))
            return future
        self.pending += 1
        self._jobs.put((future, work))
        return future

    async def close(self) -> None:
        """Finish what was handed in, close the file, end the thread."""
        self._is_closed = True
        if not self._thread.is_alive():
            return
        self._jobs.put(None)
        await asyncio.to_thread(self._thread.join)

    def _work(self) -> None:
        connection: FileConnection | None = None
        is_open = True
        while is_open:
            jobs = self._take()
            is_open = jobs[-1] is not None
            outcomes: list[_Outcome] = []
            for job in jobs:
                if job is None:
                    continue
                if self._is_reader and job[0].cancelled():
                    outcomes.append((job[0], None, None))
                    continue
                self._now = job[0]
                try:
                    connection = self._connection = connection or self._connect()
                    outcomes.append((job[0], job[1](connection), None))
                except BaseException as error:  # noqa: BLE001 -- handed to whoever waits for it
                    outcomes.append((job[0], None, error))
                with self._swap:
                    self._now = None
            if outcomes:
                self._loop.call_soon_threadsafe(self._settle, outcomes)
        if connection is not None:
            with self._swap:
                self._connection = None
            connection.close()

    def _take(self) -> list[_Job | None]:
        jobs = [self._jobs.get()]
        while jobs[-1] is not None and len(jobs) < _TAKEN_TOGETHER:
            try:
                jobs.append(self._jobs.get_nowait())
            except Empty:
                break
        return jobs

    def _settle(self, outcomes: list[_Outcome]) -> None:
        for future, result, error in outcomes:
            self.pending -= 1
            if future.cancelled():
                continue
            if error is None:
                future.set_result(result)
            else:
                future.set_exception(error)

    def _connect(self) -> FileConnection:
        return open_file(self._path, is_reader=self._is_reader, patience=BUSY_TIMEOUT_SECONDS)


class _Group:
    """Transactions that are committed together."""

    def __init__(self) -> None:
        self.committed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        # A group whose members were all cancelled is awaited by nobody; its failure is then nobody's news.
        self.committed.add_done_callback(lambda future: future.cancelled() or future.exception())
        # Called in order after the commit.
        self.told: list[Callable[[], None]] = []
        self.size = 0


class _Change:
    """One statement that is committed without a transaction of its own: what it came to, and who waits for it."""

    def __init__(self, work: Callable[[FileConnection], Any], committed: Callable[[Any], None]) -> None:
        self._work = work
        self._committed = committed
        self._result: Any = None
        self._error: BaseException | None = None
        self.done: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    def make(self, connection: FileConnection) -> None:
        """Run it, on the connection's thread. Raises only what ended the transaction for all in it."""
        try:
            self._result = self._work(connection)
        except Exception as error:
            # Handed to whoever waits for it.
            self._error = error
            if not connection.in_transaction:
                raise

    def tell(self) -> None:
        """Say that it is committed, to whoever wants to know it first."""
        if self._error is None:
            try:
                self._committed(self._result)
            except Exception as error:  # noqa: BLE001 -- handed to whoever waits for it
                self._error = error

    def end(self, failure: BaseException | None) -> None:
        """Let go of whoever waits for it."""
        if self.done.cancelled():
            return
        error = failure or self._error
        if error is None:
            self.done.set_result(self._result)
        else:
            self.done.set_exception(error)


class SQLiteWrite:
    """One transaction of a group: a savepoint, opened together with its first statement."""

    def __init__(self, writer: SQLiteConnection, *, begins_group: bool) -> None:
        self._writer = writer
        self._begins_group = begins_group
        self.has_begun = False

    async def run(self, work: Callable[[FileConnection], T]) -> T:
        """Do work inside the transaction."""
        if self.has_begun:
            return await self._writer.run(work)
        self.has_begun = True

        def open_and_work(connection: FileConnection) -> T:
            if self._begins_group:
                connection.begin()
            connection.execute("SAVEPOINT change")
            return work(connection)

        return await self._writer.run(open_and_work)


class GroupCommit:
    """The one writer: transactions take turns, each in a savepoint, and those that wait are committed together.

    Nobody is answered before the commit that holds his change. One fsync then serves all who came while the last
    one ran, which is what makes full durability cheap. Events are handed to `publish` after the commit, in its order.
    """

    def __init__(self, connection: SQLiteConnection, publish: Callable[[list[Event]], None]) -> None:
        self._connection = connection
        self._publish = publish
        self._turn = asyncio.Lock()
        self._waiting = 0
        self._group: _Group | None = None
        self._changes: list[_Change] = []
        self._endings: set[asyncio.Task[Any]] = set()
        # Whether the last group could be stored.
        self.is_well = True

    @asynccontextmanager
    async def transaction(self, events: list[Event]) -> AsyncIterator[SQLiteWrite]:
        """Open a transaction; leaving the block commits it, or rolls it back if the block raised.

        Raises `Unavailable` when the turn does not come within the busy timeout, or the commit fails.
        """
        await self._take_turn()
        write = SQLiteWrite(self._connection, begins_group=self._group is None)
        try:
            yield write
        except BaseException:
            await self._end(write, events, keep=False)
            raise
        group = await self._end(write, events, keep=True)
        await asyncio.shield(group.committed)

    async def change(self, work: Callable[[FileConnection], T], committed: Callable[[T], None]) -> T:
        """Do work that is one statement, and commit it with all others that came meanwhile; then call `committed`.

        A statement is atomic by itself, so it needs no savepoint, and those that wait are run on the thread in one
        go. If the caller is cancelled the change is still made. Raises `Unavailable` as `transaction` does.
        """
        change = _Change(work, committed)
        self._changes.append(change)
        if len(self._changes) == 1:
            _ = self._start(self._take_changes())
        return await change.done  # type: ignore[no-any-return]  # it is what work returned

    async def close(self) -> None:
        """Wait for the commits under way."""
        while self._endings:
            await asyncio.wait(self._endings)

    def _start(self, work: Coroutine[Any, Any, T]) -> "asyncio.Task[T]":
        task = asyncio.create_task(work)
        self._endings.add(task)
        task.add_done_callback(self._endings.discard)
        return task

    async def _take_changes(self) -> None:
        """Wait for the turn of whoever asks for a change alone, and make the changes of all who do by then."""
        try:
            await self._take_turn()
        except Unavailable as error:
            changes, self._changes = self._changes, []
            for change in changes:
                change.end(error)
            return
        changes, self._changes = self._changes, []
        group, is_begun = self._group or _Group(), self._group is not None
        group.size += len(changes)
        group.told.extend(change.tell for change in changes)
        is_last = not self._waiting or group.size >= _GROUP_LIMIT
        self._group = None if is_last else group
        done = self._connection.submit(
            lambda connection: _run_changes(connection, changes, begins=not is_begun, commits=is_last)
        )
        if is_last:
            self._turn.release()
        await self._settle(group, done, is_committed=is_last)
        if not is_last:
            self._turn.release()
            await self._commit_if_abandoned()
        await asyncio.wait({group.committed})
        for change in changes:
            change.end(group.committed.exception())

    async def _take_turn(self) -> None:
        self._waiting += 1
        try:
            async with asyncio.timeout(BUSY_TIMEOUT_SECONDS):
                await self._turn.acquire()
        except TimeoutError as error:
            raise Unavailable("The database is busy. Nothing was changed; try again.") from error
        finally:
            self._waiting -= 1
            await self._commit_if_abandoned()

    async def _commit_if_abandoned(self) -> None:
        """Commit a group that was kept open for somebody who gave up while he was being woken."""
        if self._group is not None and not self._waiting and not self._turn.locked():
            await self._turn.acquire()
            await self._end(SQLiteWrite(self._connection, begins_group=False), [], keep=True)

    async def _end(self, write: SQLiteWrite, events: list[Event], *, keep: bool) -> _Group:
        """End a turn, in a task of its own: the caller may be cancelled, the database must not be left half-way."""
        return await asyncio.shield(self._start(self._end_turn(write, events, keep=keep)))

    async def _end_turn(self, write: SQLiteWrite, events: list[Event], *, keep: bool) -> _Group:
        group = self._group or _Group()
        is_last = not self._waiting or group.size >= _GROUP_LIMIT
        is_empty = self._group is None and not write.has_begun
        self._group = None if is_last or is_empty else group
        if keep:
            group.size += 1
            group.told.append(lambda: self._publish(events))
        ending = _ending(write, keep=keep, commit=is_last and not is_empty)
        done = self._connection.submit(lambda connection: _run_ending(connection, ending))
        if is_last:
            # Whoever comes next stands behind this in the connection's queue.
            self._turn.release()
        await self._settle(group, done, is_committed=is_last or is_empty)
        if not is_last:
            self._turn.release()
            await self._commit_if_abandoned()
        return group

    async def _settle(self, group: _Group, done: "asyncio.Future[None]", *, is_committed: bool) -> None:
        try:
            await done
        except (sqlite3.Error, Unavailable) as error:
            # SQLite ended the transaction by itself, as it does when the disk is full: with it went the whole group.
            self.is_well = False
            if self._group is group:
                self._group = None
            if not group.committed.done():
                group.committed.set_exception(unavailable(error))
            return
        if is_committed and not group.committed.done():
            self.is_well = True
            for tell in group.told:
                tell()
            group.committed.set_result(None)


def unavailable(error: BaseException) -> Unavailable:
    """Say that the database could not do it, without the driver's words."""
    refusal = Unavailable("The database could not store the change. Nothing was changed; try again.")
    refusal.__cause__ = error
    return refusal


def _ending(write: SQLiteWrite, *, keep: bool, commit: bool) -> list[str]:
    ending: list[str] = []
    if write.has_begun:
        ending = ["RELEASE change"] if keep else ["ROLLBACK TO change", "RELEASE change"]
    return [*ending, "COMMIT"] if commit else ending


def _run_changes(connection: FileConnection, changes: Sequence[_Change], *, begins: bool, commits: bool) -> None:
    try:
        if begins:
            connection.begin()
        for change in changes:
            change.make(connection)
        if commits:
            connection.execute("COMMIT")
    except sqlite3.Error:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _run_ending(connection: FileConnection, ending: list[str]) -> None:
    try:
        for statement in ending:
            connection.execute(statement)
    except sqlite3.Error:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
