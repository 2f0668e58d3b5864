"""What their owners may do about executions: bring one about, cancel it, try again, say what became of it."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, cast
from uuid import UUID

from sqlalchemy import update
from sqlmodel import col, select

from db.access.viewer import Viewer
from db.accounts.catalogue import checked_parameters
from db.accounts.events import ExecutionsWaiting
from db.accounts.holding import checked_web_url, owned_row
from db.accounts.queueing import (
    WORDS,
    Order,
    check_quantity,
    find_service,
    hold_account,
    hold_guards,
    offers_of,
    order_of,
    queue,
    said,
    service_of,
    write_down,
)
from db.accounts.screenshots import want_again
from db.accounts.tables import Account, Action, Execution
from db.accounts.vocabulary import (
    ExecutionCause,
    ExecutionSkipReason,
    ExecutionState,
)
from db.errors import Conflict
from db.ids import new_id
from db.session import Transaction


async def run_action(
    tx: Transaction, action_id: UUID, *, viewer: Viewer | None, may_repeat: bool = False, now: datetime
) -> Execution:
    """Run an action by hand, for its account's own address. Raises `NotFound`, and `Conflict` with its guard."""
    action = await owned_row(tx, Action, action_id, viewer)
    account = await hold_account(tx, action.account_id)
    offer = (await offers_of(tx, [action]))[action.service_id]
    order = order_of(offer, action, account, account.url, ExecutionCause.MANUAL)
    (execution,) = await queue(tx, [_repeatable(order, may_repeat=may_repeat)], now)
    _check_sent(execution)
    return execution


async def create_execution(
    tx: Transaction,
    *,
    owner_id: UUID,
    service_id: UUID,
    target_url: str,
    quantity: int,
    parameters: Mapping[str, str],
    account_id: UUID | None = None,
    may_repeat: bool = False,
    viewer: Viewer | None,
    now: datetime,
) -> Execution:
    """Have something carried out at once. Raises `Invalid`, `NotFound`, and `Conflict` with what holds it back."""
    url = checked_web_url(target_url, field="target_url")
    service, provider = await service_of(tx, service_id)
    check_quantity(service, quantity)
    given = checked_parameters(service.parameters, parameters)
    account = None
    if account_id is not None:
        owner_id = (await owned_row(tx, Account, account_id, viewer, field="account_id")).owner_id
        account = await hold_account(tx, account_id)
    order = Order(
        owner_id=owner_id,
        service=service,
        provider=provider,
        target_url=url,
        quantity=quantity,
        parameters=said(given, account, url, ""),
        cause=ExecutionCause.INSTANT,
        account=account,
        may_repeat=may_repeat,
    )
    (execution,) = await queue(tx, [order], now)
    _check_sent(execution)
    return execution


async def cancel_execution(tx: Transaction, execution_id: UUID, *, viewer: Viewer | None, now: datetime) -> Execution:
    """Cancel what was not sent at once; what was, as soon as the provider says so. Raises `Conflict` and `NotFound`."""
    execution = await owned_row(tx, Execution, execution_id, viewer)
    if execution.state is ExecutionState.QUEUED:
        columns = {"state": ExecutionState.CANCELED, "finished_at": now, "next_attempt_at": None}
        return await moved(tx, execution, columns, "Canceled before it was sent.", now)
    if execution.state not in {ExecutionState.SUBMITTED, ExecutionState.IN_PROGRESS}:
        raise Conflict(f"The execution is {execution.state}: it cannot be canceled.", field="id")
    service = None if execution.service_id is None else await find_service(tx, execution.service_id)
    if service is None or not service.can_be_canceled:
        raise Conflict("The provider cannot cancel what it has taken.", field="id")
    tx.record(ExecutionsWaiting())
    columns = {"is_cancel_wanted": True, "next_status_at": now}
    return await moved(tx, execution, columns, "The provider is asked to cancel it.", now)


