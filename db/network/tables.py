"""What is stored of listening: the listeners, each time that one listened, and who sent to it then."""

from typing import Any

from sqlalchemy import BigInteger, Index, UniqueConstraint

from db.base import UUID, Field, JSONColumn, Stored, datetime, enum_type
from db.network.vocabulary import ListenerSessionState, ListenerState


class UDPListener(Stored, table=True):
    """A UDP port that a mat's scoring program is heard on."""

    __tablename__ = "udp_listeners"
    __table_args__ = (Index(None, "mat_id", "id"),)

    name: str = Field(unique=True)
    mat_id: UUID = Field(foreign_key="mats.id", ondelete="CASCADE")
    # The machine that it listens on, by the name its server has; null for whichever serves.
    host: str | None = None
    # The address it is bound to, and the port; 0 takes a free one.
    address: str
    port: int
    # Addresses and networks that are heard; empty hears whoever reaches it.
    allowed_senders: list[Any] = Field(sa_type=JSONColumn)
    largest_packet: int
    is_enabled: bool = True
    state: ListenerState = Field(sa_type=enum_type(ListenerState))
    # No foreign key: the session points back at its listener.
    current_session_id: UUID | None = None
    last_error: str = ""
    last_error_at: datetime | None = None
    created_at: datetime
    # Raised by one whenever what it should do was changed.
    revision: int = 0


class ListenerSession(Stored, table=True):
    """One time that a listener listened: from the opening of its port to the closing of it."""

    __tablename__ = "listener_sessions"
    __table_args__ = (Index(None, "listener_id", "started_at", "id"), Index(None, "state"))

    listener_id: UUID = Field(foreign_key="udp_listeners.id", ondelete="CASCADE")
    state: ListenerSessionState = Field(sa_type=enum_type(ListenerSessionState))
    address: str
    port: int
    started_at: datetime
    ended_at: datetime | None = None
    last_received_at: datetime | None = None
    packet_count: int = Field(default=0, sa_type=BigInteger)
    byte_count: int = Field(default=0, sa_type=BigInteger)
    message_count: int = Field(default=0, sa_type=BigInteger)
    unreadable_count: int = Field(default=0, sa_type=BigInteger)
    oversize_count: int = Field(default=0, sa_type=BigInteger)
    dropped_count: int = Field(default=0, sa_type=BigInteger)
    refused_count: int = Field(default=0, sa_type=BigInteger)
    smallest_packet: int | None = None
    largest_packet: int | None = None
    error: str = ""


class Sender(Stored, table=True):
    """An address that sent to a listener while it listened once."""

    __tablename__ = "listener_senders"
    __table_args__ = (
        UniqueConstraint("session_id", "address", "port"),
        Index(None, "session_id", "first_seen_at", "id"),
    )

    session_id: UUID = Field(foreign_key="listener_sessions.id", ondelete="CASCADE")
    address: str
    port: int
    is_refused: bool
    is_active: bool
    first_seen_at: datetime
    last_seen_at: datetime
    packet_count: int = Field(default=0, sa_type=BigInteger)
    byte_count: int = Field(default=0, sa_type=BigInteger)
