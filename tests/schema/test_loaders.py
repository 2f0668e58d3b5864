import asyncio

from db.database import Database
from db.ids import new_id
from db.matches import operations, queries
from schema.context import Loaders
from tests.conftest import ManualClock
from tests.support.graph import Graph


async def test_a_caller_who_leaves_takes_nobody_with_him(db: Database, clock: ManualClock, graph: Graph) -> None:
    async with db.transaction() as tx:
        mat = await operations.create_mat(tx, name="Mat 1", now=clock.now())
    assert graph.viewer is not None
    loaders = Loaders(db, graph.viewer)

    leaving, staying = (asyncio.create_task(loaders.one(queries.mat_by_id, mat.id)) for _ in range(2))
    await asyncio.sleep(0)
    leaving.cancel()

    assert await staying == mat
    assert leaving.cancelled()
    assert await loaders.one(queries.mat_by_id, mat.id) == mat


async def test_a_key_without_a_row_is_nothing(db: Database, graph: Graph) -> None:
    assert graph.viewer is not None

    assert await Loaders(db, graph.viewer).one(queries.mat_by_id, new_id()) is None
