"""Budgets of several processes: what a token spends at one is taken off at the others."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from api.workers.budgets import SharedBudgets
from db.bus import BusKind
from db.clock import Clock
from db.connecting import connect
from db.database import Database
from db.ids import new_id
from schema.engine.cost import Budgets
from tests.support.house import eventually


@pytest.fixture
async def processes(postgresql_url: str) -> AsyncIterator[list[Database]]:
    async with AsyncExitStack() as stack:
        opened = [await connect(postgresql_url, pool_size=2, bus=BusKind.POSTGRESQL) for _ in range(2)]
        for db in opened:
            stack.push_async_callback(db.close)
            await db.bus.open()
        yield opened


async def test_what_a_token_spends_at_one_is_taken_off_at_the_other_and_at_no_third_twice(
    processes: list[Database], clock: Clock
) -> None:
    budgets = [Budgets(most=100, per_second=1) for _ in processes]
    spender, saver = new_id(), new_id()
    async with AsyncExitStack() as stack:
        shared = [SharedBudgets(db, clock, {"rows": mine}) for db, mine in zip(processes, budgets, strict=True)]
        for one in shared:
            await stack.enter_async_context(_hearing(one))
        assert budgets[0].spend(spender, 60, clock) is None
        # As little as nobody need hear of.
        assert budgets[0].spend(saver, 5, clock) is None

        await shared[0].tell()

        await eventually(lambda: budgets[1].left(spender) == 40, "the other's count")
        assert budgets[1].spend(spender, 30, clock) is None
        await shared[1].tell()
        await eventually(lambda: budgets[0].left(spender) == 10, "the first's count")

    refused = budgets[0].spend(spender, 11, clock)
    assert refused is not None
    assert refused.extensions == {
        "code": "RATE_LIMITED",
        "cost": 11,
        "left": 10,
        "most": 100,
        "retryAfterSeconds": 1,
    }
    assert [one.left(saver) for one in budgets] == [95, 100]


async def test_nothing_is_told_where_nothing_is_spent(db: Database, clock: Clock) -> None:
    statements: list[str] = []
    db.on_statement = statements.append

    await SharedBudgets(db, clock, {"rows": Budgets(most=100, per_second=1)}).tell()

    assert statements == []


def _hearing(shared: SharedBudgets) -> AsyncExitStack:
    """Hear others for as long as the block lasts, and tell nothing by itself."""
    stack = AsyncExitStack()
    hearing = asyncio.create_task(shared._keep_hearing())
    stack.callback(hearing.cancel)
    return stack
