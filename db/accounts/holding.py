"""What operations on accounts share: whose a thing is, and who holds a row until he commits."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, TypeVar, cast
from urllib.parse import urlsplit
from uuid import UUID

from sqlalchemy import update
from sqlmodel import SQLModel, col, select

from db.access.viewer import Role, Viewer
from db.accounts.tables import Account, Action, Execution, Feed, Screenshot, Tag
from db.errors import Invalid, NotFound
from db.session import Transaction
from db.texts import checked

T = TypeVar("T", bound=SQLModel)

LONGEST_NAME = 200
LONGEST_URL = 2000
_NAMES: dict[type[Any], str] = {
    Account: "account",
    Tag: "tag",
    Feed: "feed",
    Action: "action",
    Execution: "execution",
    Screenshot: "screenshot",
}


def may_change(viewer: Viewer | None, owner_id: UUID) -> bool:
    """Say whether a viewer may change what somebody owns; `None` is the house itself."""
    return viewer is None or viewer.user_id == owner_id or viewer.has_role(Role.ADMIN)


async def owned_row(tx: Transaction, model: type[T], row_id: UUID, viewer: Viewer | None, *, field: str = "id") -> T:
    """Return a row that the viewer may change. Raises `NotFound`, also for what is somebody else's."""
    row = await tx.row(select(model).where(col(cast("Any", model).id) == row_id))
    if row is None or not may_change(viewer, cast("Any", row).owner_id):
        raise NotFound(f"There is no such {_NAMES[model]}.", field=field)
    return row


async def change_row(tx: Transaction, model: type[T], row_id: UUID, columns: Mapping[str, Any], now: datetime) -> T:
    """Set columns of a row that has a revision, and raise it. Raises `NotFound`."""
    table = cast("Any", model)
    values = {**columns, "revision": col(table.revision) + 1, "changed_at": now}
    changed = await tx.row(update(model).where(col(table.id) == row_id).values(**values).returning(model))
    if changed is None:
        raise NotFound(f"There is no such {_NAMES[model]}.", field="id")
    return changed


def checked_web_url(text: str, *, field: str = "url", shortest: int = 1) -> str:
    """Return an address of the web. Raises `Invalid`, saying what is wrong with it."""
    url = checked(text, "An address", field=field, longest=LONGEST_URL, shortest=shortest)
    if not url:
        return url
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        raise Invalid(f"This is no address of the web: {error}.", field=field) from error
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise Invalid("An address looks like https://example.org/feed.xml; this one does not.", field=field)
    if parts.username is not None or parts.password is not None:
        raise Invalid("An address is shown to others: it carries no name and no password.", field=field)
    if not url.isprintable() or any(character.isspace() for character in url):
        raise Invalid("An address holds no spaces and nothing that cannot be seen.", field=field)
    return url


def checked_limit(value: int | None, *, field: str, most: int = 1_000_000) -> int | None:
    """Return how many may be in a day, `None` for any number. Raises `Invalid`."""
    if value is not None and not 0 <= value <= most:
        raise Invalid(f"A limit is 0 to {most:,}, or nothing for none.", field=field)
    return value
