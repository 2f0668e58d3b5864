"""How actions and their triggers may change, and what triggers make run when their time has come."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, cast
from uuid import UUID

from sqlalchemy import delete, func, insert, update
from sqlmodel import col, select

from db.access.viewer import Viewer
from db.accounts.catalogue import checked_parameters
from db.accounts.executions import check_quantity, hold_account, offers_of, order_of, queue, service_of
from db.accounts.holding import LONGEST_NAME, change_row, checked_limit, owned_row
from db.accounts.schedule import next_time, read_cron
from db.accounts.tables import Account, Action, Execution, Feed, Post, Trigger
from db.accounts.vocabulary import ConditionMetric, ExecutionCause, ExecutionState, PostOutcome, TriggerKind
from db.errors import Conflict, Invalid, NotFound
from db.ids import new_id
from db.session import Session, Transaction
from db.texts import checked
from db.zones import time_zone

MOST_ACTIONS = 100
MOST_TRIGGERS = 20
_LARGEST_THRESHOLD = 1_000_000
_FLAGS = ("is_for_posts", "is_dry_run", "has_screenshots")
NEW_ACTION: dict[str, Any] = {
    "name": "",
    "quantity": None,
    "parameters": {},
    "is_for_posts": True,
    "is_dry_run": False,
    "has_screenshots": False,
    "daily_limit": None,
}


# Actions


async def create_action(
    tx: Transaction,
    account_id: UUID,
    service_id: UUID,
    changes: Mapping[str, Any],
    *,
    viewer: Viewer | None,
    now: datetime,
) -> Action:
    """Have a service run for an account, for each new post unless it is said otherwise.

    Raises `Invalid`, `Conflict` and `NotFound`.
    """
    account = await owned_row(tx, Account, account_id, viewer, field="account_id")
    service, _ = await service_of(tx, service_id)
    columns = _action_columns(service, {**NEW_ACTION, **changes})
    await hold_account(tx, account_id)
    count = select(func.count()).select_from(Action).where(col(Action.account_id) == account_id)
    if await tx.scalar(count) >= MOST_ACTIONS:
        raise Conflict(f"An account has {MOST_ACTIONS} actions at most.", field="account_id")
    values = {
        "id": new_id(),
        "owner_id": account.owner_id,
        "account_id": account_id,
        "service_id": service_id,
        "kind": service.kind,
        **columns,
        "is_active": True,
        "revision": 0,
        "created_at": now,
        "changed_at": now,
    }
    return cast("Action", await tx.row(insert(Action).values(**values).returning(Action)))


async def update_action(
    tx: Transaction, action_id: UUID, changes: Mapping[str, Any], *, viewer: Viewer | None, now: datetime
) -> Action:
    """Change some of an action. Raises `Invalid`, `Conflict` and `NotFound`."""
    action = await owned_row(tx, Action, action_id, viewer)
    service, _ = await service_of(tx, action.service_id)
    columns = _action_columns(service, changes)
    return await change_row(tx, Action, action_id, columns, now) if columns else action


async def activate_action(
    tx: Transaction, action_id: UUID, *, is_active: bool, viewer: Viewer | None, now: datetime
) -> Action:
    """Let an action run by itself, or not; by hand it runs all the same."""
    action = await owned_row(tx, Action, action_id, viewer)
    if action.is_active == is_active:
        return action
    return await change_row(tx, Action, action_id, {"is_active": is_active}, now)


async def delete_action(tx: Transaction, action_id: UUID, *, viewer: Viewer | None) -> Action:
    """Remove an action with its triggers; what it carried out stays. Returns it as it was."""
    action = await owned_row(tx, Action, action_id, viewer)
    await tx.execute(delete(Action).where(col(Action.id) == action_id))
    return action


# Triggers


async def create_trigger(
    tx: Transaction,
    action_id: UUID,
    *,
    kind: TriggerKind,
    changes: Mapping[str, Any],
    viewer: Viewer | None,
    now: datetime,
) -> Trigger:
    """Make an action run at times, or under a condition. Raises `Invalid`, `Conflict` and `NotFound`."""
    await owned_row(tx, Action, action_id, viewer, field="action_id")
    count = select(func.count()).select_from(Trigger).where(col(Trigger.action_id) == action_id)
    if await tx.scalar(count) >= MOST_TRIGGERS:
        raise Conflict(f"An action has {MOST_TRIGGERS} triggers at most.", field="action_id")
    columns = _trigger_columns(kind, changes, now)
    values = {
        "id": new_id(),
        "action_id": action_id,
        "kind": kind,
        "is_active": True,
        **columns,
        "is_met": False,
        "execution_count": 0,
        "created_at": now,
    }
    return cast("Trigger", await tx.row(insert(Trigger).values(**values).returning(Trigger)))


async def activate_trigger(
    tx: Transaction, trigger_id: UUID, *, is_active: bool, viewer: Viewer | None, now: datetime
) -> Trigger:
    """Switch a trigger on or off. What fell due while it was off is not made up for."""
    trigger = await _owned_trigger(tx, trigger_id, viewer)
    columns: dict[str, Any] = {"is_active": is_active, "next_at": None}
    if is_active:
        columns["next_at"] = _due_after(trigger.kind, trigger.cron, trigger.time_zone, now)
    changed = update(Trigger).where(col(Trigger.id) == trigger_id).values(**columns).returning(Trigger)
    return cast("Trigger", await tx.row(changed))


async def delete_trigger(tx: Transaction, trigger_id: UUID, *, viewer: Viewer | None) -> Trigger:
    """Remove a trigger; return it as it was."""
    trigger = await _owned_trigger(tx, trigger_id, viewer)
    await tx.execute(delete(Trigger).where(col(Trigger.id) == trigger_id))
    return trigger


async def pull_trigger(tx: Transaction, trigger_id: UUID, *, viewer: Viewer | None, now: datetime) -> Execution:
    """Run the action of a trigger that waits for somebody to do so. Raises `Conflict` for others, and `NotFound`."""
    trigger = await _owned_trigger(tx, trigger_id, viewer)
    if trigger.kind is not TriggerKind.MANUAL or not trigger.is_active:
        raise Conflict("This trigger is not one to be pulled by hand, or it is off.", field="id")
    (execution,) = await _fire(tx, trigger, str(trigger.execution_count + 1), ExecutionCause.MANUAL, now)
    return execution


async def fire_due(tx: Transaction, trigger_id: UUID, *, now: datetime) -> Sequence[Execution]:
    """Run what a trigger asks for now, if it still does: once for each time it fell due, however many look at once."""
    is_due = col(Trigger.id) == trigger_id, col(Trigger.is_active).is_(True), col(Trigger.next_at) <= now
    before = await tx.row(select(Trigger).where(*is_due))
    if before is None:
        return ()
    next_at = _due_after(before.kind, before.cron, before.time_zone, now)
    same = col(Trigger.next_at) == before.next_at
    held = await tx.row(update(Trigger).where(*is_due, same).values(next_at=next_at).returning(Trigger))
    if held is None:
        return ()
    if held.kind is TriggerKind.SCHEDULE:
        due_at = cast("datetime", before.next_at)
        return await _fire(tx, held, due_at.isoformat(), ExecutionCause.SCHEDULE, now)
    return await _fire_if_met(tx, held, now)


async def due_triggers(session: Session, *, now: datetime, limit: int) -> list[UUID]:
    """Return the triggers that are to be looked at, the longest due first."""
    is_due = col(Trigger.next_at).is_not(None), col(Trigger.next_at) <= now, col(Trigger.is_active).is_(True)
    found = await session.tuples(select(col(Trigger.id)).where(*is_due).order_by(col(Trigger.next_at)).limit(limit))
    return [row[0] for row in found]


async def _fire_if_met(tx: Transaction, trigger: Trigger, now: datetime) -> Sequence[Execution]:
    action = await _action(tx, trigger.action_id)
    is_met = await _metric(tx, cast("ConditionMetric", trigger.metric), action.account_id, now) >= (
        trigger.threshold or 0
    )
    if is_met == trigger.is_met:
        return ()
    await tx.execute(update(Trigger).where(col(Trigger.id) == trigger.id).values(is_met=is_met))
    if not is_met:
        return ()
    return await _fire(tx, trigger, str(trigger.execution_count + 1), ExecutionCause.CONDITION, now)


async def _fire(
    tx: Transaction, trigger: Trigger, occurrence: str, cause: ExecutionCause, now: datetime
) -> list[Execution]:
    action = await _action(tx, trigger.action_id)
    account = await hold_account(tx, action.account_id)
    by_itself = cause is not ExecutionCause.MANUAL
    if by_itself and not (action.is_active and account.is_enabled):
        return []
    counted = {"execution_count": col(Trigger.execution_count) + 1, "last_executed_at": now}
    await tx.execute(update(Trigger).where(col(Trigger.id) == trigger.id).values(**counted))
    offer = (await offers_of(tx, [action]))[action.service_id]
    order = order_of(
        offer, action, account, account.url, cause, trigger_id=trigger.id, occurrence=occurrence, may_repeat=True
    )
    return await queue(tx, [order], now)


async def _metric(tx: Transaction, metric: ConditionMetric, account_id: UUID, now: datetime) -> int:
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    counts = {
        ConditionMetric.POSTS_TODAY: select(func.count())
        .select_from(Post)
        .where(
            col(Post.account_id) == account_id,
            col(Post.seen_at) >= today,
            col(Post.outcome) != PostOutcome.BASELINE,
        ),
        ConditionMetric.EXECUTIONS_TODAY: select(func.count())
        .select_from(Execution)
        .where(
            col(Execution.account_id) == account_id,
            col(Execution.queued_at) >= today,
            col(Execution.state) != ExecutionState.SKIPPED,
        ),
        ConditionMetric.FEED_ERRORS: select(func.max(col(Feed.error_count))).where(col(Feed.account_id) == account_id),
    }
    return int(await tx.scalar(counts[metric]) or 0)


async def _action(tx: Transaction, action_id: UUID) -> Action:
    return cast("Action", await tx.row(select(Action).where(col(Action.id) == action_id)))


async def _owned_trigger(tx: Transaction, trigger_id: UUID, viewer: Viewer | None) -> Trigger:
    trigger = await tx.row(select(Trigger).where(col(Trigger.id) == trigger_id))
    if trigger is None:
        raise _no_trigger()
    try:
        await owned_row(tx, Action, trigger.action_id, viewer)
    except NotFound as missing:
        raise _no_trigger() from missing
    return trigger


def _no_trigger() -> NotFound:
    return NotFound("There is no such trigger.", field="id")


def _action_columns(service: Any, changes: Mapping[str, Any]) -> dict[str, Any]:
    columns: dict[str, Any] = {}
    if "name" in changes:
        name = checked(changes["name"] or "", "A name", field="name", longest=LONGEST_NAME, shortest=0)
        columns["name"] = name or service.name
    if "quantity" in changes:
        columns["quantity"] = service.min_quantity if changes["quantity"] is None else changes["quantity"]
        check_quantity(service, columns["quantity"])
    if "parameters" in changes:
        columns["parameters"] = checked_parameters(service.parameters, changes["parameters"] or {})
    for flag in _FLAGS:
        if flag in changes:
            columns[flag] = NEW_ACTION[flag] if changes[flag] is None else changes[flag]
    if "daily_limit" in changes:
        columns["daily_limit"] = checked_limit(changes["daily_limit"], field="daily_limit")
    return columns


def _trigger_columns(kind: TriggerKind, changes: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    cron, zone = changes.get("cron") or "", time_zone(changes.get("time_zone") or "UTC").key
    metric, threshold = changes.get("metric"), changes.get("threshold")
    if (kind is TriggerKind.SCHEDULE) != bool(cron):
        raise Invalid("A schedule needs `cron`, and nothing else takes it.", field="cron")
    is_condition = kind is TriggerKind.CONDITION
    if is_condition != (metric is not None) or is_condition != (threshold is not None):
        raise Invalid("A condition needs `metric` and `threshold`, and nothing else takes them.", field="metric")
    if threshold is not None and not 1 <= threshold <= _LARGEST_THRESHOLD:
        raise Invalid(f"A threshold is 1 to {_LARGEST_THRESHOLD:,}.", field="threshold")
    next_at = _due_after(kind, cron, zone, now)
    if kind is TriggerKind.SCHEDULE and next_at is None:
        raise Invalid("There is no day on which this schedule falls.", field="cron")
    return {"cron": cron, "time_zone": zone, "metric": metric, "threshold": threshold, "next_at": next_at}


def _due_after(kind: TriggerKind, cron: str, zone: str, now: datetime) -> datetime | None:
    """Return when a trigger is to be looked at next: a condition once a minute, what is pulled by hand never."""
    if kind is TriggerKind.MANUAL:
        return None
    line = read_cron(cron if kind is TriggerKind.SCHEDULE else "* * * * *")
    return next_time(line, now, time_zone(zone))
