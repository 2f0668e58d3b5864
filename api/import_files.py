"""Files of lists as they are read: CSV or JSON lines, a part at a time, each row with the line it begins in."""

import asyncio
import csv
from collections.abc import AsyncGenerator, Collection, Iterator, Sequence
from contextlib import aclosing
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import IO, Any

import orjson

from api.export_formats import ExportFormat
from db.errors import Invalid
from db.import_readers import check_headers, flat
from db.importing import ROWS_AT_ONCE, ImportReport, Said

_LONGEST_LINE = 1_048_576


def format_of(path: Path, said: str | None) -> ExportFormat:
    """Return what a file is written as: what was said, or what its name ends with. Raises `Invalid`."""
    name = said or path.suffix.removeprefix(".").lower()
    if name not in set(ExportFormat):
        raise Invalid(f"Say with --format whether {path} is csv or jsonl.", field="file")
    return ExportFormat(name)


async def pages(path: Path, written_as: ExportFormat, known: Collection[str]) -> AsyncGenerator[Sequence[Said], None]:
    """Give the rows of a file, some at a time. `known` are the columns that it may have.

    Raises `Invalid` for a file that is not of its format, naming the line, and `OSError` for one that is not there.
    """
    with path.open(newline="", encoding="utf-8-sig") as file:
        async with aclosing(pages_of(file, written_as, known)) as pages:
            async for page in pages:
                yield page


async def pages_of(
    file: IO[str], written_as: ExportFormat, known: Collection[str], *, size: int = ROWS_AT_ONCE
) -> AsyncGenerator[Sequence[Said], None]:
    """Give the rows of a file that is open, `size` of them at a time. Raises `Invalid` as `pages` does."""
    rows = _table(file, known) if written_as is ExportFormat.CSV else _lines(file, known)
    while page := await _page(rows, size):
        yield page


async def _page(rows: Iterator[Said], size: int) -> list[Said]:
    """Read beside the event loop. Whoever is cancelled meanwhile may close the file as soon as he knows."""
    reading = asyncio.ensure_future(asyncio.to_thread(list, islice(rows, size)))
    try:
        return await asyncio.shield(reading)
    except asyncio.CancelledError:
        await asyncio.wait([reading])
        raise


def told_of(report: ImportReport) -> dict[str, Any]:
    """Return what is told of a report in JSON."""
    counts = {name: getattr(report, name) for name in ("rows", "made", "changed", "unchanged")}
    problems = [asdict(one) for one in report.problems]
    return {**counts, "problemCount": report.problem_count, "problems": problems, "isStored": report.is_stored}


def _table(file: IO[str], known: Collection[str]) -> Iterator[Said]:
    reader = csv.reader(file, strict=True)
    try:
        headers = next(reader, None)
        if headers is None:
            raise Invalid("The file is empty: its first line names its columns.", field="file")
        check_headers(headers, known, "Line 1")
        while True:
            begins = reader.line_num + 1
            cells = next(reader, None)
            if cells is None:
                return
            if not cells:
                continue
            if len(cells) != len(headers):
                told = f"It has {len(cells)} cells, and the first line names {len(headers)} columns."
                raise Invalid(f"Line {begins} cannot be read: {told} Nothing was stored.", field="file")
            yield begins, dict(zip(headers, cells, strict=True))
    except (csv.Error, UnicodeDecodeError) as error:
        raise _unreadable(reader.line_num, error) from error


def _lines(file: IO[str], known: Collection[str]) -> Iterator[Said]:
    line = 0
    try:
        for line, text in enumerate(iter(lambda: file.readline(_LONGEST_LINE), ""), start=1):
            if not text.strip():
                continue
            said = orjson.loads(text)
            if not isinstance(said, dict):
                raise Invalid(f"Line {line} cannot be read: it is no object. Nothing was stored.", field="file")
            row = dict(flat(said, known))
            check_headers(row, known, f"Line {line}")
            yield line, row
    except (orjson.JSONDecodeError, UnicodeDecodeError) as error:
        raise _unreadable(line, error) from error


def _unreadable(line: int, error: Exception) -> Invalid:
    told = "it is not UTF-8" if isinstance(error, UnicodeDecodeError) else str(error)
    return Invalid(f"Line {max(1, line)} cannot be read: {told}. Nothing was stored.", field="file")
