"""The two dialects that statements are compiled for, and how values pass each driver."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, cast
from uuid import UUID

import orjson
from sqlalchemy import DateTime, Uuid
from sqlalchemy.dialects.postgresql.asyncpg import AsyncpgDateTime
from sqlalchemy.dialects.postgresql.asyncpg import dialect as asyncpg_dialect
from sqlalchemy.dialects.sqlite import DATETIME
from sqlalchemy.dialects.sqlite.pysqlite import dialect as pysqlite_dialect
from sqlalchemy.engine.interfaces import Dialect

from db.ids import id_of

Convert = Callable[[Any], Any]


def dump_json(value: object) -> str:
    """Print a JSON value for storage."""
    return orjson.dumps(value).decode()


class _UuidAsHex(Uuid[UUID]):
    """UUIDs pass PostgreSQL's driver as they pass SQLite's: as 32 hexadecimal digits.

    A read of the graph prints ids and matches them, and needs no UUID objects for either.
    """

    def bind_processor(self, dialect: Dialect) -> Convert | None:  # noqa: ARG002 -- SQLAlchemy's signature
        """Return what turns a UUID into what the driver takes."""
        return lambda value: None if value is None else value.hex

    def result_processor(self, dialect: Dialect, coltype: object) -> Convert | None:  # noqa: ARG002 -- as above
        """Return what turns the driver's answer into a UUID."""
        return lambda value: None if value is None else id_of(value)


class _InstantAsText(AsyncpgDateTime):
    """Instants pass PostgreSQL's driver as it prints them: `2026-11-21 09:30:00.5+00`.

    Its driver takes longer to make an object of one than of everything else in a row.
    """

    def bind_processor(self, dialect: Dialect) -> Convert | None:  # noqa: ARG002 -- as above
        """Return what turns an instant into what the driver takes."""
        return lambda value: None if value is None else value.isoformat()

    def result_processor(self, dialect: Dialect, coltype: object) -> Convert | None:  # noqa: ARG002 -- as above
        """Return what turns the driver's answer into an instant."""
        return lambda value: None if value is None else datetime.fromisoformat(value)


class _InstantInFile(DATETIME):
    """Instants stand in SQLite as SQLAlchemy writes them there, `2026-11-21 09:30:00.500000`, printed faster."""

    def bind_processor(self, dialect: Dialect) -> Convert | None:  # noqa: ARG002 -- as above
        """Return what turns an instant of UTC into what stands in the file."""
        return lambda value: None if value is None else instant_in_file(value)


def instant_in_file(value: datetime) -> str:
    """Print an instant of UTC as it stands in a file of SQLite."""
    return value.isoformat(" ", "microseconds")[:_INSTANT_LENGTH]


# Without the offset, which is none.
_INSTANT_LENGTH = len("2026-11-21 09:30:00.500000")

SQLITE: Dialect = pysqlite_dialect(json_serializer=dump_json, json_deserializer=orjson.loads)
SQLITE.colspecs = {**SQLITE.colspecs, DateTime: _InstantInFile}
POSTGRESQL: Dialect = cast("Callable[..., Dialect]", asyncpg_dialect)(
    json_serializer=dump_json, json_deserializer=orjson.loads
)
POSTGRESQL.colspecs = {**POSTGRESQL.colspecs, Uuid: _UuidAsHex, DateTime: _InstantAsText}
