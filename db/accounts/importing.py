"""Orders and executions of the older dashboard, taken in as executions: once, however often they are given."""

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlmodel import col, select

from db.accounts.executions import NOTHING_YET, write_down
from db.accounts.money import MOST, rounded
from db.accounts.tables import Account, Execution
from db.accounts.vocabulary import ExecutionCause, ExecutionState
from db.accounts.words import state_of
from db.errors import Invalid
from db.ids import new_id
from db.session import Transaction

MOST_ORDERS = 5000
LONGEST_DOCUMENT = 5_000_000
_LARGEST_QUANTITY = 2**31 - 1
_LONGEST_TEXT = 2000
_CAUSES = {"rss_trigger": ExecutionCause.POST}


@dataclass(frozen=True, kw_only=True)
class Imported:
    """How many orders were taken in, and how many had been before."""

    imported: int
    existing: int


@dataclass(frozen=True, kw_only=True)
class Order:
    """An order of the older dashboard, read."""

    legacy_key: str
    columns: dict[str, Any]
    username: str


def read_orders(document: str, *, now: datetime) -> list[Order]:
    """Read a JSON list of rows of `orders` or `execution_history`. Raises `Invalid`, naming the row at fault."""
    if len(document) > LONGEST_DOCUMENT:
        raise Invalid(f"A document has {LONGEST_DOCUMENT:,} characters at most.", field="document")
    try:
        rows = orjson.loads(document)
    except orjson.JSONDecodeError as error:
        raise Invalid(f"This is not JSON: {error}.", field="document") from error
    if not isinstance(rows, list) or len(rows) > MOST_ORDERS:
        raise Invalid(f"A document is a list of {MOST_ORDERS:,} rows at most.", field="document")
    return [_read(row, number, now) for number, row in enumerate(rows, start=1)]


async def import_orders(tx: Transaction, *, owner_id: UUID, document: str, now: datetime) -> Imported:
    """Take orders in, all or none. Raises `Invalid`."""
    orders = read_orders(document, now=now)
    accounts = await tx.rows(select(Account).where(col(Account.owner_id) == owner_id))
    by_name = {(one.platform, one.username.lower()): one.id for one in accounts}
    imported = 0
    for order in orders:
        account_id = by_name.get((order.columns["platform"], order.username.lower()))
        values = {
            "id": new_id(),
            "key": new_id(),
            "owner_id": owner_id,
            "account_id": account_id,
            "legacy_key": order.legacy_key,
            **NOTHING_YET,
            **order.columns,
            "revision": 0,
            "changed_at": now,
        }
        made = await tx.row(upsert(Execution).values(**values).on_conflict_do_nothing().returning(Execution))
        if made is not None:
            imported += 1
            await write_down(tx, [made], "Taken in from the older dashboard.", now)
    return Imported(imported=imported, existing=len(orders) - imported)


def _read(row: Any, number: int, now: datetime) -> Order:
    if not isinstance(row, dict):
        raise _wrong(number, "it is no object")
    order_id, kind = row.get("id"), "history" if "target_url" in row else "orders"
    if not isinstance(order_id, int) or isinstance(order_id, bool):
        raise _wrong(number, "its `id` is no number")
    word = _text(row, "status", number) or "pending"
    queued_at = _instant(row, "created_at", number) or now
    columns = {
        "cause": _CAUSES.get(_text(row, "execution_type", number), ExecutionCause.INSTANT),
        "platform": _text(row, "platform", number).lower(),
        "provider_name": "JAP",
        "service_key": str(row.get("service_id", row.get("jap_service_id", "")))[:_LONGEST_TEXT],
        "service_name": _text(row, "service_name", number),
        "target_url": _text(row, "target_url", number),
        "quantity": _quantity(row, number),
        "parameters": {},
        "charge": _cost(row, number),
        "currency": "USD",
        "state": _settled(word),
        "provider_word": word[:100],
        "last_answer": _text(row, "jap_order_id", number),
        "queued_at": queued_at,
        "finished_at": _instant(row, "updated_at", number) or queued_at,
    }
    return Order(legacy_key=f"{kind}:{order_id}", columns=columns, username=_text(row, "account_username", number))


def _settled(word: str) -> ExecutionState:
    """Say how an order ended: one that was still under way is one that nobody asks after any more."""
    state = state_of(word)
    is_open = state in {ExecutionState.SUBMITTED, ExecutionState.IN_PROGRESS}
    return ExecutionState.UNKNOWN if is_open else state


def _text(row: dict[str, Any], name: str, number: int) -> str:
    value = row.get(name)
    if value is None:
        return ""
    if not isinstance(value, str) or len(value) > _LONGEST_TEXT or "\x00" in value:
        raise _wrong(number, f"its `{name}` is no text of {_LONGEST_TEXT:,} characters at most")
    return value


def _quantity(row: dict[str, Any], number: int) -> int:
    value = row.get("quantity")
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= _LARGEST_QUANTITY:
        raise _wrong(number, "its `quantity` is no whole number")
    return value


def _cost(row: dict[str, Any], number: int) -> Decimal | None:
    value = row.get("cost")
    if value is None:
        return None
    try:
        # What was a float there is what it was printed as.
        cost = Decimal(str(value))
        is_fine = cost.is_finite() and 0 <= cost <= MOST
    except InvalidOperation:
        is_fine = False
    if not is_fine:
        raise _wrong(number, "its `cost` is no amount")
    return rounded(cost)


def _instant(row: dict[str, Any], name: str, number: int) -> datetime | None:
    value = row.get(name)
    if value is None:
        return None
    try:
        instant = datetime.fromisoformat(value)
        # SQLite's CURRENT_TIMESTAMP is in UTC, and does not say so.
        return (instant if instant.tzinfo else instant.replace(tzinfo=UTC)).astimezone(UTC)
    except (TypeError, ValueError, OverflowError) as error:
        raise _wrong(number, f"its `{name}` is no time") from error


def _wrong(number: int, what: str) -> Invalid:
    return Invalid(f"Row {number} cannot be taken in: {what}. Nothing was.", field="document")
