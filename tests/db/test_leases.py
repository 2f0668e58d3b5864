"""Leases: one holder each, handed over when it is given back or runs out, and nothing stored by who lost his."""

import asyncio
from dataclasses import replace

import asyncpg
import pytest

from db.database import Database
from db.errors import Unavailable
from db.ids import new_id
from db.leases import operations
from db.leases.events import ALL_LEASES, LeaseReleased
from db.leases.fenced import FencedDatabase
from db.leases.operations import Holder, LeaseLost
from db.leases.tables import Lease
from db.matches import operations as matches
from tests.db.stored import NOW, lay_mat, mat_names

ANN = Holder(id=new_id(), host="booth", process=7, machine="")
BOB = Holder(id=new_id(), host="stage", process=8, machine="")


async def seen(db: Database, name: str = "feeds") -> Lease:
    async with db.transaction() as tx:
        await operations.make_leases(tx, [name])
        return next(one.lease for one in await operations.find_leases(tx, now=NOW) if one.lease.name == name)


async def take(db: Database, lease: Lease, holder: Holder, *, seconds: float = 60, is_gone: bool = False) -> int | None:
    async with db.transaction() as tx:
        return await operations.take_lease(tx, lease, holder, seconds=seconds, is_gone=is_gone, now=NOW)


async def renew(db: Database, holder: Holder) -> dict[str, int]:
    async with db.transaction() as tx:
        return await operations.renew_leases(tx, holder, seconds=60, now=NOW)


async def release(db: Database, holder: Holder, fence: int) -> Lease | None:
    async with db.transaction() as tx:
        return await operations.release_lease(tx, "feeds", holder, fence)


async def test_of_fifty_who_would_have_a_lease_one_takes_it(db: Database) -> None:
    free = await seen(db)
    everybody = [replace(ANN, id=new_id(), process=number) for number in range(50)]

    fences = await asyncio.gather(*(take(db, free, one) for one in everybody))

    (winner,) = [one for one, fence in zip(everybody, fences, strict=True) if fence is not None]
    held = await seen(db)
    assert (held.holder_id, held.host, held.process, held.fence) == (winner.id, "booth", winner.process, 1)
    assert sorted(filter(None, fences)) == [1]


async def test_a_lease_is_taken_by_another_when_its_time_is_over_and_not_before(db: Database) -> None:
    assert await take(db, await seen(db), ANN, seconds=60) == 1
    assert await take(db, await seen(db), BOB) is None
    assert await take(db, await seen(db), BOB, is_gone=True) == 2
    assert await take(db, await seen(db), ANN, is_gone=True, seconds=0) == 3

    async with db.read() as session:
        found = await operations.find_leases(session, now=NOW)

    assert [(one.lease.name, one.is_over) for one in found] == [("feeds", True)]
    assert await take(db, await seen(db), BOB) == 4


async def test_a_lease_that_was_renewed_meanwhile_is_not_taken(db: Database) -> None:
    await take(db, await seen(db), ANN, seconds=0)
    over = await seen(db)

    assert await renew(db, ANN) == {"feeds": 1}

    assert await take(db, over, BOB) is None


async def test_a_lease_that_ran_out_and_nobody_took_is_renewed(db: Database) -> None:
    await take(db, await seen(db), ANN, seconds=0)

    assert await renew(db, ANN) == {"feeds": 1}
    assert await renew(db, BOB) == {}


async def test_a_lease_that_is_given_back_is_told_of_and_free(db: Database) -> None:
    with db.bus.listen(ALL_LEASES, of=LeaseReleased) as heard:
        await take(db, await seen(db), ANN)
        assert await release(db, BOB, 1) is None
        assert await release(db, ANN, 2) is None
        freed = await release(db, ANN, 1)
        told = await anext(heard)

    assert told == LeaseReleased(lease=freed)  # type: ignore[arg-type]  # there is one
    assert (await seen(db)).holder_id is None
    assert await take(db, await seen(db), BOB) == 2


async def test_what_is_changed_under_a_lease_is_stored_while_it_is_held(db: Database) -> None:
    fence = await take(db, await seen(db), ANN)
    fenced = FencedDatabase(db, "feeds", ANN, lambda: fence)

    await lay_mat(fenced, "Mat 1")
    made = await matches.create_tournament(fenced, name="Open", now=NOW)

    assert (await mat_names(fenced), made.name) == (["Mat 1"], "Open")
    assert await fenced.versions() == await db.versions()


async def test_what_is_changed_after_a_lease_was_lost_is_not_stored_and_not_told(db: Database) -> None:
    fence = await take(db, await seen(db), ANN)
    fenced = FencedDatabase(db, "feeds", ANN, lambda: fence)
    held = await seen(db)

    with db.bus.listen(ALL_LEASES, of=LeaseReleased) as heard:
        with pytest.raises(LeaseLost, match="Another process has taken over: feeds"):
            await lay_and_lose(fenced, held)
        assert heard.take() == []
        assert await take(db, held, BOB, is_gone=True) == 2
        with pytest.raises(LeaseLost):
            await matches.create_tournament(fenced, name="Too late", now=NOW)

    assert await mat_names(db) == []


async def lay_and_lose(fenced: Database, held: Lease) -> None:
    async with fenced.transaction() as tx:
        await matches.create_mat(tx, name="Too late", now=NOW)
        tx.record(LeaseReleased(lease=held))
        await operations.take_lease(tx, held, BOB, seconds=60, is_gone=True, now=NOW)


async def test_who_holds_no_lease_changes_nothing(db: Database) -> None:
    await seen(db)
    fenced = FencedDatabase(db, "feeds", ANN, lambda: None)

    with pytest.raises(Unavailable, match="This process does not do this: feeds"):
        await lay_mat(fenced)

    assert await mat_names(db) == []


@pytest.mark.postgresql
@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_taking_waits_for_who_commits_under_a_lease_and_renewing_does_not(
    db: Database, database_url: str
) -> None:
    await take(db, await seen(db), ANN)
    hasty = await asyncpg.connect(database_url, server_settings={"lock_timeout": "50ms"})

    async with db.transaction() as tx:
        await operations.hold_lease(tx, "feeds", ANN, 1)
        renewed = await hasty.execute("UPDATE leases SET until = now()")
        with pytest.raises(asyncpg.LockNotAvailableError):
            await hasty.execute("UPDATE leases SET fence = fence + 1")
    taken = await hasty.execute("UPDATE leases SET fence = fence + 1")
    await hasty.close()

    assert (renewed, taken) == ("UPDATE 1", "UPDATE 1")
