"""The sandbox's own books: what it was told, and how that goes by the clock. It knows nothing of executions."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import cast
from uuid import UUID

from sqlalchemy import update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlmodel import col, select

from db.accounts.money import amount, cost_of, units
from db.accounts.tables import SandboxOrder
from db.accounts.words import Report
from db.parameters import any_of
from db.session import Session, Transaction

BEGINS_AFTER = timedelta(seconds=10)
ENDS_AFTER = timedelta(seconds=60)
_ENDS = {"COMPLETED": "Completed", "PARTIAL": "Partial", "FAILED": "Fail", "CANCELED": "Canceled", "LOST": "Completed"}


async def take_order(
    tx: Transaction,
    *,
    key: UUID,
    service_key: str,
    target_url: str,
    quantity: int,
    price_per_thousand: Decimal,
    outcome: str,
    now: datetime,
) -> SandboxOrder:
    """Take an order; one with a key that is known is counted, and is the same one."""
    values = {
        "key": key,
        "reference": f"S-{key.hex[-12:]}",
        "service_key": service_key,
        "target_url": target_url,
        "quantity": quantity,
        "charge": cost_of(price_per_thousand, quantity),
        "outcome": outcome,
        "call_count": 1,
        "submitted_at": now,
    }
    taken = upsert(SandboxOrder).values(**values)
    counted = {"call_count": col(SandboxOrder.call_count) + 1}
    found = await tx.row(taken.on_conflict_do_update(index_elements=["key"], set_=counted).returning(SandboxOrder))
    return cast("SandboxOrder", found)


async def cancel_order(tx: Transaction, key: UUID, *, now: datetime) -> bool:
    """Cancel an order that is not done. Says whether there was one."""
    is_open = (
        col(SandboxOrder.key) == key,
        col(SandboxOrder.canceled_at).is_(None),
        col(SandboxOrder.submitted_at) > now - ENDS_AFTER,
    )
    canceled = update(SandboxOrder).where(*is_open).values(canceled_at=now).returning(SandboxOrder)
    return await tx.row(canceled) is not None


async def find_orders(session: Session, keys: Sequence[UUID]) -> dict[UUID, SandboxOrder]:
    """Return the orders of these keys."""
    found = await session.rows(select(SandboxOrder).where(any_of(col(SandboxOrder.key), keys)))
    return {one.key: one for one in found}


def report_of(order: SandboxOrder, now: datetime) -> Report:
    """Say how an order goes at an instant."""
    word = _word(order, now)
    done = {"Completed": order.quantity, "Partial": order.quantity // 2}.get(word, 0)
    is_over = word in {*_ENDS.values(), "Canceled"}
    charge = amount(units(order.charge) * done // order.quantity) if is_over else order.charge
    return Report(
        word=word,
        reference=order.reference,
        charge=charge,
        currency="USD",
        start_count=0,
        remaining=order.quantity - done,
        answer=f'{{"status":"{word}","charge":"{charge:f}"}}',
    )


def _word(order: SandboxOrder, now: datetime) -> str:
    if order.canceled_at is not None:
        return "Canceled"
    age = now - order.submitted_at
    if age < BEGINS_AFTER:
        return "Pending"
    return "In progress" if age < ENDS_AFTER else _ENDS.get(order.outcome, "Completed")
