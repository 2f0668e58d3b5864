"""How listeners may change, and what is noted of those that run."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, delete, func, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import aliased
from sqlmodel import col, select

from db.access.viewer import Role, Viewer
from db.batches import table_of
from db.errors import Conflict, Forbidden, Invalid, NotFound
from db.ids import new_id
from db.matches.tables import Mat
from db.network.addresses import EVERYBODY, LOOPBACK, checked_address, checked_senders, is_loopback
from db.network.events import ListenerChanged, ListenerConfigured
from db.network.tables import ListenerSession, Sender, UDPListener
from db.network.vocabulary import ListenerSessionState, ListenerState
from db.session import Session, Transaction
from db.statements import fixed
from db.texts import checked

LONGEST_NAME = 200
MOST_LISTENERS = 200
SMALLEST_LIMIT = 64
LARGEST_LIMIT = 65_507
USUAL_LIMIT = 2048
_LARGEST_PORT = 65_535
_LONGEST_ERROR = 300
# As far as the graph counts; bytes go further.
LARGEST_COUNT = 2**31 - 1
# What the listener is called that the command line of a machine speaks of.
COMMAND_LINE = "Command line"
# A listener as it is where nothing else is said.
NEW_LISTENER: dict[str, Any] = {
    "name": "",
    "host": None,
    "address": LOOPBACK,
    "port": None,
    "allowed_senders": (),
    "largest_packet": USUAL_LIMIT,
}


@dataclass(frozen=True, kw_only=True)
class SenderReport:
    """What one address has sent in a session."""

    address: str
    port: int
    is_refused: bool
    is_active: bool
    first_seen_at: datetime
    last_seen_at: datetime
    packet_count: int
    byte_count: int


@dataclass(frozen=True, kw_only=True)
class SessionReport:
    """What has come of a session so far, all counted from its start."""

    id: UUID
    state: ListenerSessionState
    address: str
    port: int
    started_at: datetime
    ended_at: datetime | None
    last_received_at: datetime | None
    packet_count: int
    byte_count: int
    message_count: int
    unreadable_count: int
    oversize_count: int
    dropped_count: int
    refused_count: int
    smallest_packet: int | None
    largest_packet: int | None
    error: str


@dataclass(frozen=True, kw_only=True)
class ListenerReport:
    """How a listener is doing. `session` is the one it is in, or has just left; `senders` are those with news."""

    listener_id: UUID
    state: ListenerState
    error: str
    error_at: datetime | None
    session: SessionReport | None
    senders: Sequence[SenderReport] = ()


async def create_listener(
    tx: Transaction,
    mat_id: UUID,
    *,
    changes: Mapping[str, Any],
    open_addresses: Collection[str] = (),
    most: int = MOST_LISTENERS,
    viewer: Viewer | None,
    now: datetime,
) -> UDPListener:
    """Add a listener to a mat, unless there are `most` already. It listens at once.

    Raises `Invalid`, `Conflict`, `NotFound` and `Forbidden`.
    """
    _check_role(viewer)
    await _check_mat(tx, mat_id)
    columns = _columns({**NEW_LISTENER, **changes}, None, open_addresses)
    if await tx.scalar(select(func.count()).select_from(UDPListener)) >= most:
        raise Conflict(
            f"There are at most {most} listeners (RINGSIDE_MOST_LISTENERS): remove one that is not needed.",
            field="mat_id",
        )
    values = {"id": new_id(), "mat_id": mat_id, **columns, "is_enabled": True, **_AT_FIRST, "created_at": now}
    made = await tx.row(upsert(UDPListener).values(**values).on_conflict_do_nothing().returning(UDPListener))
    if made is None:
        raise _taken()
    return _configured(tx, made)


async def update_listener(
    tx: Transaction,
    listener_id: UUID,
    changes: Mapping[str, Any],
    *,
    open_addresses: Collection[str] = (),
    viewer: Viewer | None,
    now: datetime,  # noqa: ARG001 -- what every change of the graph is told
) -> UDPListener:
    """Change a listener; it goes on listening as it is told now. Raises as `create_listener`."""
    listener = await _listener_of(tx, listener_id, viewer)
    given = {name: NEW_LISTENER.get(name) if value is None else value for name, value in changes.items()}
    columns = _columns(given, listener, open_addresses)
    if "mat_id" in given:
        columns["mat_id"] = await _check_mat(tx, given["mat_id"])
    namesake = await _named(tx, columns.get("name", listener.name))
    if namesake is not None and namesake.id != listener_id:
        raise _taken()
    return await _configure(tx, listener_id, columns)


async def start_listener(tx: Transaction, listener_id: UUID, *, viewer: Viewer | None, now: datetime) -> UDPListener:  # noqa: ARG001 -- as above
    """Let a listener listen, now and whenever the server starts; twice is as good as once."""
    listener = await _listener_of(tx, listener_id, viewer)
    return listener if listener.is_enabled else await _configure(tx, listener_id, {"is_enabled": True})


async def stop_listener(tx: Transaction, listener_id: UUID, *, viewer: Viewer | None, now: datetime) -> UDPListener:  # noqa: ARG001 -- as above
    """Let a listener listen no more, until it is started; twice is as good as once."""
    listener = await _listener_of(tx, listener_id, viewer)
    return await _configure(tx, listener_id, {"is_enabled": False}) if listener.is_enabled else listener


async def delete_listener(tx: Transaction, listener_id: UUID, *, viewer: Viewer | None, now: datetime) -> UDPListener:  # noqa: ARG001 -- as above
    """Remove a listener with what is known of its sessions; what it heard stays in the mat's log."""
    listener = await _listener_of(tx, listener_id, viewer)
    await tx.execute(delete(UDPListener).where(col(UDPListener.id) == listener_id))
    return _configured(tx, listener)


