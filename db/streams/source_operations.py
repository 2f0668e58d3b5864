"""How the sources of a stream may change: where news of it comes from, and how each is doing."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import delete, func, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlmodel import col, select

from db.access.viewer import Viewer
from db.errors import Conflict, Invalid, NotFound
from db.ids import new_id
from db.session import Session, Transaction
from db.streams import news
from db.streams.events import StreamSourceChanged, StreamSourceConfigured
from db.streams.operations import LONGEST_NAME, stream_of
from db.streams.sources import PURPOSE, checked_url, new_signing_secret
from db.streams.tables import StreamSource
from db.streams.vocabulary import StreamSourceKind, StreamSourceState
from db.texts import checked

MOST_SOURCES = 20
DEFAULT_URL = "ws://127.0.0.1:21213/"


@dataclass(frozen=True, kw_only=True)
class MadeSource:
    """A source, and the secret its calls are signed with, which is shown now or never. `None`: it does not call."""

    source: StreamSource
    secret: bytes | None


async def create_source(
    tx: Transaction,
    stream_id: UUID,
    *,
    kind: StreamSourceKind,
    changes: Mapping[str, Any],
    viewer: Viewer | None,
    now: datetime,
) -> MadeSource:
    """Add a source: `changes` are its name and its address. One that calls us comes with its secret.

    Raises `Invalid`, `Conflict`, `NotFound` and `Forbidden`.
    """
    secret = new_signing_secret() if kind is StreamSourceKind.WEBHOOK else None
    values = {
        "id": new_id(),
        "stream_id": stream_id,
        "kind": kind,
        **_source_columns(kind, {"name": "", "url": None, **changes}),
        "is_enabled": True,
        "secret": None if secret is None else tx.sealer.seal_bytes(secret, purpose=PURPOSE),
        "state": _FIRST_STATES[kind],
        **_NO_NEWS,
        "created_at": now,
        "revision": 0,
    }
    await stream_of(tx, stream_id, viewer)
    stream = await news.hold_stream(tx, stream_id)
    sources = select(func.count()).select_from(StreamSource).where(col(StreamSource.stream_id) == stream.id)
    if await tx.scalar(sources) >= MOST_SOURCES:
        raise Conflict(f"A stream has at most {MOST_SOURCES} sources.", field="stream_id")
    made = await tx.row(upsert(StreamSource).values(**values).on_conflict_do_nothing().returning(StreamSource))
    if made is None:
        raise Conflict("The stream has a source of this name.", field="name")
    tx.record(StreamSourceConfigured(source_id=made.id))
    return MadeSource(source=made, secret=secret)


async def update_source(
    tx: Transaction, source_id: UUID, changes: Mapping[str, Any], *, viewer: Viewer | None
) -> StreamSource:
    """Change a source's name or address; where it is listened to is changed at once."""
    source = await _source_of(tx, source_id, viewer)
    columns = _source_columns(source.kind, changes)
    if "name" in columns:
        taken = col(StreamSource.stream_id) == source.stream_id, col(StreamSource.name) == columns["name"]
        if await tx.row(select(StreamSource).where(*taken, col(StreamSource.id) != source_id)) is not None:
            raise Conflict("The stream has a source of this name.", field="name")
    return await _configure(tx, source_id, columns)


async def enable_source(tx: Transaction, source_id: UUID, *, is_enabled: bool, viewer: Viewer | None) -> StreamSource:
    """Switch a source on or off; twice is as good as once."""
    source = await _source_of(tx, source_id, viewer)
    if source.is_enabled == is_enabled:
        return source
    state = _FIRST_STATES[source.kind] if is_enabled else StreamSourceState.DISABLED
    return await _configure(tx, source_id, {"is_enabled": is_enabled, "state": state})


