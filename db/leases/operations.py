"""How leases change hands: made, taken, renewed, given back, and held on to by who commits under them.

Time is the database's: that of the PostgreSQL server, which is one clock for all who ask it. A SQLite file has none,
and all who open it share a machine, so there it is `now`.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Float, bindparam, func, or_, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlmodel import col, select

from db.errors import Unavailable
from db.ids import new_id
from db.leases.events import LeaseReleased
from db.leases.tables import Lease
from db.session import Session, Transaction


class LeaseLost(Unavailable):
    """Somebody else does this work by now. What was to be stored under the lease is not."""


@dataclass(frozen=True, kw_only=True)
class Holder:
    """One run of one server. `machine` is "" where it cannot be told whether another process is on the same one."""

    id: UUID
    host: str
    process: int
    machine: str


@dataclass(frozen=True, kw_only=True)
class FoundLease:
    """A lease as it stands, and whether its time is over, by the database's clock."""

    lease: Lease
    is_over: bool


async def find_leases(session: Session, *, now: datetime) -> list[FoundLease]:
    """Return all leases, by name."""
    clock, _ = _clock(session, now, 0.0)
    over = await session.tuples(select(col(Lease.id)).where(col(Lease.until) <= clock))
    are_over = {id for (id,) in over}  # noqa: A001 -- what a row has
    return [
        FoundLease(lease=lease, is_over=lease.id in are_over)
        for lease in await session.rows(select(Lease).order_by(col(Lease.name)))
    ]


async def make_leases(tx: Transaction, names: Collection[str]) -> None:
    """See that there are leases of these names. Nobody holds a new one."""
    for name in names:
        made = upsert(Lease).values(id=new_id(), name=name, host="", process=0, machine="", fence=0)
        await tx.execute(made.on_conflict_do_nothing(index_elements=["name"]))


async def take_lease(
    tx: Transaction, seen: Lease, holder: Holder, *, seconds: float, is_gone: bool = False, now: datetime
) -> int | None:
    """Take a lease as it was seen, and return its new fence; `None` if somebody was faster or has renewed it.

    `is_gone`: its holder is known to be gone, and its time need not be over.
    """
    clock, until = _clock(tx, now, seconds)
    is_as_seen = col(Lease.id) == seen.id, col(Lease.fence) == seen.fence, col(Lease.holder_id) == seen.holder_id
    is_free = or_(col(Lease.holder_id).is_(None), col(Lease.until) <= clock)
    conditions = is_as_seen if is_gone else (*is_as_seen, is_free)
    values = {
        "holder_id": holder.id,
        "host": holder.host,
        "process": holder.process,
        "machine": holder.machine,
        "fence": col(Lease.fence) + 1,
        "taken_at": clock,
        "until": until,
    }
    taken = await tx.row(update(Lease).where(*conditions).values(**values).returning(Lease))
    return None if taken is None else taken.fence


async def renew_leases(tx: Transaction, holder: Holder, *, seconds: float, now: datetime) -> dict[str, int]:
    """Renew all that a holder holds; return the fences by name. One that ran out and nobody took is still his."""
    _, until = _clock(tx, now, seconds)
    his = update(Lease).where(col(Lease.holder_id) == holder.id).values(until=until)
    return {lease.name: lease.fence for lease in await tx.rows(his.returning(Lease))}


async def release_lease(tx: Transaction, name: str, holder: Holder, fence: int) -> Lease | None:
    """Give a lease back, and tell of it. `None` if it is somebody else's by now."""
    is_his = col(Lease.name) == name, col(Lease.holder_id) == holder.id, col(Lease.fence) == fence
    nobody = {"holder_id": None, "host": "", "process": 0, "machine": "", "taken_at": None, "until": None}
    freed = await tx.row(update(Lease).where(*is_his).values(**nobody).returning(Lease))
    if freed is not None:
        tx.record(LeaseReleased(lease=freed))
    return freed


async def hold_lease(tx: Transaction, name: str, holder: Holder, fence: int) -> None:
    """Let nobody else take a lease before the transaction ends. Raises `LeaseLost` if somebody has."""
    is_his = col(Lease.name) == name, col(Lease.holder_id) == holder.id, col(Lease.fence) == fence
    held = select(col(Lease.id)).where(*is_his).with_for_update(read=True, key_share=True)
    if await tx.scalar(held) is None:
        raise LeaseLost(f"Another process has taken over: {name}. Nothing was changed.")


def _clock(session: Session, now: datetime, seconds: float) -> tuple[Any, Any]:
    """Return the present by the database's clock, and so many seconds after it, as statements take them."""
    if session.dialect == "sqlite":
        return now, now + timedelta(seconds=seconds)
    clock = func.statement_timestamp()
    return clock, clock + func.make_interval(0, 0, 0, 0, 0, 0, bindparam(None, seconds, type_=Float))
