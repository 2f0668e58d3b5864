"""Leases in the graph: who does what, and who may know."""

from datetime import timedelta

from db.database import Database
from db.ids import new_id
from db.leases import operations
from db.leases.operations import Holder
from tests.conftest import ManualClock
from tests.support.graph import Graph

LEASES = "{ leases { name holder isOver fence } }"


async def test_the_graph_says_who_does_what_and_who_was_not_heard_of(
    db: Database, graph: Graph, clock: ManualClock
) -> None:
    holder = Holder(id=new_id(), host="booth", process=7, machine="")
    now = clock.now()
    async with db.transaction() as tx:
        await operations.make_leases(tx, ["feeds", "executions", "backups"])
        backups, executions, _ = await operations.find_leases(tx, now=now)
        await operations.take_lease(tx, backups.lease, holder, seconds=-1, now=now)
        await operations.take_lease(tx, executions.lease, holder, seconds=60, now=now)

    told = await graph.execute(LEASES)

    assert told == {
        "leases": [
            {"name": "backups", "holder": "booth/7", "isOver": True, "fence": 1},
            {"name": "executions", "holder": "booth/7", "isOver": False, "fence": 1},
            {"name": "feeds", "holder": None, "isOver": False, "fence": 0},
        ]
    }


async def test_instants_of_a_lease_are_null_while_nobody_holds_it(
    db: Database, graph: Graph, clock: ManualClock
) -> None:
    holder = Holder(id=new_id(), host="booth", process=7, machine="")
    async with db.transaction() as tx:
        await operations.make_leases(tx, ["feeds"])
        (free,) = await operations.find_leases(tx, now=clock.now())
    before = await graph.execute("{ leases { takenAt expiresAt } }")
    async with db.transaction() as tx:
        await operations.take_lease(tx, free.lease, holder, seconds=60, now=clock.now())
        (held,) = await operations.find_leases(tx, now=clock.now())

    after = await graph.execute("{ leases { takenAt expiresAt } }")

    assert before == {"leases": [{"takenAt": None, "expiresAt": None}]}
    assert (held.lease.taken_at, held.lease.until) != (None, None)
    assert held.lease.until - held.lease.taken_at == timedelta(seconds=60)  # type: ignore[operator]  # both are there
    assert None not in after["leases"][0].values()