async def rotate_secret(tx: Transaction, source_id: UUID, *, viewer: Viewer | None) -> MadeSource:
    """Give a source that calls us another secret; the one before stops working. Raises `Conflict` for others."""
    source = await _source_of(tx, source_id, viewer)
    if source.kind is not StreamSourceKind.WEBHOOK:
        raise Conflict("This source does not call, so it has no secret.", field="id")
    secret = new_signing_secret()
    sealed = tx.sealer.seal_bytes(secret, purpose=PURPOSE)
    return MadeSource(source=await _configure(tx, source_id, {"secret": sealed}), secret=secret)


async def delete_source(tx: Transaction, source_id: UUID, *, viewer: Viewer | None) -> StreamSource:
    """Remove a source; what it brought stays counted. Returns it as it was."""
    source = await _source_of(tx, source_id, viewer)
    await tx.execute(delete(StreamSource).where(col(StreamSource.id) == source_id))
    tx.record(StreamSourceConfigured(source_id=source_id))
    return source


async def list_sources(session: Session) -> list[StreamSource]:
    """Return all sources, for who runs them."""
    return await session.rows(select(StreamSource).order_by(col(StreamSource.id)))


async def find_source(session: Session, source_id: UUID) -> StreamSource | None:
    """Return a source, for who runs it or checks what it sent."""
    return await session.row(select(StreamSource).where(col(StreamSource.id) == source_id))


async def note_state(
    tx: Transaction, source_id: UUID, state: StreamSourceState, *, error: str = "", now: datetime
) -> StreamSource | None:
    """Note how a source is doing, unless it was switched off meanwhile. `None` if it was, or is gone."""
    values: dict[str, Any] = {"state": state}
    if error:
        values |= {"last_error": error[:200], "last_error_at": now}
    if state is StreamSourceState.CONNECTED:
        values["connection_count"] = col(StreamSource.connection_count) + 1
    is_on = col(StreamSource.id) == source_id, col(StreamSource.is_enabled).is_(True)
    source = await tx.row(update(StreamSource).where(*is_on).values(**values).returning(StreamSource))
    if source is not None:
        tx.record(StreamSourceChanged(source=source))
    return source


async def _source_of(tx: Transaction, source_id: UUID, viewer: Viewer | None) -> StreamSource:
    source = await find_source(tx, source_id)
    if source is None:
        raise NotFound("There is no such source.", field="id")
    await stream_of(tx, source.stream_id, viewer)
    return source


async def _configure(tx: Transaction, source_id: UUID, columns: dict[str, Any]) -> StreamSource:
    columns["revision"] = col(StreamSource.revision) + 1
    changed = update(StreamSource).where(col(StreamSource.id) == source_id).values(**columns).returning(StreamSource)
    source = await tx.row(changed)
    if source is None:
        raise NotFound("There is no such source.", field="id")
    tx.record(StreamSourceConfigured(source_id=source_id))
    tx.record(StreamSourceChanged(source=source))
    return source


def _source_columns(kind: StreamSourceKind, changes: Mapping[str, Any]) -> dict[str, Any]:
    columns: dict[str, Any] = {}
    if "name" in changes:
        columns["name"] = checked(changes["name"] or "", "A name", field="name", longest=LONGEST_NAME)
    if "url" in changes:
        columns["url"] = _url_of(kind, changes["url"])
    return columns


def _url_of(kind: StreamSourceKind, url: str | None) -> str:
    if kind is StreamSourceKind.TIKFINITY:
        return checked_url(DEFAULT_URL if url is None else url)
    if url:
        raise Invalid("This source calls us: it has no address of its own.", field="url")
    return ""


_FIRST_STATES = {
    StreamSourceKind.TIKFINITY: StreamSourceState.CONNECTING,
    StreamSourceKind.WEBHOOK: StreamSourceState.LISTENING,
}
_NO_NEWS: dict[str, Any] = {
    "connection_count": 0,
    "event_counts": {},
    "fault_counts": {},
    "ignored_count": 0,
    "duplicate_count": 0,
    "last_error": "",
}
