"""The identity of stored things, and how it is written for who is outside.

Outside an id is opaque: the kind of thing, then the row, as `match_0192f3…`. Clients must not read them. We can: a log
line or a database print it in one piece, with no decoding.
"""

import re
from uuid import UUID, SafeUUID

from uuid_utils.compat import uuid7

from db.errors import Invalid

# One spelling for each id. `UUID` would also read `0x…`, spaces and digits of other scripts.
_FORM = re.compile(r"(?P<kind>[a-z]+)_(?P<digits>[0-9a-f]{32})", re.ASCII)
_LONGEST_SHOWN = 32


def new_id() -> UUID:
    """Return a fresh id. Ids grow with time, so an index of them grows at its end; nothing may rely on their order."""
    return uuid7()


def new_ids(count: int) -> list[UUID]:
    """Return as many fresh ids, each above the one before: one is drawn, and the others follow it."""
    # The highest of its lowest 62 bits, which are random, is cleared, so that no carry leaves them.
    first = new_id().int & ~(1 << 61)
    return [_id_of_number(number) for number in range(first, first + count)]


def id_of(digits: str) -> UUID:
    """Return the id of thirty-two hexadecimal digits, which were looked at: half of `UUID` is looking at its text."""
    return _id_of_number(int(digits, 16))


def _id_of_number(number: int) -> UUID:
    made = _make(UUID)
    _set(made, "int", number)
    _set(made, "is_safe", _UNKNOWN)
    return made


_make, _set, _UNKNOWN = object.__new__, object.__setattr__, SafeUUID.unknown


def encode_id(kind: str, row_id: UUID) -> str:
    """Return the opaque id of a row."""
    return f"{kind}_{row_id.hex}"


def decode_id(text: str, *, kind: str | None = None, field: str = "id") -> UUID:
    """Return the row's id in an opaque id. Raises `Invalid`, naming `field`, if it is not one, or not of `kind`."""
    return id_of(decode_digits(text, kind=kind, field=field))


def decode_digits(text: str, *, kind: str | None = None, field: str = "id") -> str:
    """Return the row's id as its digits, which is how it passes the database's driver. Raises as `decode_id` does."""
    found = _FORM.fullmatch(text)
    if found is None or (kind is not None and found[1] != kind):
        raise _not_an_id(text, kind, field)
    return found[2]


def kind_of(text: str) -> str:
    """Return the kind an opaque id names, which may be one that does not exist."""
    return text.rpartition("_")[0]


def _not_an_id(text: str, kind: str | None, field: str) -> Invalid:
    of = "" if kind is None else f" of {'an' if kind[0] in 'aeiou' else 'a'} {kind}"
    shown = text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…"
    return Invalid(f"This is not an id{of}: {shown!r}. Ids come from the `id` fields of answers.", field=field)
