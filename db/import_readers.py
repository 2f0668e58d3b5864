"""How what is said becomes what is stored: a row of JSON its headers, and a cell or a value what a column holds.

Each reader of a value takes either, and raises `Invalid`.
"""

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any
from uuid import UUID

import orjson

from db.errors import Invalid

_IDENTITY = re.compile(r"([a-z]+)_([0-9a-f]{32})", re.ASCII)
_LARGEST_INTEGER = (1 << 31) - 1


def flat(said: Mapping[str, Any], known: Collection[str], above: str = "") -> Iterator[tuple[str, Any]]:
    """Give what is said by the headers of a table: `{"mat": {"id": …}}` is `mat.id`."""
    for name, value in said.items():
        header = f"{above}{name}"
        if isinstance(value, dict) and header not in known:
            yield from flat(value, known, f"{header}.")
        elif value is None and header not in known:
            # Nothing where there could be a thing: all of it is nothing.
            yield from ((one, None) for one in known if one.startswith(f"{header}."))
        else:
            yield header, value


def check_headers(headers: Collection[str], known: Collection[str], where: str) -> None:
    """See that each is known and stands there once. Raises `Invalid` for the field `file`, saying `where` it is."""
    strange = next((one for one in headers if one not in known), None)
    if strange is not None:
        raise Invalid(f"{where}: there is no column {strange[:60]!r}, but {', '.join(known)}.", field="file")
    if len(set(headers)) < len(headers):
        raise Invalid(f"{where}: a column is there twice.", field="file")


def text(value: Any) -> str:
    """Read a text; nothing is an empty one."""
    if value is None:
        return ""
    if not isinstance(value, str):
        raise Invalid("This is a text.")
    return value


def optional(read: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Read what may be nothing: null, or an empty cell."""
    return lambda value: None if value is None or value == "" else read(value)


def boolean(value: Any) -> bool:
    """Read true or false."""
    found = {"true": True, "false": False, True: True, False: False}.get(
        value.lower() if isinstance(value, str) else value
    )
    if found is None:
        raise Invalid("This is true or false.")
    return found


def integer(value: Any) -> int:
    """Read a whole number."""
    if isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,10}", value, re.ASCII):
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or abs(value) > _LARGEST_INTEGER:
        raise Invalid(f"This is a whole number between -{_LARGEST_INTEGER} and {_LARGEST_INTEGER}.")
    return value


def number(value: Any) -> float:
    """Read a number."""
    try:
        return float(value)
    except (TypeError, ValueError):
        raise Invalid("This is a number, as 0.5 is.") from None


def amount(value: Any) -> Decimal:
    """Read an exact number."""
    if not isinstance(value, str) or re.fullmatch(r"-?[0-9]{1,18}(\.[0-9]{1,18})?", value, re.ASCII) is None:
        raise Invalid("This is an exact number in digits, as 12.50 is; in JSON a string.")
    return Decimal(value)


def instant(value: Any) -> datetime:
    """Read an instant with its zone."""
    try:
        found = datetime.fromisoformat(value)
        if found.tzinfo is None:
            raise Invalid("This says no zone: write 2026-11-21T09:30:00Z, or an offset behind it.")
        return found.astimezone(UTC)
    except (TypeError, ValueError, OverflowError):
        raise Invalid("This is an instant, as 2026-11-21T09:30:00Z is.") from None


def day(value: Any) -> date:
    """Read a date."""
    try:
        return date.fromisoformat(value)
    except (TypeError, ValueError):
        raise Invalid("This is a date, as 2026-11-21 is.") from None


def one_of(members: type[StrEnum]) -> Callable[[Any], Any]:
    """Read one of an enum's names."""

    def read(value: Any) -> Any:
        found = members.__members__.get(value) if isinstance(value, str) else None
        if found is None:
            raise Invalid(f"This is one of {', '.join(members.__members__)}.")
        return found

    return read


def id_of(*kinds: str) -> Callable[[Any], UUID]:
    """Read the id of a node of one of these kinds."""

    def read(value: Any) -> UUID:
        found = _IDENTITY.fullmatch(value) if isinstance(value, str) else None
        if found is None or found[1] not in kinds:
            raise Invalid(f"This is the id of a {' or '.join(kinds)}, as exports show it.")
        return UUID(hex=found[2])

    return read


def texts(value: Any) -> list[str]:
    """Read a list of texts; in a cell it is JSON."""
    found = value
    if isinstance(value, str):
        try:
            found = orjson.loads(value) if value.strip() else []
        except orjson.JSONDecodeError:
            found = None
    if value is None:
        return []
    if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
        raise Invalid('This is a list of texts, as ["a", "b"] is.')
    return found
