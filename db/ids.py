"""The identity of stored things."""

from uuid import UUID

from uuid_utils.compat import uuid7


def new_id() -> UUID:
    """Return a fresh id. Ids grow with time, so an index of them grows at its end; nothing may rely on their order."""
    return uuid7()
