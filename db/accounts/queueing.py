"""How executions come to be: what holds them back, and how they are stored, written down and told of.

Whoever queues one holds the account and, where it has a cap, the provider: what was queued today is then counted by one
at a time, and no cap is passed however many come at once.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple, cast
from uuid import UUID

from sqlalchemy import BigInteger, func, insert, update
from sqlalchemy import cast as sql_cast
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlmodel import col, select

from db.accounts.catalogue import filled_in
from db.accounts.events import ExecutionChanged, ExecutionsWaiting
from db.accounts.money import UNITS, cost_of, summed
from db.accounts.screenshots import settle_screenshots, want_screenshots
from db.accounts.tables import Account, Action, Execution, ExecutionEvent, Provider, Service
from db.accounts.vocabulary import ExecutionCause, ExecutionSkipReason, ExecutionState
from db.errors import Conflict, Invalid, NotFound
from db.ids import new_id
from db.parameters import any_of
from db.session import Session, Transaction

# The same target is not served twice by the same service within this time.
NO_REPEAT = timedelta(hours=24)
# What counts against a cap, and as a repeat: all that was sent, or still may be.
_COUNTED = tuple(state for state in ExecutionState if state is not ExecutionState.SKIPPED)
_SPENT = tuple(state for state in _COUNTED if state not in {ExecutionState.CANCELED, ExecutionState.FAILED})
WORDS = {
    ExecutionSkipReason.DRY_RUN: "This is a dry run: nothing is sent.",
    ExecutionSkipReason.REPEAT: "The same service was asked for this target within the last 24 hours.",
    ExecutionSkipReason.DAILY_LIMIT: "No more may be carried out today.",
    ExecutionSkipReason.SPEND_LIMIT: "No more may be spent today.",
    ExecutionSkipReason.NO_TARGET: "There is no address that it could be for.",
    ExecutionSkipReason.PROVIDER_DISABLED: "The provider is switched off.",
}


class Offer(NamedTuple):
    """A service, and who does it."""

    service: Service
    provider: Provider


@dataclass(frozen=True, kw_only=True)
class Order:
    """What is to be carried out, and why."""

    owner_id: UUID
    service: Service
    provider: Provider
    target_url: str
    quantity: int
    parameters: Mapping[str, Any]
    cause: ExecutionCause
    account: Account | None = None
    action: Action | None = None
    post_id: UUID | None = None
    trigger_id: UUID | None = None
    occurrence: str | None = None
    may_repeat: bool = False


@dataclass(kw_only=True)
class _Used:
    """What was used of a cap today."""

    count: int
    spent: Decimal


@dataclass(kw_only=True)
class Guards:
    """What holds executions back, as it stands while its rows are held."""

    now: datetime
    used: dict[UUID, _Used] = field(default_factory=dict)
    repeated: set[tuple[UUID, str]] = field(default_factory=set)

    def judge(self, order: Order, estimate: Decimal) -> ExecutionSkipReason | None:
        """Say why an order is held back; `None` if it is not, and it is counted then."""
        if order.action is not None and order.action.is_dry_run:
            return ExecutionSkipReason.DRY_RUN
        if not order.target_url:
            return ExecutionSkipReason.NO_TARGET
        if not order.provider.is_enabled:
            return ExecutionSkipReason.PROVIDER_DISABLED
        target = (order.service.id, order.target_url)
        if target in self.repeated and not order.may_repeat:
            return ExecutionSkipReason.REPEAT
        capped = [one for one in (order.account, order.action, order.provider) if one is not None]
        reason = next((found for one in capped if (found := self._full(one, estimate))), None)
        if reason is None:
            self.repeated.add(target)
            for one in capped:
                used = self.used.setdefault(one.id, _Used(count=0, spent=Decimal(0)))
                used.count, used.spent = used.count + 1, used.spent + estimate
        return reason

    def _full(self, capped: Any, estimate: Decimal) -> ExecutionSkipReason | None:
        used = self.used.get(capped.id, _Used(count=0, spent=Decimal(0)))
        if capped.daily_limit is not None and used.count >= capped.daily_limit:
            return ExecutionSkipReason.DAILY_LIMIT
        most = getattr(capped, "daily_spend_limit", None)
        return ExecutionSkipReason.SPEND_LIMIT if most is not None and used.spent + estimate > most else None


async def queue(tx: Transaction, orders: Sequence[Order], now: datetime) -> list[Execution]:
    """Store what is to be carried out, each with what a guard says of it; what is stored already is left alone.

    The account of these orders is one, and held by the caller.
    """
    if not orders:
        return []
    guards = await hold_guards(tx, orders, now)
    made = [await _insert(tx, order, guards, now) for order in orders]
    found = [execution for execution in made if execution is not None]
    if any(execution.state is ExecutionState.QUEUED for execution in found):
        tx.record(ExecutionsWaiting())
    return found


async def hold_account(tx: Transaction, account_id: UUID) -> Account:
    """Be alone with an account until the commit. Raises `NotFound`."""
    held = update(Account).where(col(Account.id) == account_id).values(revision=col(Account.revision))
    account = await tx.row(held.returning(Account))
    if account is None:
        raise NotFound("There is no such account.", field="account_id")
    return account


async def service_of(tx: Transaction, service_id: UUID) -> Offer:
    """Return a service that is offered, and its provider. Raises `NotFound` and `Conflict`."""
    service = await find_service(tx, service_id)
    if service is None:
        raise NotFound("There is no such service.", field="service_id")
    if service.removed_at is not None:
        raise Conflict("The provider does not offer this service any more.", field="service_id")
    provider = await tx.row(select(Provider).where(col(Provider.id) == service.provider_id))
    return Offer(service, cast("Provider", provider))


async def offers_of(tx: Transaction, actions: Iterable[Action]) -> dict[UUID, Offer]:
    """Return what actions run, by the ids of the services."""
    wanted = {action.service_id for action in actions}
    services = await tx.rows(select(Service).where(any_of(col(Service.id), wanted)))
    of_services = any_of(col(Provider.id), {one.provider_id for one in services})
    providers = {one.id: one for one in await tx.rows(select(Provider).where(of_services))}
    return {one.id: Offer(one, providers[one.provider_id]) for one in services}


def order_of(
    offer: Offer,
    action: Action,
    account: Account,
    target_url: str,
    cause: ExecutionCause,
    *,
    title: str = "",
    **more: Any,
) -> Order:
    """Return what an action asks for; `title` is that of the post it is about."""
    return Order(
        owner_id=action.owner_id,
        service=offer.service,
        provider=offer.provider,
        target_url=target_url,
        quantity=action.quantity,
        parameters=said(action.parameters, account, target_url, title),
        cause=cause,
        account=account,
        action=action,
        **more,
    )


def check_quantity(service: Service, quantity: int) -> None:
    """Raise `Invalid` for a quantity that a service does not take."""
    if not service.min_quantity <= quantity <= service.max_quantity:
        raise Invalid(
            f"{service.name} comes in quantities of {service.min_quantity:,} to {service.max_quantity:,}.",
            field="quantity",
        )


async def write_down(tx: Transaction, executions: Iterable[Execution], note: str, now: datetime) -> None:
    """Add to the timelines of executions that were just changed, and tell of them."""
    rows = list(executions)
    if not rows:
        return
    entries = [
        {
            "id": new_id(),
            "execution_id": one.id,
            "revision": one.revision,
            "state": one.state,
            "note": note,
            "happened_at": now,
        }
        for one in rows
    ]
    await tx.execute_many(insert(ExecutionEvent), entries)
    await settle_screenshots(tx, rows, now)
    for one in rows:
        tx.record(ExecutionChanged(execution=one))


# Their own


async def hold_guards(tx: Transaction, orders: Sequence[Order], now: datetime) -> Guards:
    """Be alone with the providers that have caps, and count what was queued today."""
    capped = {order.provider.id for order in orders if order.account is None or _has_cap(order.provider)}
    # In one order, so that nobody waits for somebody who waits for him.
    for provider_id in sorted(capped):
        await tx.execute(
            update(Provider).where(col(Provider.id) == provider_id).values(revision=col(Provider.revision))
        )
    guards = Guards(now=now)
    for column, rows in (
        (Execution.account_id, [order.account for order in orders]),
        (Execution.action_id, [order.action for order in orders]),
        (Execution.provider_id, [order.provider for order in orders]),
    ):
        for row in {one.id: one for one in rows if one is not None and _has_cap(one)}.values():
            guards.used[row.id] = await _used(tx, column, row.id, now)
    guards.repeated = await _repeated(tx, orders, now)
    return guards


def _has_cap(row: Any) -> bool:
    return row.daily_limit is not None or getattr(row, "daily_spend_limit", None) is not None


async def _used(session: Session, column: Any, row_id: UUID, now: datetime) -> _Used:
    """Count what was queued since midnight by UTC for an account, an action or a provider."""
    today = col(Execution.queued_at) >= now.replace(hour=0, minute=0, second=0, microsecond=0)
    price = func.coalesce(col(Execution.charge), col(Execution.estimate), type_=BigInteger())
    whole, part = sql_cast(func.sum(price // UNITS), BigInteger), sql_cast(func.sum(price % UNITS), BigInteger)
    counted = select(func.count(), whole, part).where(
        col(column) == row_id, today, any_of(col(Execution.state), _SPENT)
    )
    ((count, wholes, parts),) = await session.tuples(counted)
    return _Used(count=count, spent=summed(wholes or 0, parts or 0))


async def _repeated(tx: Transaction, orders: Sequence[Order], now: datetime) -> set[tuple[UUID, str]]:
    """Return which services were asked for which of these targets lately."""
    first = orders[0]
    whose = (
        col(Execution.owner_id) == first.owner_id
        if first.account is None
        else col(Execution.account_id) == first.account.id
    )
    found = await tx.tuples(
        select(col(Execution.service_id), col(Execution.target_url)).where(
            whose,
            any_of(col(Execution.target_url), {order.target_url for order in orders}),
            col(Execution.queued_at) > now - NO_REPEAT,
            any_of(col(Execution.state), _SPENT),
        )
    )
    return {(row[0], row[1]) for row in found}


async def _insert(tx: Transaction, order: Order, guards: Guards, now: datetime) -> Execution | None:
    """Store one execution, `None` if its cause has one already."""
    estimate = cost_of(order.service.price_per_thousand, order.quantity)
    reason = guards.judge(order, estimate)
    state = ExecutionState.QUEUED if reason is None else ExecutionState.SKIPPED
    values = {
        "id": new_id(),
        "key": new_id(),
        "owner_id": order.owner_id,
        "account_id": None if order.account is None else order.account.id,
        "action_id": None if order.action is None else order.action.id,
        "post_id": order.post_id,
        "trigger_id": order.trigger_id,
        "occurrence": order.occurrence,
        "provider_id": order.provider.id,
        "service_id": order.service.id,
        "cause": order.cause,
        "platform": "" if order.account is None else order.account.platform,
        "provider_name": order.provider.name,
        "service_key": order.service.key,
        "service_name": order.service.name,
        "target_url": order.target_url,
        "quantity": order.quantity,
        "parameters": dict(order.parameters),
        "estimate": estimate,
        "currency": order.service.currency,
        "state": state,
        "skip_reason": reason,
        **NOTHING_YET,
        "next_attempt_at": now if reason is None else None,
        "queued_at": now,
        "finished_at": None if reason is None else now,
        "revision": 0,
        "changed_at": now,
    }
    made = await tx.row(upsert(Execution).values(**values).on_conflict_do_nothing().returning(Execution))
    if made is None:
        return None
    await write_down(tx, [made], "Queued." if reason is None else WORDS[reason], now)
    if order.action is not None and order.action.has_screenshots and reason is None:
        await want_screenshots(tx, made, now)
    return made


def said(parameters: Mapping[str, Any], account: Account | None, url: str, title: str) -> dict[str, Any]:
    """Return what a service is told, places filled in."""
    name, platform = ("", "") if account is None else (account.display_name or account.username, account.platform)
    return filled_in(parameters, title=title, url=url, account=name, platform=platform)


async def find_service(tx: Transaction, service_id: UUID) -> Service | None:
    """Return a service, offered or not; `None` if there is none."""
    return await tx.row(select(Service).where(col(Service.id) == service_id))


NOTHING_YET: dict[str, Any] = {
    "provider_word": "",
    "last_answer": "",
    "last_error": "",
    "attempt_count": 0,
    "status_count": 0,
    "is_cancel_wanted": False,
}