async def open_command_line(
    tx: Transaction,
    mat_id: UUID,
    *,
    host: str,
    address: str,
    port: int,
    senders: Sequence[str],
    limit: int,
    now: datetime,
) -> UDPListener:
    """Set the one listener that the command line of a machine speaks of, and return it. It may bind where it says.

    Where several servers share a database each has its own, which stays with its machine.
    """
    name = f"{COMMAND_LINE} of {host}"
    # Before listeners knew of machines there was one row for all of them: whoever comes first goes on with it.
    shared = col(UDPListener.name) == COMMAND_LINE, col(UDPListener.host).is_(None)
    is_new = ~select(_OTHER.id).where(_OTHER.name == name).exists()
    await tx.execute(update(UDPListener).where(*shared, is_new).values(name=name))
    address = checked_address(address, open_addresses=[address])
    told = {
        "mat_id": mat_id,
        "host": host,
        "address": address,
        "port": port,
        "largest_packet": limit,
        "is_enabled": True,
    }
    # It has always heard whoever reaches it, and now says so.
    heard = senders or ([] if is_loopback(address) else EVERYBODY)
    told["allowed_senders"] = checked_senders(heard, address=address)
    values = {"id": new_id(), "name": name, **told, **_AT_FIRST, "created_at": now}
    statement = upsert(UDPListener).values(**values)
    again = {**told, "revision": col(UDPListener.revision) + 1}
    listener = await tx.row(statement.on_conflict_do_update(index_elements=["name"], set_=again).returning(UDPListener))
    if listener is None:
        raise NotFound("The listener of the command line cannot be stored.")
    return _configured(tx, listener)


async def list_listeners(session: Session) -> list[UDPListener]:
    """Return all listeners, for who runs them."""
    return await session.rows(select(UDPListener).order_by(col(UDPListener.id)))


async def note_listener(tx: Transaction, report: ListenerReport) -> UDPListener | None:
    """Note how a listener is doing and what came of it. `None` if it is gone; then there is nothing to note."""
    session = report.session
    is_running = session is not None and session.ended_at is None
    noted = {
        "state": report.state,
        "current_session_id": session.id if session is not None and is_running else None,
        "last_error": report.error[:_LONGEST_ERROR],
        "last_error_at": report.error_at,
    }
    of_it = col(UDPListener.id) == report.listener_id
    listener = await tx.row(update(UDPListener).where(of_it).values(**noted).returning(UDPListener))
    if listener is None:
        return None
    if session is not None:
        await _note_session(tx, listener.id, session, report.senders)
    tx.record(ListenerChanged(listener_id=listener.id))
    return listener


async def end_interrupted(tx: Transaction, *, host: str | None = None, now: datetime) -> int:
    """End sessions that a server left running when it was gone; return how many.

    Of the listeners of a machine, or of those that belong to none. Called before any of them runs.
    """
    of_host = col(UDPListener.host) == host
    listeners = select(col(UDPListener.id)).where(of_host)
    is_running = col(ListenerSession.state) == ListenerSessionState.RUNNING
    left = select(ListenerSession).where(is_running, col(ListenerSession.listener_id).in_(listeners))
    sessions = await tx.rows(left)
    for session in sessions:
        # It was there when it last heard something, and nobody knows for how much longer.
        ended_at = session.last_received_at or session.started_at
        values = {"state": ListenerSessionState.INTERRUPTED, "ended_at": min(ended_at, now)}
        await tx.execute(update(ListenerSession).where(col(ListenerSession.id) == session.id).values(**values))
        of_session = col(Sender.session_id) == session.id
        await tx.execute(update(Sender).where(of_session).values(is_active=False))
    idle = {"state": ListenerState.STOPPED, "current_session_id": None}
    is_left = col(UDPListener.state) != ListenerState.STOPPED
    for listener in await tx.rows(update(UDPListener).where(is_left, of_host).values(**idle).returning(UDPListener)):
        tx.record(ListenerChanged(listener_id=listener.id))
    return len(sessions)


# What they share


async def _note_session(
    tx: Transaction, listener_id: UUID, session: SessionReport, senders: Sequence[SenderReport]
) -> None:
    await tx.execute(_UPSERT_SESSION, listener_id=listener_id, **_values(session))
    if senders:
        rows = [{"id": new_id(), "session_id": session.id, **_values(sender)} for sender in senders]
        await tx.execute_many(_UPSERT_SENDER, rows)
    if session.ended_at is not None:
        of_session = col(Sender.session_id) == session.id
        await tx.execute(update(Sender).where(of_session).values(is_active=False))


