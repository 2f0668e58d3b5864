"""Kinds of columns: how a value stands in an archive, and how either engine stores it.

An archive must not depend on the engine it came from, and has to be read when the tables have long changed. It names
a kind for each column, and each kind has one spelling: ids are 32 hexadecimal digits, instants are in UTC to the
microsecond with a `Z`, bytes are base64, decimals are text, and stored JSON is the very text that was stored.
"""

import base64
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Boolean, Column, Date, DateTime, Float, Integer, LargeBinary, Numeric, String, Uuid
from sqlalchemy.types import JSON, TypeDecorator, TypeEngine

Convert = Callable[[Any], Any]


class ColumnKind(StrEnum):
    """What a column holds."""

    TEXT = "text"
    INTEGER = "integer"
    FLOAT = "float"
    BOOLEAN = "boolean"
    ID = "id"
    INSTANT = "instant"
    DATE = "date"
    JSON = "json"
    BYTES = "bytes"
    DECIMAL = "decimal"


# The more special before the more general: a Float is a Numeric to SQLAlchemy.
_KINDS: tuple[tuple[type[TypeEngine[Any]], ColumnKind], ...] = (
    (Uuid, ColumnKind.ID),
    (DateTime, ColumnKind.INSTANT),
    (Date, ColumnKind.DATE),
    (Boolean, ColumnKind.BOOLEAN),
    (BigInteger, ColumnKind.INTEGER),
    (Integer, ColumnKind.INTEGER),
    (Float, ColumnKind.FLOAT),
    (Numeric, ColumnKind.DECIMAL),
    (LargeBinary, ColumnKind.BYTES),
    (JSON, ColumnKind.JSON),
    (String, ColumnKind.TEXT),
)


def kind_of(column: Column[Any]) -> ColumnKind:
    """Return the kind of a column. Raises `TypeError` for a type that has none yet."""
    stored: Any = column.type
    while isinstance(stored, TypeDecorator):
        stored = stored.impl_instance
    for type_, kind in _KINDS:
        if isinstance(stored, type_):
            return kind
    raise TypeError(f"Nothing is said of how {column} stands in an archive: {stored!r}.")


def _instant_out(value: datetime) -> str:
    return value.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def _bytes_out(value: bytes) -> str:
    return base64.b64encode(value).decode()


def _bytes_in(value: str) -> bytes:
    return base64.b64decode(value, validate=True)


# What changes on the way: from what the driver answers to what the archive holds, and back to what it takes.
OUT: Mapping[str, Mapping[ColumnKind, Convert]] = {
    "sqlite": {
        ColumnKind.BOOLEAN: bool,
        ColumnKind.INSTANT: lambda value: f"{value[:10]}T{value[11:]}Z",
        ColumnKind.BYTES: _bytes_out,
        ColumnKind.DECIMAL: str,
    },
    "postgresql": {
        ColumnKind.ID: lambda value: value.hex,
        ColumnKind.INSTANT: _instant_out,
        ColumnKind.DATE: date.isoformat,
        ColumnKind.BYTES: _bytes_out,
        ColumnKind.DECIMAL: str,
    },
}
INTO: Mapping[str, Mapping[ColumnKind, Convert]] = {
    "sqlite": {
        ColumnKind.BOOLEAN: int,
        ColumnKind.INSTANT: lambda value: f"{value[:10]} {value[11:-1]}",
        ColumnKind.BYTES: _bytes_in,
    },
    "postgresql": {
        ColumnKind.ID: lambda value: UUID(hex=value),
        ColumnKind.INSTANT: datetime.fromisoformat,
        ColumnKind.DATE: date.fromisoformat,
        ColumnKind.BYTES: _bytes_in,
        ColumnKind.DECIMAL: Decimal,
    },
}
