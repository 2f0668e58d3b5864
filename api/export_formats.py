"""How exported rows are written: CSV for whoever has a spreadsheet, JSON lines for whoever has a program."""

import csv
import io
from collections.abc import Callable, Iterable, Sequence
from enum import StrEnum
from typing import Any

import orjson

from schema.exporting import ExportColumn

Rows = Sequence[dict[str, Any]]


class ExportFormat(StrEnum):
    """What an export is written as."""

    CSV = "csv"
    JSONL = "jsonl"

    @property
    def media_type(self) -> str:
        """What HTTP calls it."""
        return "text/csv; charset=utf-8; header=present" if self is ExportFormat.CSV else "application/jsonl"


class ExportWriter:
    """Writes rows in one format, some at a time.

    In CSV (RFC 4180) a value inside another has a column of its own, as `counts.shares`, lists are JSON, and what is
    null is an empty cell, as an empty text is. `is_for_spreadsheets` marks the text as UTF-8 and puts an apostrophe
    before what a spreadsheet would take for a formula: it is then safe to open, and not the same any more.
    """

    def __init__(
        self, written_as: ExportFormat, columns: Sequence[ExportColumn], *, is_for_spreadsheets: bool = False
    ) -> None:
        self._format = written_as
        self._headers = [one.header for one in columns]
        self._is_for_spreadsheets = is_for_spreadsheets
        self._getters = [_getter(one.path) for one in columns]
        self._cell = _guarded if is_for_spreadsheets else _cell
        self.rows = 0
        self.size = 0

    def begin(self) -> bytes:
        """Return what stands before all rows."""
        if self._format is ExportFormat.JSONL:
            return b""
        mark = b"\xef\xbb\xbf" if self._is_for_spreadsheets else b""
        return self._counted(mark + _lines([self._headers]), 0)

    def write(self, rows: Rows) -> bytes:
        """Return rows as they are written."""
        if self._format is ExportFormat.JSONL:
            return self._counted(
                b"".join([orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE) for row in rows]), len(rows)
            )
        cell, getters = self._cell, self._getters
        return self._counted(_lines([cell(get(row)) for get in getters] for row in rows), len(rows))

    def _counted(self, text: bytes, rows: int) -> bytes:
        self.rows += rows
        self.size += len(text)
        return text


def _lines(rows: Iterable[Sequence[Any]]) -> bytes:
    into = io.StringIO(newline="")
    csv.writer(into).writerows(rows)
    return into.getvalue().encode()


def _getter(path: tuple[str, ...]) -> Callable[[dict[str, Any]], Any]:
    if len(path) == 1:
        (name,) = path
        return lambda row: row.get(name)

    def get(row: Any) -> Any:
        for name in path:
            if row is None:
                return None
            row = row.get(name)
        return row

    return get


def _cell(value: Any) -> Any:
    if value.__class__ is str or value is None or value.__class__ is int:
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return orjson.dumps(value).decode() if isinstance(value, list | dict) else value


def _guarded(value: Any) -> Any:
    """Return a cell that no spreadsheet runs."""
    cell = _cell(value)
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(("=", "+", "-", "@", "\t", "\r")) else cell
