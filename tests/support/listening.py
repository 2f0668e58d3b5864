"""Listeners to ask about, and what they are told to have heard."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from db.database import Database
from db.ids import new_id
from db.network import operations
from db.network.operations import ListenerReport, SenderReport, SessionReport
from db.network.tables import UDPListener
from db.network.vocabulary import ListenerSessionState, ListenerState


async def make_listener(db: Database, mat_id: UUID, now: datetime, **changes: Any) -> UDPListener:
    """Add a listener that nobody runs."""
    open_addresses = changes.pop("open_addresses", ())
    async with db.transaction() as tx:
        return await operations.create_listener(
            tx,
            mat_id,
            changes={"name": "Mat 1", "port": 0, **changes},
            open_addresses=open_addresses,
            viewer=None,
            now=now,
        )


def session_report(now: datetime, **changes: Any) -> SessionReport:
    report = SessionReport(
        id=new_id(),
        state=ListenerSessionState.RUNNING,
        address="127.0.0.1",
        port=6000,
        started_at=now,
        ended_at=None,
        last_received_at=now,
        packet_count=4,
        byte_count=50,
        message_count=5,
        unreadable_count=1,
        oversize_count=1,
        dropped_count=0,
        refused_count=2,
        smallest_packet=3,
        largest_packet=30,
        error="",
    )
    return replace(report, **changes)


def sender_report(now: datetime, port: int = 50_000, **changes: Any) -> SenderReport:
    report = SenderReport(
        address="127.0.0.1",
        port=port,
        is_refused=False,
        is_active=True,
        first_seen_at=now,
        last_seen_at=now,
        packet_count=4,
        byte_count=50,
    )
    return replace(report, **changes)


def listening(listener: UDPListener, session: SessionReport | None, *senders: SenderReport) -> ListenerReport:
    """What is said of a listener whose port is open, or closed again."""
    is_open = session is not None and session.ended_at is None
    return ListenerReport(
        listener_id=listener.id,
        state=ListenerState.LISTENING if is_open else ListenerState.STOPPED,
        error="",
        error_at=None,
        session=session,
        senders=senders,
    )


async def note(db: Database, report: ListenerReport) -> UDPListener | None:
    async with db.transaction() as tx:
        return await operations.note_listener(tx, report)


async def listen_a_while(db: Database, mats: list[UUID], now: datetime) -> list[UDPListener]:
    """Listeners of three mats with what they heard: one listens, one cannot, one is off."""
    made = [
        await make_listener(db, mat_id, now, name=name, allowed_senders=senders)
        for mat_id, (name, senders) in zip(
            mats, [("A 🥋", []), ("B", ["127.0.0.0/8", "::1"]), ("C", ["10.0.0.1"])], strict=True
        )
    ]
    ended = session_report(
        now, ended_at=now, state=ListenerSessionState.STOPPED, packet_count=1 << 50, byte_count=1 << 40
    )
    await note(db, listening(made[0], ended, sender_report(now), sender_report(now, 5, is_refused=True)))
    later = now + timedelta(minutes=1)
    silent = {"packet_count": 0, "byte_count": 0, "smallest_packet": None, "largest_packet": None}
    await note(db, listening(made[0], session_report(later), sender_report(later), sender_report(later, 7)))
    failed = session_report(
        now, ended_at=later, state=ListenerSessionState.FAILED, error="It broke.", last_received_at=None, **silent
    )
    report = replace(listening(made[1], failed), state=ListenerState.ERROR, error="It broke.", error_at=later)
    await note(db, report)
    async with db.transaction() as tx:
        await operations.stop_listener(tx, made[2].id, viewer=None, now=now)
    return made
