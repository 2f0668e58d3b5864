"""Triggers: a schedule, a condition and a hand that have actions run."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from db.accounts import actions, operations
from db.accounts.vocabulary import (
    ConditionMetric,
    ExecutionCause,
    TriggerKind,
)
from db.database import Database
from db.errors import Conflict, Invalid
from tests.support.accounts import (
    NOW,
    all_executions,
    entry,
    found,
    make_account,
    make_action,
    make_feed,
    make_trigger,
    poll,
)

LATER = NOW + timedelta(minutes=1)


async def test_a_schedule_fires_once_for_each_time_it_falls_due_however_many_look(db: Database) -> None:
    action = await make_action(db, await make_account(db))
    trigger = await make_trigger(db, action, TriggerKind.SCHEDULE, cron="*/5 * * * *")
    assert trigger.next_at == NOW + timedelta(minutes=5)

    async def look() -> int:
        async with db.transaction() as tx:
            return len(await actions.fire_due(tx, trigger.id, now=NOW + timedelta(minutes=5)))

    assert sum(await asyncio.gather(*(look() for _ in range(50)))) == 1
    # What fell due while nobody looked is done once.
    async with db.transaction() as tx:
        assert len(await actions.fire_due(tx, trigger.id, now=NOW + timedelta(hours=2))) == 1
    made = await all_executions(db)
    assert {(one.cause, one.trigger_id, one.target_url) for one in made} == {
        (ExecutionCause.SCHEDULE, trigger.id, "https://example.org/channel")
    }
    assert len({one.occurrence for one in made}) == 2


async def test_a_condition_fires_when_it_begins_to_hold(db: Database) -> None:
    account = await make_account(db)
    action = await make_action(db, account, is_for_posts=False)
    trigger = await make_trigger(db, action, TriggerKind.CONDITION, metric=ConditionMetric.POSTS_TODAY, threshold=2)
    feed = await make_feed(db, account)
    await poll(db, feed, found())
    fired = []
    for minute, names in ((1, "1"), (2, "21"), (3, "321"), (60 * 24, "321"), (60 * 24 + 5, "654321")):
        at = NOW + timedelta(minutes=minute)
        await poll(db, feed, found(*map(entry, names)), at=at)
        async with db.transaction() as tx:
            fired.append(len(await actions.fire_due(tx, trigger.id, now=at + timedelta(seconds=30))))

    assert fired == [0, 1, 0, 0, 1]


async def test_a_trigger_is_pulled_by_hand_and_rests_with_the_account(db: Database) -> None:
    account = await make_account(db)
    action = await make_action(db, account)
    pulled = await make_trigger(db, action)
    timed = await make_trigger(db, action, TriggerKind.SCHEDULE, cron="* * * * *")
    async with db.transaction() as tx:
        await operations.enable_account(tx, account.id, is_enabled=False, viewer=None, now=NOW)
        assert (await actions.pull_trigger(tx, pulled.id, viewer=None, now=NOW)).cause is ExecutionCause.MANUAL
        with pytest.raises(Conflict, match="not one to be pulled"):
            await actions.pull_trigger(tx, timed.id, viewer=None, now=NOW)
        assert await actions.fire_due(tx, timed.id, now=LATER) == []
        off = await actions.activate_trigger(tx, timed.id, is_active=False, viewer=None, now=NOW)
    assert off.next_at is None


@pytest.mark.parametrize(
    ("kind", "given", "field"),
    [
        (TriggerKind.SCHEDULE, {}, "cron"),
        (TriggerKind.SCHEDULE, {"cron": "0 0 31 2 *"}, "cron"),
        (TriggerKind.SCHEDULE, {"cron": "* * * * *", "time_zone": "Mars"}, "time_zone"),
        (TriggerKind.MANUAL, {"cron": "* * * * *"}, "cron"),
        (TriggerKind.CONDITION, {"metric": ConditionMetric.POSTS_TODAY}, "metric"),
        (TriggerKind.CONDITION, {"metric": ConditionMetric.POSTS_TODAY, "threshold": 0}, "threshold"),
    ],
)
async def test_a_trigger_that_makes_no_sense_is_refused(
    db: Database, kind: TriggerKind, given: dict[str, Any], field: str
) -> None:
    action = await make_action(db, await make_account(db))
    with pytest.raises(Invalid) as refusal:
        await make_trigger(db, action, kind, **given)

    assert refusal.value.field == field
