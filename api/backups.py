"""Backups as a person handles them: made, listed, read through, put back, and thinned out.

A target is a folder: a path, or a URL that fsspec reads (`s3://…` and others, by packages of one's own). An archive is
made and read in a folder for temporary files, and is moved to its target when it is whole.
"""

import asyncio
import os
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import asyncpg
from sqlalchemy import pool
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine

from api.archiving import write_archive, write_archive_beside
from api.migrate import is_known, migrate_up, migrate_within, standing
from api.occupied import nobody_serving
from db.archive import SUFFIX, BadArchive, Manifest, Reader, look, verify
from db.backups.target import Target
from db.errors import Conflict, Invalid, Unavailable
from db.snapshot import Progress, count_rows, load_postgresql, load_sqlite
from db.urls import is_embedded, sqlite_path


@dataclass(frozen=True, kw_only=True)
class Backup:
    """An archive at its target. `manifest` is `None`, and `problem` says why, for a file that cannot be read."""

    name: str
    size: int
    made_at: datetime | None
    manifest: Manifest | None
    problem: str = ""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What putting a backup back does, or would do: `tables` are (name, rows now, rows then)."""

    manifest: Manifest
    tables: tuple[tuple[str, int, int], ...]
    migrates_from: str | None
    is_done: bool


async def create(url: str, target: Target, *, now: datetime, progress: Progress, is_beside: bool = False) -> Backup:
    """Back a database up while it is in use, and return the backup. Raises `Unavailable` and `Conflict`.

    Whoever serves at the same time has it written `is_beside`, by another process.
    """
    standing_ = await asyncio.to_thread(standing, url)
    if not standing_.is_current:
        raise Conflict("The database is not of this version: `ringside migrate up` first.")
    name = f"ringside-{now:%Y%m%d-%H%M%S-%f}{SUFFIX}"
    with tempfile.TemporaryDirectory(prefix="ringside-backup-") as folder:
        path = Path(folder) / name
        write = write_archive_beside if is_beside else write_archive
        await write(url, path, now=now, progress=progress)
        manifest = await asyncio.to_thread(look, path)
        size = path.stat().st_size
        await asyncio.to_thread(target.put, path, name)
    return Backup(name=name, size=size, made_at=now, manifest=manifest)


def found(target: Target) -> list[Backup]:
    """Return the backups of a target, newest first, by what each says of itself."""
    return [_found(target, name) for name in target.names()]


def _found(target: Target, name: str) -> Backup:
    with _fetched(target, name) as path:
        size = path.stat().st_size
        try:
            manifest = look(path)
        except BadArchive as bad:
            return Backup(name=name, size=size, made_at=None, manifest=None, problem=bad.message)
    return Backup(name=name, size=size, made_at=manifest.made_at, manifest=manifest)


def check(target: Target, name: str, told: Callable[[int], None] = lambda _rows: None) -> Backup:
    """Read a backup from end to end. Raises `BadArchive` with what is wrong, and `NotFound`."""
    with _fetched(target, name) as path:
        manifest = verify(path, told)
        return Backup(name=name, size=path.stat().st_size, made_at=manifest.made_at, manifest=manifest)


async def restore(
    url: str,
    target: Target,
    name: str,
    *,
    is_dry_run: bool,
    now: datetime,
    progress: Progress,
    patience_seconds: float = 0.0,
) -> Outcome:
    """Put a backup in the place of a database, or with `is_dry_run` say what that would do.

    All of it or nothing. A backup of an older version is brought up to this one; one of a newer is refused. A SQLite
    file that stood there is kept beside it, under a name with the time. Raises `Conflict` if a server runs on it for
    longer than one is patient.
    """
    with _fetched(target, name) as path:
        manifest = await asyncio.to_thread(verify, path)
        if not is_known(manifest.revision):
            raise Conflict(
                f"The backup is of revision {manifest.revision}, which this version of Ringside does not know: "
                "it was made by a newer one.",
                field="name",
            )
        before = await _counted(url)
        if not is_dry_run:
            async with nobody_serving(url, patience_seconds=patience_seconds):
                await _put_back(url, path, progress, now)
        newest = (await asyncio.to_thread(standing, url)).newest
    then = {table.name: table.rows for table in manifest.tables}
    names = list(dict.fromkeys((*then, *before)))
    return Outcome(
        manifest=manifest,
        tables=tuple((table, before.get(table, 0), then.get(table, 0)) for table in names),
        migrates_from=None if manifest.revision == newest else manifest.revision,
        is_done=not is_dry_run,
    )


async def _counted(url: str) -> dict[str, int]:
    if is_embedded(url) and not await asyncio.to_thread(sqlite_path(url).exists):
        return {}
    return await count_rows(url)


async def _put_back(url: str, path: Path, progress: Progress, now: datetime) -> None:
    with Reader(path) as reader:
        if is_embedded(url):
            await asyncio.to_thread(_put_back_sqlite, sqlite_path(url), reader, progress, now)
        else:
            await _put_back_postgresql(url, reader, progress)


def _put_back_sqlite(path: Path, reader: Reader, progress: Progress, now: datetime) -> None:
    """Make another file beside the one that is there, and change their names."""
    made = path.with_name(f".{path.name}.restoring")
    for left in _files_of(made):
        left.unlink(missing_ok=True)
    try:
        migrate_up(f"sqlite:///{made}", reader.manifest.revision)
        load_sqlite(made, reader, progress)
        migrate_up(f"sqlite:///{made}")
        if path.exists():
            _set_aside(path, path.with_name(f"{path.name}.before-{now:%Y%m%d-%H%M%S-%f}"))
        made.replace(path)
    except sqlite3.Error as error:
        raise Unavailable(f"The backup cannot be put back: {error}. Nothing was changed.") from error
    finally:
        for left in _files_of(made):
            left.unlink(missing_ok=True)


def _set_aside(path: Path, kept: Path) -> None:
    """Keep what stood there, whole in one file: what its log of changes holds is brought into it first."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.execute("PRAGMA journal_mode = DELETE")
    os.link(path, kept)


