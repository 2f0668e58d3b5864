"""Opaque ids: what a client holds of a stored thing. The kind of thing, then the row: `match_0192f3…`.

Clients must not read them. We can: a log line or a database print it in one piece, with no decoding.
"""

from uuid import UUID

from db.errors import Invalid

_HEX_LENGTH = 32


def encode_id(kind: str, id: UUID) -> str:
    """Return the opaque id of a row."""
    return f"{kind}_{id.hex}"


def decode_id(text: str, *, kind: str | None = None, field: str = "id") -> UUID:
    """Return the row's id in an opaque id. Raises `Invalid`, naming `field`, if it is not one, or not of `kind`."""
    found, _, digits = text.rpartition("_")
    expected = found if kind is None else kind
    if not found or found != expected or len(digits) != _HEX_LENGTH or digits != digits.lower():
        raise _not_an_id(text, kind, field)
    try:
        return UUID(hex=digits)
    except ValueError as error:
        raise _not_an_id(text, kind, field) from error


def kind_of(text: str) -> str:
    """Return the kind an opaque id names, which may be one that does not exist."""
    return text.rpartition("_")[0]


def _not_an_id(text: str, kind: str | None, field: str) -> Invalid:
    of = "" if kind is None else f" of a {kind}"
    shown = text if len(text) <= _HEX_LENGTH else f"{text[:_HEX_LENGTH]}…"
    return Invalid(f"This is not an id{of}: {shown!r}. Ids come from the `id` fields of answers.", field=field)
