"""Reading news that somebody else wrote: numbers and texts out of JSON, refused by name where they cannot be right."""

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import orjson

from db.streams.incoming import Rejected
from db.streams.rules import LARGEST_COUNT
from db.streams.vocabulary import StreamEventFault

LONGEST_TEXT = 200
LONGEST_FRAME = 262_144
_LONGEST_NUMBER = 20
# The platform's times are milliseconds of these years.
_FIRST_MS, _LAST_MS = 946_684_800_000, 4_102_444_800_000


class Unfit(Exception):
    """News cannot be read, and why. Raised and caught inside one `decode`."""

    def __init__(self, fault: StreamEventFault, detail: str) -> None:
        super().__init__(detail)
        self.rejected = Rejected(fault, detail[:LONGEST_TEXT])


def json_object(frame: str | bytes) -> dict[str, Any]:
    """Read a frame that holds a JSON object. Raises `Unfit`."""
    data = frame.encode("utf-8", "surrogatepass") if isinstance(frame, str) else frame
    if len(data) > LONGEST_FRAME:
        raise Unfit(StreamEventFault.TOO_LONG, f"{len(data)} bytes")
    try:
        data.decode()
    except UnicodeDecodeError as error:
        raise Unfit(StreamEventFault.BAD_UTF8, f"at byte {error.start}") from error
    try:
        read = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise Unfit(StreamEventFault.BAD_JSON, str(error)) from error
    if not isinstance(read, dict):
        raise Unfit(StreamEventFault.BAD_SHAPE, "not an object")
    return read


def text_of(data: Mapping[str, Any], name: str) -> str:
    """Return a short text, or a number as text; "" if there is none. What a database cannot keep is left out."""
    value = data.get(name)
    if isinstance(value, bool) or not isinstance(value, str | int):
        return ""
    return str(value).replace("\x00", "")[:LONGEST_TEXT].encode("utf-8", "ignore").decode()


def number_of(data: Mapping[str, Any], name: str, *, largest: int = LARGEST_COUNT) -> int | None:
    """Return a whole number, written as one or as text; `None` if there is none. Raises `Unfit`."""
    value = data.get(name)
    if value is None:
        return None
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) <= _LONGEST_NUMBER:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise Unfit(StreamEventFault.BAD_NUMBER, f"{name} is {value!r}")
    if not 0 <= value <= largest:
        raise Unfit(StreamEventFault.OUT_OF_RANGE, f"{name} is {value}")
    return value


def needed_number(data: Mapping[str, Any], name: str) -> int:
    """Return a whole number that must be there. Raises `Unfit`."""
    value = number_of(data, name)
    if value is None:
        raise Unfit(StreamEventFault.MISSING_FIELD, name)
    return value


def agreed(what: str, *values: Any) -> Any:
    """Return what those who say something say, `None` if nobody does. Raises `Unfit` if they differ."""
    said = [value for value in values if value not in (None, "")]
    if any(value != said[0] for value in said):
        raise Unfit(StreamEventFault.CONFLICTING, f"{what}: {', '.join(map(repr, said))}")
    return said[0] if said else None


def instant_of(data: Mapping[str, Any], name: str) -> datetime | None:
    """Return a time in milliseconds, `None` if there is none or it is none of these years."""
    text = text_of(data, name)
    if not (text.isascii() and text.isdecimal() and len(text) <= _LONGEST_NUMBER):
        return None
    milliseconds = int(text)
    if not _FIRST_MS <= milliseconds <= _LAST_MS:
        return None
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def fingerprint(name: str, data: Mapping[str, Any]) -> str:
    """Return an id for news that has none, the same at each telling. Its time is part of it: a repeat is another."""
    printed = orjson.dumps(data, option=orjson.OPT_SORT_KEYS)
    return "sha256:" + hashlib.sha256(name.encode() + b"\0" + printed).hexdigest()