def _files_of(path: Path) -> list[Path]:
    return [path.with_name(path.name + suffix) for suffix in ("", "-journal", "-wal", "-shm")]


async def _put_back_postgresql(url: str, reader: Reader, progress: Progress) -> None:
    """Empty the database, make the tables of the backup's version, fill them, and bring them up: in one transaction."""
    _, _, rest = url.partition("://")
    engine = create_async_engine(
        f"postgresql+asyncpg://{rest}",
        poolclass=pool.NullPool,
        # Tables change under the statements: none may be remembered.
        connect_args={"statement_cache_size": 0, "prepared_statement_cache_size": 0},
    )
    try:
        async with engine.begin() as connection:
            await connection.run_sync(migrate_within, "base")
            await connection.run_sync(migrate_within, reader.manifest.revision)
            driver: Any = (await connection.get_raw_connection()).driver_connection
            await load_postgresql(driver, reader, progress)
            await connection.run_sync(migrate_within, "head")
    except (DBAPIError, OSError, asyncpg.PostgresError) as error:
        raise Unavailable(f"The backup cannot be put back: {error}. Nothing was changed.") from error
    finally:
        await engine.dispose()


def prune(target: Target, *, keep: int) -> list[str]:
    """Delete all but the newest `keep` backups that can be read, and return the names of those deleted.

    One that cannot be read is neither counted nor deleted: somebody should look at it.
    """
    if keep < 1:
        raise Invalid("At least one backup has to be kept.", field="keep")
    readable = [backup.name for backup in found(target) if backup.manifest is not None]
    gone = readable[keep:]
    for name in gone:
        target.remove(name)
    return gone


@contextmanager
def _fetched(target: Target, name: str) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="ringside-backup-") as folder:
        path = Path(folder) / "archive.zip"
        target.get(name, path)
        yield path
