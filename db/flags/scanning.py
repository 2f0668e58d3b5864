"""Finding flags: the images in one folder of this machine, read with care and stored one after the other.

Only files that lie in the folder itself are read: nothing below it, and nothing that a link leads to.
"""

import asyncio
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from db.database import Database
from db.errors import Conflict, Invalid, NotFound, Refusal
from db.flags import operations
from db.flags.images import SUFFIXES, Image, checked_image
from db.flags.operations import MOST_FLAGS, MOST_MAPPINGS
from db.flags.recognition import Atlas

LARGEST_FLAG = 512 * 1024
_LONGEST_SHOWN = 200


@dataclass(frozen=True, kw_only=True)
class FlagFolder:
    """Where the server finds flags, how large one may be, in bytes, and how many flags and codes there may be.

    No path: nowhere.
    """

    path: Path | None = None
    largest: int = LARGEST_FLAG
    most: int = MOST_FLAGS
    most_codes: int = MOST_MAPPINGS


@dataclass(frozen=True, kw_only=True)
class Refused:
    """A file that was not stored, and why."""

    file_name: str
    reason: str


@dataclass(kw_only=True)
class Scan:
    """What came of looking through a folder."""

    files: int = 0
    added: int = 0
    changed: int = 0
    unchanged: int = 0
    recognized: int = 0
    unrecognized: list[str] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class _File:
    name: str
    content: bytes
    modified_at: datetime


async def scan_configured(db: Database, folder: FlagFolder, *, now: datetime) -> Scan:
    """Look through the folder that the server was told of. Raises `Conflict` if it was told of none."""
    if folder.path is None:
        raise Conflict("This server was told of no folder: start it with RINGSIDE_FLAGS_DIRECTORY=….")
    return await scan(db, folder.path, largest=folder.largest, most=folder.most, now=now)


async def scan(
    db: Database,
    path: Path,
    *,
    largest: int = LARGEST_FLAG,
    most: int = MOST_FLAGS,
    now: datetime,
    on_file: Callable[[str, int], None] = lambda *_: None,
) -> Scan:
    """Store all flags of a folder, each in a transaction of its own. Raises `NotFound`, `Conflict`.

    `on_file` hears of each file before it is read, with how many there are.
    """
    names = await asyncio.to_thread(_names, path, most)
    async with db.read() as session:
        atlas = await operations.load_atlas(session)
    done = Scan(files=len(names))
    store = partial(_store, db, done, atlas=atlas, most=most, now=now)
    for name in names:
        on_file(name, len(names))
        try:
            file = await asyncio.to_thread(_read, path, name, largest)
            image = checked_image(name, file.content, largest=largest)
        except (Invalid, OSError) as error:
            reason = error.message if isinstance(error, Refusal) else str(error.strerror or error)
            done.refused.append(Refused(file_name=_shown(name), reason=reason))
            continue
        await store(file, image)
    return done


async def _store(
    db: Database, done: Scan, file: _File, image: Image, *, atlas: Atlas, most: int, now: datetime
) -> None:
    recognition = atlas.recognize(file.name)
    try:
        async with db.transaction() as tx:
            stored = await operations.store_flag(
                tx, file.name, image, recognition, most=most, modified_at=file.modified_at, now=now
            )
    except Invalid as refusal:
        done.refused.append(Refused(file_name=_shown(file.name), reason=refusal.message))
        return
    done.added += stored.is_new
    done.changed += stored.is_changed
    done.unchanged += not (stored.is_new or stored.is_changed)
    if stored.flag.ioc_code is None:
        done.unrecognized.append(file.name)
    else:
        done.recognized += 1


def _names(path: Path, most: int) -> list[str]:
    """Return the names of the images in a folder, in order. Raises `NotFound` and `Conflict`."""
    try:
        with os.scandir(path) as entries:
            names = sorted(_images(entries))
    except OSError as error:
        raise NotFound(f"There is no folder {path} that can be read: {error.strerror}.", field="directory") from error
    if len(names) > most:
        raise Conflict(f"The folder {path} holds {len(names)} images; at most {most} are taken (RINGSIDE_MOST_FLAGS).")
    return names


def _images(entries: Iterator["os.DirEntry[str]"]) -> Iterator[str]:
    for entry in entries:
        is_image = Path(entry.name).suffix.lower() in SUFFIXES and not entry.name.startswith(".")
        if is_image and entry.is_file(follow_symlinks=False):
            yield entry.name


def _read(path: Path, name: str, largest: int) -> _File:
    # Opened without following a link, should one have taken its place; and read no further than is taken.
    number = os.open(path / name, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0))
    with os.fdopen(number, "rb") as file:
        modified_at = datetime.fromtimestamp(os.fstat(number).st_mtime, UTC)
        return _File(name=name, content=file.read(largest + 1), modified_at=modified_at)


def _shown(name: str) -> str:
    return name[:_LONGEST_SHOWN].encode(errors="replace").decode()
