"""The file of a backup: a zip of one part per table, in JSON lines, with a manifest that says what must be in it.

    manifest.json        format, revision of the schema, when and by what it was made, and for each table its columns
                         with their kinds, how many rows, and the SHA-256 of its part
    tables/<name>.jsonl  one row a line, as a list in the order of the columns

The last 64 bytes are the SHA-256 of everything before them, so that no bit of the file can change unnoticed; to
programs that read zip files they are its comment. What such a file says is believed only after `verify`.
"""

import hashlib
import hmac
import json
import os
import re
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO, Self

import orjson

from db.archive_columns import ColumnKind
from db.errors import Invalid

FORMAT = 1
SUFFIX = ".ringside.zip"

_MANIFEST = "manifest.json"
_LARGEST_MANIFEST = 4 * 1024 * 1024
_LARGEST_LINE = 64 * 1024 * 1024
_DIGEST_LENGTH = 64
_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}", re.ASCII)
_REVISION = re.compile(r"[0-9a-z_]{1,32}", re.ASCII)
_READ_BYTES = 1024 * 1024
_ROWS_AT_ONCE = 1000

Row = list[Any]
Told = Callable[[int], None]


@dataclass(frozen=True, kw_only=True)
class ArchivedTable:
    """What a manifest says of a table. `withheld` counts values that were left out because they are secrets."""

    name: str
    columns: tuple[tuple[str, ColumnKind], ...]
    rows: int
    size: int
    sha256: str
    withheld: int = 0

    @property
    def part(self) -> str:
        """The name of its part in the file."""
        return f"tables/{self.name}.jsonl"


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What an archive says of itself. `engine` and `version` are those it was made by."""

    revision: str
    made_at: datetime
    engine: str
    version: str
    tables: tuple[ArchivedTable, ...]

    @property
    def rows(self) -> int:
        """How many rows there are in all."""
        return sum(table.rows for table in self.tables)

    @property
    def withheld(self) -> int:
        """How many secrets were left out."""
        return sum(table.withheld for table in self.tables)


class BadArchive(Invalid):
    """A file that is no whole and unchanged backup."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"This is not a whole backup: {reason} Nothing was changed.", field="file")


@dataclass
class _Part:
    """A part that is being written."""

    name: str
    columns: tuple[tuple[str, ColumnKind], ...]
    into: Any
    rows: int = 0
    size: int = 0
    withheld: int = 0
    digest: Any = field(default_factory=hashlib.sha256)


class Writer:
    """Writes an archive: `begin` and `write` for each table, then `finish`. Nothing has the final name before that."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._unfinished = path.with_name(f".{path.name}.unfinished")
        self._zip = zipfile.ZipFile(self._unfinished, "w", zipfile.ZIP_DEFLATED, compresslevel=6)
        self._part: _Part | None = None
        self._tables: list[ArchivedTable] = []

    def begin(self, name: str, columns: Sequence[tuple[str, ColumnKind]]) -> None:
        """Begin the part of a table."""
        self._end()
        into = self._zip.open(f"tables/{name}.jsonl", "w", force_zip64=True)
        self._part = _Part(name=name, columns=tuple(columns), into=into)

    def write(self, rows: Iterable[Row], *, withheld: int = 0) -> None:
        """Write rows of the table that was begun."""
        part = self._part
        if part is None:
            raise RuntimeError("No table was begun.")
        lines = [orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE) for row in rows]
        text = b"".join(lines)
        part.into.write(text)
        part.digest.update(text)
        part.rows += len(lines)
        part.size += len(text)
        part.withheld += withheld

    def finish(self, *, revision: str, made_at: datetime, engine: str, version: str) -> Manifest:
        """Write the manifest and the seal, and give the file its name."""
        self._end()
        manifest = Manifest(
            revision=revision, made_at=made_at, engine=engine, version=version, tables=tuple(self._tables)
        )
        self._zip.writestr(_MANIFEST, _manifest_text(manifest))
        self._zip.comment = bytes(_DIGEST_LENGTH)
        self._zip.close()
        with self._unfinished.open("r+b") as file:
            length = file.seek(0, os.SEEK_END) - _DIGEST_LENGTH
            digest = _digest_of(file, length)
            file.seek(length)
            file.write(digest)
            file.flush()
            os.fsync(file.fileno())
        self._unfinished.replace(self._path)
        return manifest

    def abandon(self) -> None:
        """Leave nothing behind. Does nothing after `finish`."""
        if self._part is not None:
            self._part.into.close()
            self._part = None
        self._zip.close()
        self._unfinished.unlink(missing_ok=True)

    def _end(self) -> None:
        part, self._part = self._part, None
        if part is None:
            return
        part.into.close()
        self._tables.append(
            ArchivedTable(
                name=part.name,
                columns=part.columns,
                rows=part.rows,
                size=part.size,
                sha256=part.digest.hexdigest(),
                withheld=part.withheld,
            )
        )


class Reader:
    """Reads an archive that was verified. Use it as a context."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> Self:
        """Open the file. Raises `BadArchive`."""
        self._zip = _opened(self._path)
        try:
            self.manifest = _manifest_in(self._zip)
        except BaseException:
            self._zip.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self._zip.close()

    def rows(self, table: ArchivedTable) -> Iterator[list[Row]]:
        """Give the rows of a table, some at a time. Raises `BadArchive` as soon as one is not what was promised."""
        width, rows, size, digest = len(table.columns), 0, 0, hashlib.sha256()
        chunk: list[Row] = []
        try:
            with self._zip.open(table.part) as part:
                for line in iter(lambda: part.readline(_LARGEST_LINE), b""):
                    size += len(line)
                    if size > table.size:
                        raise BadArchive(f"The part of {table.name} is longer than its manifest says.")
                    digest.update(line)
                    chunk.append(_row(line, width, table.name))
                    rows += 1
                    if len(chunk) == _ROWS_AT_ONCE:
                        yield chunk
                        chunk = []
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError) as error:
            raise BadArchive(f"The part of {table.name} cannot be read: {error}.") from error
        if (rows, size, digest.hexdigest()) != (table.rows, table.size, table.sha256):
            raise BadArchive(f"The part of {table.name} is not the one that was written.")
        if chunk:
            yield chunk


