"""Where backups are kept: a folder, or a URL that fsspec reads (`s3://…` and others, by packages of one's own).

An archive has its name when it is whole.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import fsspec

from db.archive import SUFFIX
from db.errors import Invalid, NotFound, Unavailable
from db.session import Session
from db.settings.operations import read_values
from db.urls import without_secret

# How files are called that hold what was let go.
RETIRED_SUFFIX = ".retired.zip"

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,120}", re.ASCII)


class Target:
    """The folder that backups are kept in."""

    def __init__(self, address: str, credentials: Mapping[str, Any] | None = None) -> None:
        try:
            self._files, self._folder = fsspec.core.url_to_fs(address, **(credentials or {}))
        except (ImportError, ValueError) as error:
            raise Invalid(f"Backups cannot be kept at {without_secret(address)}: {error}", field="target") from error
        except TypeError:
            # What it says names what it was given.
            raise Invalid(
                f"{without_secret(address)} takes no such credentials: reset or change backups.credentials.",
                field="target",
            ) from None
        self._folder = self._folder.rstrip("/")

    def names(self) -> list[str]:
        """Return the names of the archives there, newest first: names begin with when they were made."""
        with _reaching():
            found = self._files.ls(self._folder, detail=False) if self._files.exists(self._folder) else []
        names = (str(path).rpartition("/")[2] for path in found)
        return sorted((name for name in names if name.endswith(SUFFIX) and _NAME.fullmatch(name)), reverse=True)

    def size(self, name: str) -> int:
        """Return how many bytes an archive has."""
        with _reaching():
            return int(self._files.size(self._path(name)))

    def put(self, path: Path, name: str) -> None:
        """Move an archive to its place; it has its name when it is whole."""
        with _reaching():
            self._files.makedirs(self._folder, exist_ok=True)
            unfinished = f"{self._folder}/.{name}.unfinished"
            self._files.put_file(str(path), unfinished)
            self._files.mv(unfinished, self._path(name))

    def get(self, name: str, path: Path) -> None:
        """Fetch an archive. Raises `NotFound`."""
        with _reaching():
            if not self._files.exists(self._path(name)):
                raise NotFound(
                    f"There is no backup {name}. `ringside backup list` shows those there are.", field="name"
                )
            self._files.get_file(self._path(name), str(path))

    def remove(self, name: str) -> None:
        """Delete an archive."""
        with _reaching():
            if not self._files.exists(self._path(name)):
                raise NotFound(f"There is no backup {name}.", field="name")
            self._files.rm_file(self._path(name))

    def _path(self, name: str) -> str:
        if not _is_ours(name):
            checked_name(name)
        return f"{self._folder}/{name}"


def _is_ours(name: str) -> bool:
    return _NAME.fullmatch(name) is not None and name.endswith((SUFFIX, RETIRED_SUFFIX))


def checked_name(name: str) -> str:
    """Return what is the name of an archive. Raises `Invalid` for what is none, or leads elsewhere."""
    if _NAME.fullmatch(name) is None or not name.endswith(SUFFIX):
        raise Invalid(f"{name[:80]!r} is not the name of a backup: they end with {SUFFIX}.", field="name")
    return name


async def target_of(session: Session) -> Target:
    """Return the target that the settings name. Raises `Invalid`, and `Conflict` for credentials that do not open."""
    values = await read_values(session)
    return Target(values["backups.target"], values["backups.credentials"])


@contextmanager
def _reaching() -> Iterator[None]:
    """Turn what a target raises into a refusal."""
    try:
        yield
    except OSError as error:
        raise Unavailable(f"The backups cannot be reached: {error}") from error
