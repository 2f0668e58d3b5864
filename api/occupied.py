"""Who serves a database says so, and whoever would put another in its place can ask.

A server holds a shared lock for as long as it runs, and the system takes it back when the process ends, however it
ends: on SQLite a lock on a file beside the database, on PostgreSQL an advisory lock of a connection.
"""

import asyncio
import fcntl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple

import asyncpg

from db.errors import Conflict, Unavailable
from db.session import is_embedded, sqlite_path, without_secret


class _Lock(NamedTuple):
    """A lock of either engine: any number will do that the one for migrations is not."""

    number: int
    suffix: str


_SERVING = _Lock(0x52494E53, ".serving")
_KEEPING = _Lock(0x52494E4B, ".keeping")
_SWEEPING = _Lock(0x52494E54, ".sweeping")


@asynccontextmanager
async def serving(url: str) -> AsyncIterator[None]:
    """Say that a database is served. Raises `Conflict` while another is put in its place."""
    async with _locked(url, is_alone=False):
        yield


@asynccontextmanager
async def nobody_serving(url: str) -> AsyncIterator[None]:
    """Keep servers from a database. Raises `Conflict` if one runs."""
    async with _locked(url, is_alone=True):
        yield


@asynccontextmanager
async def keeping(url: str) -> AsyncIterator[None]:
    """Be the only one who does what is asked of a database's backups.

    Raises `Conflict` while somebody else does, and `Unavailable`.
    """
    async with _held(url, _KEEPING, is_shared=False, told="Another server keeps this database."):
        yield


@asynccontextmanager
async def sweeping(url: str) -> AsyncIterator[None]:
    """Be the only one who lets go of what is too old. Raises as `keeping`."""
    async with _held(url, _SWEEPING, is_shared=False, told="Another server sweeps this database."):
        yield


@asynccontextmanager
async def _locked(url: str, *, is_alone: bool) -> AsyncIterator[None]:
    told = (
        "A server runs on this database. Stop it first, or let it do this itself: `backupRestore` in its graph."
        if is_alone
        else "A backup is being put into this database. Try again when that is done."
    )
    async with _held(url, _SERVING, is_shared=not is_alone, told=told):
        yield


@asynccontextmanager
async def _held(url: str, lock: _Lock, *, is_shared: bool, told: str) -> AsyncIterator[None]:
    if is_embedded(url):
        path = sqlite_path(url)
        with await asyncio.to_thread(_opened, path.with_name(path.name + lock.suffix)) as file:
            try:
                fcntl.flock(file, (fcntl.LOCK_SH if is_shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
            except OSError as error:
                raise Conflict(told) from error
            yield
        return
    try:
        connection = await asyncpg.connect(url, timeout=5)
    except (OSError, asyncpg.PostgresError, TimeoutError) as error:
        raise Unavailable(f"The database {without_secret(url)} cannot be reached: {error}") from error
    try:
        shared = "_shared" if is_shared else ""
        if not await connection.fetchval(f"SELECT pg_try_advisory_lock{shared}($1)", lock.number):
            raise Conflict(told)
        yield
    finally:
        await connection.close()


def _opened(path: Path) -> BinaryIO:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path.open("ab")