def verify(path: Path, told: Told = lambda _rows: None) -> Manifest:
    """Read an archive from end to end and return its manifest; `told` hears how many rows were read.

    Raises `BadArchive` with the reason: cut short, a bit changed, parts missing or too many, names that lead elsewhere.
    """
    _check_seal(path)
    with Reader(path) as reader:
        for table in reader.manifest.tables:
            for rows in reader.rows(table):
                told(len(rows))
        return reader.manifest


def look(path: Path) -> Manifest:
    """Return what an archive says of itself, unverified, as lists show it. Raises `BadArchive`."""
    with Reader(path) as reader:
        return reader.manifest


def _check_seal(path: Path) -> None:
    try:
        with path.open("rb") as file:
            length = file.seek(0, os.SEEK_END) - _DIGEST_LENGTH
            if length <= 0:
                raise BadArchive("It is too short.")
            digest = _digest_of(file, length)
            file.seek(length)
            if not hmac.compare_digest(file.read(), digest):
                raise BadArchive("It was cut short or changed after it was made.")
    except OSError as error:
        raise BadArchive(f"It cannot be read: {error}.") from error


def _digest_of(file: BinaryIO, length: int) -> bytes:
    file.seek(0)
    digest = hashlib.sha256()
    while length > 0:
        read = file.read(min(_READ_BYTES, length))
        if not read:
            break
        digest.update(read)
        length -= len(read)
    return digest.hexdigest().encode()


def _opened(path: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise BadArchive(f"It cannot be read: {error}.") from error


def _manifest_in(archive: zipfile.ZipFile) -> Manifest:
    """Read the manifest, and see that the file holds what it names, that alone, and each once."""
    names = sorted(archive.namelist())
    try:
        if archive.getinfo(_MANIFEST).file_size > _LARGEST_MANIFEST:
            raise BadArchive("Its manifest is too long.")
        manifest = _manifest_of(archive.read(_MANIFEST))
    except (KeyError, zipfile.BadZipFile, zlib.error, EOFError, RuntimeError) as error:
        raise BadArchive("It has no manifest that can be read.") from error
    expected = sorted([_MANIFEST, *(table.part for table in manifest.tables)])
    if names != expected:
        strange = next((name for name in names if name not in expected), None)
        raise BadArchive("Parts are missing or twice there." if strange is None else f"It holds {strange[:80]!r}.")
    return manifest


def _manifest_text(manifest: Manifest) -> str:
    return json.dumps(
        {
            "format": FORMAT,
            "revision": manifest.revision,
            "madeAt": manifest.made_at.isoformat(),
            "engine": manifest.engine,
            "version": manifest.version,
            "tables": [
                {
                    "name": table.name,
                    "columns": [{"name": name, "kind": kind.value} for name, kind in table.columns],
                    "rows": table.rows,
                    "size": table.size,
                    "sha256": table.sha256,
                    "withheld": table.withheld,
                }
                for table in manifest.tables
            ],
        },
        indent=1,
    )


def _manifest_of(text: bytes) -> Manifest:
    try:
        said = orjson.loads(text)
        if said["format"] != FORMAT:
            raise BadArchive(f"It is of format {said['format']!r}; this version reads format {FORMAT}.")
        return Manifest(
            revision=_matching(_REVISION, said["revision"]),
            made_at=_instant(said["madeAt"]),
            engine=str(said["engine"]),
            version=str(said["version"]),
            tables=tuple(_table_of(table) for table in said["tables"]),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise BadArchive(f"Its manifest cannot be read: {error}.") from error


def _table_of(said: Any) -> ArchivedTable:
    return ArchivedTable(
        name=_matching(_NAME, said["name"]),
        columns=tuple((_matching(_NAME, one["name"]), ColumnKind(one["kind"])) for one in said["columns"]),
        rows=int(said["rows"]),
        size=int(said["size"]),
        sha256=str(said["sha256"]),
        withheld=int(said["withheld"]),
    )


def _instant(text: str) -> datetime:
    read = datetime.fromisoformat(text)
    if read.tzinfo is None:
        raise ValueError("an instant without a zone")
    return read


def _matching(form: re.Pattern[str], text: Any) -> str:
    """Return a name that is one: it becomes part of statements and of names in a file."""
    if not isinstance(text, str) or form.fullmatch(text) is None:
        raise ValueError(f"{str(text)[:80]!r} is no name")
    return text


def _row(line: bytes, width: int, table: str) -> Row:
    try:
        row = orjson.loads(line)
    except ValueError as error:
        raise BadArchive(f"A row of {table} is not JSON.") from error
    if not isinstance(row, list) or len(row) != width:
        raise BadArchive(f"A row of {table} has not the columns that its manifest names.")
    return row
