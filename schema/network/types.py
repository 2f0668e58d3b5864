"""The types of listening: listeners, each time that one listened, who sent to it, and this machine's interfaces."""

from __future__ import annotations

from datetime import datetime

import strawberry

from db.matches.queries import mat_by_id
from db.network import queries
from schema.connections import Connection
from schema.fields import Node, column, computed, connection, node, to_one, value
from schema.matches.arguments import NewestOrder
from schema.matches.types import Mat
from schema.network.arguments import SenderOrder
from schema.network.vocabulary import ListenerSessionState, ListenerState


@node("listener", queries.listener_by_id)
class UDPListener(Node):
    """A UDP port that a mat's scoring program is heard on."""

    name: str = column("What it is called. No two listeners share a name.")
    host: str | None = column(
        "The machine that it listens on, by the name its server was given or calls it. Null for whichever server does "
        "this: another one takes over when that is gone, on its own machine."
    )
    address: str = column("The address of that machine that it is bound to.")
    port: int = column("The port it is bound to. 0 takes a free one: see its current session for which.")
    allowed_senders: list[str] = column("Addresses and networks that are heard. Empty: whoever reaches it.")
    largest_packet: int = column("How many bytes a packet may have. One that has more is kept, and marked unreadable.")
    is_enabled: bool = column("Whether it is to listen, now and whenever the server starts.")
    state: ListenerState = column("How it is doing.")
    last_error: str = column("What last kept it from listening. Empty if nothing ever did.")
    last_error_at: datetime | None = column("When that was. Null if nothing ever did.")
    created_at: datetime = column("When it was added.")
    mat: Mat = to_one("The mat that is spoken for.", mat_by_id, key="mat_id")
    current_session: ListenerSession | None = to_one(
        "The session it is in. Null while its port is closed.", queries.session_by_id, key="current_session_id"
    )
    sessions: Connection[ListenerSession] = connection(
        "Every time it listened, newest first.", queries.sessions_by_listener, order=NewestOrder
    )


def _average(packet_count: int, byte_count: int) -> float | None:
    return round(byte_count / packet_count, 2) if packet_count else None


@node("listenersession", queries.session_by_id)
class ListenerSession(Node):
    """One time that a listener listened. Its counts are written down once a second, and when it ends."""

    state: ListenerSessionState = column("How far it has come.")
    address: str = column("The address it was bound to.")
    port: int = column("The port it was bound to.")
    started_at: datetime = column("When the port was opened.")
    ended_at: datetime | None = column("When all that was heard on it was stored. Null while it is open.")
    last_received_at: datetime | None = column("When it last heard something. Null if it never did.")
    packet_count: int = column("Packets that were taken in: those of senders that are heard.")
    byte_count: float = computed("The bytes of those packets: a whole number.", ("byte_count",), float)
    smallest_packet: int | None = column("The bytes of the smallest of them. Null before the first.")
    largest_packet: int | None = column("The bytes of the largest of them. Null before the first.")
    average_packet: float | None = computed(
        "How many bytes they have on average. Null before the first.", ("packet_count", "byte_count"), _average
    )
    message_count: int = column("Messages that were found in them, unreadable ones included.")
    unreadable_count: int = column("Messages that could not be read. They are kept.")
    oversize_count: int = column("Packets that were too large. They are kept, and are among the unreadable.")
    dropped_count: int = column("Packets that found the queue full, and are lost.")
    refused_count: int = column("Packets of senders that are not heard. Nothing is kept of them but these counts.")
    error: str = column("What ended it. Empty if it runs or ended as it should.")
    listener: UDPListener = to_one("The listener.", queries.listener_by_id, key="listener_id")
    senders: Connection[Sender] = connection(
        "Who sent to it: the first 100 that were heard, and the first 100 that were refused.",
        queries.senders_by_session,
        order=SenderOrder,
    )


@node("sender", queries.sender_by_id)
class Sender(Node):
    """An address that sent to a listener while it listened once."""

    address: str = column("Its address.")
    port: int = column("The port it sent from.")
    is_refused: bool = column("Whether it is not heard.")
    is_active: bool = column("Whether it sent something within the last ten seconds.")
    first_seen_at: datetime = column("When it first sent.")
    last_seen_at: datetime = column("When it last sent.")
    packet_count: int = column("Packets it sent.")
    byte_count: float = computed("The bytes of those packets: a whole number.", ("byte_count",), float)
    session: ListenerSession = to_one("The session.", queries.session_by_id, key="session_id")


@value
class NetworkInterface:
    """One address of one interface of the server's machine."""

    name: str = strawberry.field(description="What the machine calls the interface.")
    address: str = strawberry.field(description="Its address.")
    netmask: str = strawberry.field(description="What of the address is its network's. Empty if the machine says none.")
    hardware_address: str = strawberry.field(description="What it is called on the wire. Empty if it has none.")
    is_up: bool = strawberry.field(description="Whether it is switched on.")
    is_loopback: bool = strawberry.field(description="Whether this machine alone reaches it.")
    speed_megabits: int = strawberry.field(description="How fast it is, in megabits a second. 0 if that is not known.")
    is_recommended: bool = strawberry.field(
        description="Whether a scoring program on another machine most likely finds the server here. True of one."
    )
