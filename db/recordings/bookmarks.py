"""How bookmarks may change: moments are marked, moved, described and forgotten."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, cast
from uuid import UUID

from sqlalchemy import delete, insert, update
from sqlmodel import col, select

from db.access.viewer import Viewer
from db.errors import Invalid, NotFound
from db.ids import new_id
from db.matches.tables import Mat, Match, MatchEvent
from db.recordings.operations import bounded
from db.recordings.tables import Bookmark
from db.recordings.timing import MILLISECOND
from db.session import Transaction
from db.texts import checked

LONGEST_LABEL = 200
LONGEST_LEAD_MS = 600_000
LONGEST_MOVE_MS = 86_400_000
# A bookmark as it is where nothing else is said.
NEW_BOOKMARK: dict[str, Any] = {"label": "", "lead_in_ms": 5000, "lead_out_ms": 5000}
_EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
# Clocks differ a little.
_AHEAD = timedelta(minutes=1)


async def mark_event(
    tx: Transaction, event_id: UUID, *, changes: Mapping[str, Any], viewer: Viewer | None, now: datetime
) -> Bookmark:
    """Mark the moment at which an entry of a mat's log was received. Raises `Invalid` and `NotFound`."""
    columns = _columns({**NEW_BOOKMARK, **changes})
    event = await tx.row(select(MatchEvent).where(col(MatchEvent.id) == event_id))
    if event is None:
        raise NotFound("There is no such event.", field="event_id")
    place = {"mat_id": event.mat_id, "match_id": event.match_id, "event_id": event.id}
    return await _insert(tx, {**place, "happened_at": event.received_at, **columns}, viewer, now)


async def mark_moment(
    tx: Transaction,
    mat_id: UUID,
    *,
    happened_at: datetime | None = None,
    changes: Mapping[str, Any],
    viewer: Viewer | None,
    now: datetime,
) -> Bookmark:
    """Mark a moment on a mat by hand, the present unless it is said which. Raises `Invalid` and `NotFound`.

    It belongs to the fight that was on the mat, as far as that is known.
    """
    columns = _columns({**NEW_BOOKMARK, **changes})
    at = _moment(happened_at or now, now)
    if await tx.row(select(Mat).where(col(Mat.id) == mat_id)) is None:
        raise NotFound("There is no such mat.", field="mat_id")
    on_mat = select(Match).where(col(Match.mat_id) == mat_id, col(Match.loaded_at) <= at)
    match = await tx.row(on_mat.order_by(col(Match.loaded_at).desc(), col(Match.id).desc()).limit(1))
    place = {"mat_id": mat_id, "match_id": None if match is None else match.id, "event_id": None}
    return await _insert(tx, {**place, "happened_at": at, **columns}, viewer, now)


async def move_bookmark(
    tx: Transaction,
    bookmark_id: UUID,
    *,
    delta_ms: int,
    now: datetime,
) -> Bookmark:
    """Move a bookmark by some time; moves at once add up. Raises `Invalid` and `NotFound`.

    One that was set by an entry of a log stays with it: the entry is what it is about.
    """
    bounded(delta_ms, "delta_ms", -LONGEST_MOVE_MS, LONGEST_MOVE_MS)
    before = await _held(tx, bookmark_id)
    return await _change(tx, before, {"happened_at": _moment(before.happened_at + delta_ms * MILLISECOND, now)}, now)


async def update_bookmark(
    tx: Transaction,
    bookmark_id: UUID,
    changes: Mapping[str, Any],
    *,
    now: datetime,
) -> Bookmark:
    """Change what is said of a bookmark, and how much around it is played. Raises `Invalid` and `NotFound`."""
    columns = _columns(changes)
    return await _change(tx, await _held(tx, bookmark_id), columns, now)


async def delete_bookmark(
    tx: Transaction,
    bookmark_id: UUID,
) -> Bookmark:
    """Forget a bookmark. Returns it as it was. Raises `NotFound`."""
    gone = await tx.row(delete(Bookmark).where(col(Bookmark.id) == bookmark_id).returning(Bookmark))
    if gone is None:
        raise _no_bookmark()
    return gone


async def _insert(tx: Transaction, columns: Mapping[str, Any], viewer: Viewer | None, now: datetime) -> Bookmark:
    values = {
        "id": new_id(),
        **columns,
        "made_by_id": None if viewer is None else viewer.user_id,
        "revision": 0,
        "created_at": now,
        "changed_at": now,
    }
    return cast("Bookmark", await tx.row(insert(Bookmark).values(**values).returning(Bookmark)))


async def _held(tx: Transaction, bookmark_id: UUID) -> Bookmark:
    """Return a bookmark, held until the commit. Raises `NotFound`."""
    held = update(Bookmark).where(col(Bookmark.id) == bookmark_id).values(revision=col(Bookmark.revision) + 1)
    found = await tx.row(held.returning(Bookmark))
    if found is None:
        raise _no_bookmark()
    return found


async def _change(tx: Transaction, before: Bookmark, columns: Mapping[str, Any], now: datetime) -> Bookmark:
    changed = update(Bookmark).where(col(Bookmark.id) == before.id).values(**columns, changed_at=now)
    return cast("Bookmark", await tx.row(changed.returning(Bookmark)))


def _columns(changes: Mapping[str, Any]) -> dict[str, Any]:
    columns: dict[str, Any] = {}
    if "label" in changes:
        columns["label"] = checked(changes["label"] or "", "A label", field="label", shortest=0, longest=LONGEST_LABEL)
    for field in ("lead_in_ms", "lead_out_ms"):
        if field in changes:
            given = NEW_BOOKMARK[field] if changes[field] is None else changes[field]
            columns[field] = bounded(given, field, 0, LONGEST_LEAD_MS)
    return columns


def _moment(at: datetime, now: datetime) -> datetime:
    if not _EARLIEST <= at <= now + _AHEAD:
        raise Invalid(
            f"A bookmark is of something that has happened, and not at {at.isoformat()}.", field="happened_at"
        )
    return at


def _no_bookmark() -> NotFound:
    return NotFound("There is no such bookmark.", field="id")
