"""Opaque ids: what a client holds of a stored thing. The kind of thing, then the row: `match_0192f3…`.

Clients must not read them. We can: a log line or a database print it in one piece, with no decoding.
"""

import re
from uuid import UUID

from db.errors import Invalid

# One spelling for each id. `UUID` would also read `0x…`, spaces and digits of other scripts.
_FORM = re.compile(r"(?P<kind>[a-z]+)_(?P<digits>[0-9a-f]{32})", re.ASCII)
_LONGEST_SHOWN = 32


def encode_id(kind: str, id: UUID) -> str:
    """Return the opaque id of a row."""
    return f"{kind}_{id.hex}"


def decode_id(text: str, *, kind: str | None = None, field: str = "id") -> UUID:
    """Return the row's id in an opaque id. Raises `Invalid`, naming `field`, if it is not one, or not of `kind`."""
    return UUID(hex=decode_digits(text, kind=kind, field=field))


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
    of = "" if kind is None else f" of a {kind}"
    shown = text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…"
    return Invalid(f"This is not an id{of}: {shown!r}. Ids come from the `id` fields of answers.", field=field)
