"""Where a part of an operation fails, what runs beside it ends first: nothing goes on for an answer that was given."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from threading import Event
from typing import Any

import asyncpg
import pytest

from db.database import Database
from db.sqlite_database import SQLiteDatabase
from schema.context import Context
from schema.engine.executor import Asked
from tests.conftest import ManualClock
from tests.support.competition import hold
from tests.support.graph import Graph, the_schema
from tests.support.house import eventually

# A page is too large: that is found out before anything is read. What stands beside it takes several reads.
_SLOW = "tournament { mats { nodes { currentMatch { sides { athlete { name } } } } } }"
_BESIDE_A_FAILURE = {
    "another root": f"{{ bad: matches(first: 101) {{ totalCount }} mats {{ nodes {{ {_SLOW} }} }} }}",
    "another edge": f"{{ mats {{ nodes {{ bad: matches(first: 101) {{ totalCount }} {_SLOW} }} }} }}",
    "an edge of another root": f"""{{
      mats {{ nodes {{ bad: matches(first: 101) {{ totalCount }} {_SLOW} }} }}
      others: mats {{ nodes {{ name {_SLOW} }} }}
    }}""",
}


@pytest.mark.parametrize("operation", _BESIDE_A_FAILURE.values(), ids=_BESIDE_A_FAILURE.keys())
async def test_a_plan_is_given_up_when_all_of_it_has_ended(
    db: Database, clock: ManualClock, graph: Graph, operation: str
) -> None:
    await hold(db, clock.now())
    context = Context(db=db, clock=clock, asker=graph.viewer)
    others = asyncio.all_tasks()

    answer = await the_schema().engine.answer(Asked(operation, None, {}), context)

    assert (answer, context.path) == (None, "abandoned")
    assert asyncio.all_tasks() <= others
    # Whoever answers instead begins to count at nothing.
    assert context.rows.read == 0


async def test_who_leaves_while_the_rest_of_a_failed_plan_ends_takes_it_with_him(
    db: Database, database_url: str, clock: ManualClock, graph: Graph
) -> None:
    await hold(db, clock.now())
    context = Context(db=db, clock=clock, asker=graph.viewer)
    asked = Asked(_BESIDE_A_FAILURE["another root"], None, {})

    async with held_up(db, database_url):
        answering = asyncio.create_task(the_schema().engine.answer(asked, context))
        await eventually(lambda: _roots() == 1, "the failure of one of two")
        is_answered = answering.done()
        answering.cancel()
        await asyncio.wait([answering])
        left = _roots()

    assert (is_answered, answering.cancelled(), left) == (False, True, 0)


def _roots() -> int:
    """How many root fields are under way."""
    return sum(getattr(task.get_coro(), "__qualname__", None) == "_root" for task in asyncio.all_tasks())


@asynccontextmanager
async def held_up(db: Database, database_url: str) -> AsyncIterator[None]:
    """Let nobody read the mats for as long as the block lasts."""
    if isinstance(db, SQLiteDatabase):
        goes_on = Event()
        for reader in db._readers:
            _ = reader.submit(lambda _: goes_on.wait())
        try:
            yield
        finally:
            goes_on.set()
        return
    connection: asyncpg.Connection[Any] = await asyncpg.connect(database_url)
    try:
        async with connection.transaction():
            await connection.execute("LOCK TABLE mats IN ACCESS EXCLUSIVE MODE")
            yield
    finally:
        await connection.close()
