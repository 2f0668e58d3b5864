"""Who serves a database says so, and whoever would put another in its place can ask.

A server holds a shared lock for as long as it runs, and the system takes it back when the process ends, however it
ends: on SQLite a lock on a file beside the database, on PostgreSQL an advisory lock of a connection.
"""

import asyncio
import fcntl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple

import asyncpg

from db.errors import Conflict, Unavailable
from db.urls import is_embedded, sqlite_path, without_secret

_Try = Callable[[], Awaitable[bool]]


class _Lock(NamedTuple):
    """A lock of either engine: any number will do that the one for migrations is not."""

    number: int
    suffix: str


_SERVING = _Lock(0x52494E53, ".serving")
# Held by the server that puts a backup back, from before it tells the others until all is over.
_RESTORING = _Lock(0x52494E52, ".restoration")
_BETWEEN_LOOKS_SECONDS = 0.1


@asynccontextmanager
async def serving(url: str) -> AsyncIterator[None]:
    """Say that a database is served. Raises `Conflict` while another is put in its place."""
    told = "A backup is being put into this database. Try again when that is done."
    async with _held(url, _SERVING, is_shared=True, told=told):
        yield


@asynccontextmanager
async def nobody_serving(url: str, *, patience_seconds: float = 0.0) -> AsyncIterator[None]:
    """Keep servers from a database. Raises `Conflict` if one runs that is not gone in time."""
    told = "A server runs on this database. Stop it first, or let it do this itself: `backupRestore` in its graph."
    async with _held(url, _SERVING, is_shared=False, told=told, patience_seconds=patience_seconds):
        yield


@asynccontextmanager
async def restoring(url: str) -> AsyncIterator[None]:
    """Say that a backup is about to be put into a database, to whoever else serves it. Raises `Conflict`."""
    async with _held(url, _RESTORING, is_shared=False, told="A backup is being put into this database already."):
        yield


async def is_restored(url: str) -> bool:
    """Say whether nobody puts a backup into a database, or somebody did and it is over."""
    try:
        async with _held(url, _RESTORING, is_shared=True, told=""):
            return True
    except Conflict:
        return False


@asynccontextmanager
async def _held(
    url: str, lock: _Lock, *, is_shared: bool, told: str, patience_seconds: float = 0.0
) -> AsyncIterator[None]:
    take = _held_file if is_embedded(url) else _held_advisory
    until = asyncio.get_running_loop().time() + patience_seconds
    async with AsyncExitStack() as stack:
        try_ = await stack.enter_async_context(take(url, lock, is_shared=is_shared))
        while not await try_():
            if asyncio.get_running_loop().time() >= until:
                raise Conflict(told)
            await asyncio.sleep(_BETWEEN_LOOKS_SECONDS)
        yield


@asynccontextmanager
async def _held_file(url: str, lock: _Lock, *, is_shared: bool) -> AsyncIterator[_Try]:
    path = sqlite_path(url)
    with await asyncio.to_thread(_opened, path.with_name(path.name + lock.suffix)) as file:

        async def take() -> bool:
            try:
                fcntl.flock(file, (fcntl.LOCK_SH if is_shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
            except OSError:
                return False
            return True

        yield take


@asynccontextmanager
async def _held_advisory(url: str, lock: _Lock, *, is_shared: bool) -> AsyncIterator[_Try]:
    try:
        connection = await asyncpg.connect(url, timeout=5)
    except (OSError, asyncpg.PostgresError, TimeoutError) as error:
        raise Unavailable(f"The database {without_secret(url)} cannot be reached: {error}") from error
    shared = "_shared" if is_shared else ""

    async def take() -> bool:
        return bool(await connection.fetchval(f"SELECT pg_try_advisory_lock{shared}($1)", lock.number))

    try:
        yield take
    finally:
        await connection.close()


def _opened(path: Path) -> BinaryIO:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path.open("ab")
