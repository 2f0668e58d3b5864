"""A SQLite file: how it is opened, whether it is still where it was, and whether it is whole."""

import os
import sqlite3
from pathlib import Path

from db.errors import Unavailable

# FULL: a commit that was answered survives a power cut, not a crash of the process alone. A log of changes that grew,
# as it does while somebody reads for long, is cut to 64 MiB when it begins anew.
_PRAGMAS: tuple[str, ...] = (
    "journal_mode=WAL",
    "synchronous=FULL",
    "foreign_keys=ON",
    "cache_size=-64000",
    "temp_store=MEMORY",
    "journal_size_limit=67108864",
)


class FileConnection(sqlite3.Connection):
    """A connection that knows where its file was."""

    path: Path
    place: tuple[int, int] | None

    def begin(self) -> None:
        """Begin a transaction. Raises `Unavailable` if the file is not where it was: nobody would find the change."""
        if not _is_in_place(self.path, self.place):
            raise Unavailable("The database file was moved or removed. Nothing was changed.")
        self.execute("BEGIN IMMEDIATE")


def _place_of(path: Path) -> tuple[int, int] | None:
    """Say which file a path leads to, `None` if to none."""
    try:
        found = os.stat(path)  # noqa: PTH116 -- asked before each commit, and three times faster
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _is_in_place(path: Path, place: tuple[int, int] | None) -> bool:
    return _place_of(path) == place


def open_file(path: Path, *, is_reader: bool, patience: float) -> FileConnection:
    """Open a file that exists. `patience` is for how many seconds another's lock is waited for."""
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={'ro' if is_reader else 'rw'}",
        uri=True,
        timeout=patience,
        isolation_level=None,
        cached_statements=512,
        factory=FileConnection,
    )
    connection.path = path
    connection.place = _place_of(path)
    for pragma in _PRAGMAS:
        connection.execute(f"PRAGMA {pragma}")
    return connection


def find_damage(path: Path) -> str | None:
    """Look through a file, and say what is wrong with it; `None` if nothing is, or it is not there.

    It takes as long as reading the file does. What rows hold is not compared with anything: there is nothing to.
    """
    if not path.exists():
        return None
    connection = sqlite3.connect(path)
    try:
        found = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    except UnicodeDecodeError:
        # What SQLite says of it quotes it.
        return "there are names in it that are no text"
    except sqlite3.DatabaseError as error:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF not in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}:
            # Whatever else keeps it from being read is found out, and said, by whoever opens it.
            return None
        return str(error)
    finally:
        connection.close()
    return None if found == "ok" else str(found)