async def retry_execution(
    tx: Transaction, execution_id: UUID, *, may_repeat: bool = False, viewer: Viewer | None, now: datetime
) -> Execution:
    """Queue again what failed, was canceled or held back. What may have been sent only with `may_repeat`.

    Guards are asked again. Raises `Conflict` and `NotFound`.
    """
    execution = await owned_row(tx, Execution, execution_id, viewer)
    if execution.state is ExecutionState.UNKNOWN and not may_repeat:
        raise Conflict(
            "The provider's answer was lost, so it may have been carried out. Say `mayRepeat: true` to send it again.",
            field="id",
        )
    if execution.state not in _RETRIED:
        raise Conflict(f"The execution is {execution.state}: there is nothing to retry.", field="id")
    if execution.service_id is None:
        raise Conflict("The service is gone.", field="id")
    await _check_again(tx, execution, now, may_repeat=may_repeat)
    columns: dict[str, Any] = {
        "state": ExecutionState.QUEUED,
        "skip_reason": None,
        "reference": None,
        "provider_word": "",
        "charge": None,
        "attempt_count": 0,
        "status_count": 0,
        "next_attempt_at": now,
        "next_status_at": None,
        "submitted_at": None,
        "finished_at": None,
        "is_cancel_wanted": False,
        "queued_at": now,
    }
    # Under the old key the provider would answer with what came of the first try.
    columns["key"] = new_id()
    await want_again(tx, execution_id)
    tx.record(ExecutionsWaiting())
    return await moved(tx, execution, columns, "Queued again.", now)


async def resolve_execution(
    tx: Transaction, execution_id: UUID, *, was_carried_out: bool, viewer: Viewer | None, now: datetime
) -> Execution:
    """Say by hand what became of an execution whose answer was lost. Raises `Conflict` for others, `NotFound`."""
    execution = await owned_row(tx, Execution, execution_id, viewer)
    if execution.state is not ExecutionState.UNKNOWN:
        raise Conflict(f"The execution is {execution.state}: what became of it is known.", field="id")
    state = ExecutionState.COMPLETED if was_carried_out else ExecutionState.FAILED
    columns = {"state": state, "finished_at": now, "next_status_at": None}
    if was_carried_out and execution.charge is None:
        columns["charge"] = execution.estimate
    return await moved(tx, execution, columns, "Said by hand.", now)


async def moved(
    tx: Transaction, execution: Execution, columns: Mapping[str, Any], note: str, now: datetime, **held: Any
) -> Execution:
    """Change an execution that is as it was read, write it down, and tell. Raises `Conflict` if somebody was faster."""
    conditions = [col(getattr(Execution, name)) == value for name, value in held.items()]
    is_as_read = col(Execution.id) == execution.id, col(Execution.revision) == execution.revision
    values = {**columns, "revision": col(Execution.revision) + 1, "changed_at": now}
    changed = update(Execution).where(*is_as_read, *conditions).values(**values).returning(Execution)
    after = await tx.row(changed)
    if after is None:
        raise Conflict("The execution has just changed: look at it again.", field="id")
    await write_down(tx, [after], note, now)
    return after


async def _check_again(tx: Transaction, execution: Execution, now: datetime, *, may_repeat: bool) -> None:
    """Raise `Conflict` if a guard would hold an execution back now."""
    service, provider = await service_of(tx, cast("UUID", execution.service_id))
    account = None if execution.account_id is None else await hold_account(tx, execution.account_id)
    action = None
    if execution.action_id is not None:
        action = await tx.row(select(Action).where(col(Action.id) == execution.action_id))
    order = Order(
        owner_id=execution.owner_id,
        service=service,
        provider=provider,
        target_url=execution.target_url,
        quantity=execution.quantity,
        parameters=execution.parameters,
        cause=execution.cause,
        account=account,
        action=action,
        # It is the same execution: it does not stand in its own way.
        may_repeat=may_repeat or execution.state is not ExecutionState.SKIPPED,
    )
    guards = await hold_guards(tx, [order], now)
    reason = guards.judge(order, execution.estimate or Decimal(0))
    if reason is not None:
        raise Conflict(WORDS[reason], field="id")


def _check_sent(execution: Execution) -> None:
    if execution.skip_reason is not None and execution.skip_reason is not ExecutionSkipReason.DRY_RUN:
        raise Conflict(WORDS[execution.skip_reason])


def _repeatable(order: Order, *, may_repeat: bool) -> Order:
    return Order(**{**order.__dict__, "may_repeat": may_repeat})


_RETRIED = {
    ExecutionState.FAILED,
    ExecutionState.CANCELED,
    ExecutionState.SKIPPED,
    ExecutionState.UNKNOWN,
}