async def _listener_of(tx: Transaction, listener_id: UUID, viewer: Viewer | None) -> UDPListener:
    _check_role(viewer)
    listener = await tx.row(select(UDPListener).where(col(UDPListener.id) == listener_id))
    if listener is None:
        raise NotFound("There is no such listener.", field="id")
    return listener


async def _named(tx: Transaction, name: str) -> UDPListener | None:
    return await tx.row(select(UDPListener).where(col(UDPListener.name) == name))


async def _check_mat(tx: Transaction, mat_id: UUID | None) -> UUID:
    if mat_id is None or await tx.row(select(Mat).where(col(Mat.id) == mat_id)) is None:
        raise NotFound("There is no such mat.", field="mat_id")
    return mat_id


def _check_role(viewer: Viewer | None) -> None:
    if viewer is not None and not viewer.has_role(Role.OPERATOR):
        raise Forbidden("Listeners are for those who run the event.")


async def _configure(tx: Transaction, listener_id: UUID, columns: Mapping[str, Any]) -> UDPListener:
    changed = update(UDPListener).where(col(UDPListener.id) == listener_id)
    values = {**columns, "revision": col(UDPListener.revision) + 1}
    listener = await tx.row(changed.values(**values).returning(UDPListener))
    if listener is None:
        raise NotFound("There is no such listener.", field="id")
    return _configured(tx, listener)


def _configured(tx: Transaction, listener: UDPListener) -> UDPListener:
    tx.record(ListenerConfigured(listener_id=listener.id))
    return listener


def _columns(
    changes: Mapping[str, Any], listener: UDPListener | None, open_addresses: Collection[str]
) -> dict[str, Any]:
    """Check what is said of a listener, `listener` being what is said of it so far."""
    columns: dict[str, Any] = {}
    if "name" in changes:
        columns["name"] = checked(changes["name"], "A name", field="name", longest=LONGEST_NAME)
    if "host" in changes:
        columns["host"] = _host(changes["host"])
    if "address" in changes:
        columns["address"] = checked_address(changes["address"], open_addresses=open_addresses)
    if "port" in changes:
        columns["port"] = _port(changes["port"])
    if "largest_packet" in changes:
        columns["largest_packet"] = _limit(changes["largest_packet"])
    if "allowed_senders" in changes or "address" in changes:
        senders = changes.get("allowed_senders", () if listener is None else listener.allowed_senders)
        address = columns.get("address", LOOPBACK if listener is None else listener.address)
        columns["allowed_senders"] = checked_senders(senders, address=address)
    return columns


def _host(host: str | None) -> str | None:
    return None if host is None else checked(host, "A machine's name", field="host", longest=LONGEST_NAME)


def _port(port: int | None) -> int:
    if port is None or not 0 <= port <= _LARGEST_PORT:
        raise Invalid(f"A port is 1 to {_LARGEST_PORT}, or 0 to take a free one.", field="port")
    return port


def _limit(limit: int) -> int:
    if not SMALLEST_LIMIT <= limit <= LARGEST_LIMIT:
        raise Invalid(f"A packet may have at most {SMALLEST_LIMIT} to {LARGEST_LIMIT} bytes.", field="largest_packet")
    return limit


def _taken() -> Conflict:
    return Conflict("There is a listener of this name.", field="name")


def _values(report: SessionReport | SenderReport) -> dict[str, Any]:
    values = {name: getattr(report, name) for name in type(report).__dataclass_fields__}
    return values | {name: min(values[name], LARGEST_COUNT) for name in values if name in _COUNTS}


def _upsert(model: Any, by: Sequence[str], changing: Sequence[str]) -> Any:
    table = table_of(model)
    statement = upsert(table).values({column.key: bindparam(column.key, type_=column.type) for column in table.c})
    return statement.on_conflict_do_update(
        index_elements=list(by), set_={name: statement.excluded[name] for name in changing}
    )


_OTHER: Any = aliased(UDPListener)
_COUNTS = {
    "packet_count",
    "message_count",
    "unreadable_count",
    "oversize_count",
    "dropped_count",
    "refused_count",
}
_AT_FIRST: dict[str, Any] = {"state": ListenerState.STOPPED, "last_error": "", "revision": 0}
_UPSERT_SESSION = fixed(
    _upsert(
        ListenerSession,
        ["id"],
        (
            "state",
            "ended_at",
            "last_received_at",
            "packet_count",
            "byte_count",
            "message_count",
            "unreadable_count",
            "oversize_count",
            "dropped_count",
            "refused_count",
            "smallest_packet",
            "largest_packet",
            "error",
        ),
    )
)
_UPSERT_SENDER = fixed(
    _upsert(
        Sender,
        ["session_id", "address", "port"],
        ("is_refused", "is_active", "last_seen_at", "packet_count", "byte_count"),
    )
)
