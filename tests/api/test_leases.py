"""Leases as processes keep them: work goes where its lease is, and moves on when its holder stops, fails or is gone."""

import asyncio
import logging
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import update
from sqlmodel import col

from api.workers.leases import Leases
from api.workers.supervisor import Supervisor
from db.clock import Clock
from db.connecting import connect
from db.database import Database
from db.errors import Unavailable
from db.ids import new_id
from db.leases import operations
from db.leases.operations import FoundLease, Holder, LeaseLost
from db.leases.tables import Lease
from tests.conftest import ManualClock
from tests.db.stored import lay_mat, mat_names
from tests.support.house import eventually

HOLDING = "feeds"


class Work:
    """Work that counts how often it was begun, and runs until it is stopped."""

    def __init__(self) -> None:
        self.begun = 0
        self.is_at_work = False

    async def run(self) -> None:
        self.begun += 1
        self.is_at_work = True
        try:
            await asyncio.Event().wait()
        finally:
            self.is_at_work = False


class Process:
    """What one process has of leases, with one piece of work under one of them."""

    def __init__(self, db: Database, clock: Clock, host: str, *, seconds: float = 10.0) -> None:
        self.leases = Leases(db, clock, host=host, seconds=seconds)
        self.supervisor = Supervisor(clock)
        self.work = Work()

    def start(self) -> None:
        self.supervisor.start(HOLDING, self.leases.holding(HOLDING, self.work.run), self.leases.facts(HOLDING))
        self.supervisor.start("leases", self.leases.run)

    def lease(self) -> object:
        return next(one.facts()["lease"] for one in self.supervisor.health() if one.name == HOLDING)


@pytest.fixture
async def other_db(database_url: str) -> AsyncIterator[Database]:
    other = await connect(database_url, pool_size=5)
    yield other
    await other.close()


@asynccontextmanager
async def two(db: Database, other_db: Database, clock: Clock, *, seconds: float = 10.0) -> AsyncIterator[list[Process]]:
    """Two processes, as far as leases can tell: the first holds it, the second would like to."""
    processes = [Process(one, clock, host, seconds=seconds) for one, host in ((db, "booth"), (other_db, "stage"))]
    try:
        processes[0].start()
        await eventually(lambda: processes[0].work.is_at_work, "the first at work")
        processes[1].start()
        yield processes
    finally:
        for process in processes:
            await process.supervisor.close()


async def test_one_works_and_both_say_who(db: Database, other_db: Database, clock: ManualClock) -> None:
    # Long enough that nobody renews it while it is looked at.
    async with two(db, other_db, clock, seconds=300) as (first, second):
        for process in (first, second):
            await process.leases.look()
        (found,) = await found_in(db, clock)

        known = found.lease
        told = {"holder": f"booth/{known.process}", "since": known.taken_at, "until": known.until}
        assert first.lease() == {"isHeldHere": True, **told}
        assert second.lease() == {"isHeldHere": False, **told}
        assert (first.work.begun, second.work.begun) == (1, 0)


async def test_what_is_taken_in_one_look_is_said_in_one_line(
    db: Database, clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    leases, supervisor = Leases(db, clock, host="booth"), Supervisor(clock)
    works = {name: Work() for name in ("feeds", "backups", "goal keeper")}
    try:
        for name, work in works.items():
            supervisor.start(name, leases.holding(name, work.run))
        # Each has said that he waits once the loop has come by him.
        await eventually(lambda: all(one.is_waiting for one in leases._wanted.values()), "all waiting")
        with caplog.at_level(logging.INFO):
            await leases.look()
            await leases.look()
            await eventually(lambda: all(work.is_at_work for work in works.values()), "all at work")
    finally:
        await supervisor.close()

    assert [record.getMessage() for record in caplog.records] == [
        "this process does from now on: feeds, backups, goal keeper"
    ]


async def found_in(db: Database, clock: Clock) -> list[FoundLease]:
    async with db.read() as session:
        return await operations.find_leases(session, now=clock.now())


async def test_it_is_handed_over_at_once_when_the_server_leaves(
    db: Database, other_db: Database, clock: ManualClock
) -> None:
    async with two(db, other_db, clock, seconds=300) as (first, second):
        await first.leases.leave()

        assert not first.work.is_at_work
        await eventually(lambda: second.work.is_at_work, "the second at work")
        assert first.work.begun == 1


async def test_work_that_fails_goes_to_another(
    db: Database, other_db: Database, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.workers.supervisor.FIRST_PAUSE_SECONDS", 60.0)
    broken = asyncio.Event()

    async def breaks() -> None:
        await broken.wait()
        raise OSError("no such disk")

    first, second = Process(db, clock, "booth"), Process(other_db, clock, "stage")
    first.supervisor.start(HOLDING, first.leases.holding(HOLDING, breaks))
    first.supervisor.start("leases", first.leases.run)
    await eventually(lambda: first.leases.fenced(HOLDING)._fence() == 1, "the first at work")
    second.start()

    broken.set()

    await eventually(lambda: second.work.is_at_work, "the second at work")
    assert [(one.name, one.state) for one in first.supervisor.health()] == [(HOLDING, "waiting"), ("leases", "running")]
    for process in (first, second):
        await process.supervisor.close()


async def test_fifty_hand_overs_have_one_at_work_at_a_time(
    db: Database, other_db: Database, clock: ManualClock
) -> None:
    at_work: list[str] = []
    most = 0

    def noting(name: str) -> Callable[[], "asyncio.Future[None]"]:
        async def run() -> None:
            nonlocal most
            at_work.append(name)
            most = max(most, len(at_work))
            try:
                await asyncio.Event().wait()
            finally:
                at_work.remove(name)

        return lambda: asyncio.ensure_future(run())

    processes = {name: Process(one, clock, name) for name, one in (("booth", db), ("stage", other_db))}
    for name, process in processes.items():
        process.supervisor.start(HOLDING, process.leases.holding(HOLDING, noting(name)))
    for _ in range(50):
        for process in processes.values():
            await process.leases.look()
        await eventually(lambda: len(at_work) == 1, "somebody at work")
        holder = processes[at_work[0]]
        await holder.supervisor.stop(HOLDING)
        holder.supervisor.start(HOLDING, holder.leases.holding(HOLDING, noting(at_work_name(processes, holder))))
    for process in processes.values():
        await process.supervisor.close()

    (found,) = await found_in(db, clock)
    assert (most, found.lease.fence, found.lease.holder_id) == (1, 50, None)


def at_work_name(processes: dict[str, Process], one: Process) -> str:
    return next(name for name, process in processes.items() if process is one)


async def test_who_was_paused_for_too_long_stores_nothing_and_stops(
    db: Database, other_db: Database, clock: ManualClock
) -> None:
    async with two(db, other_db, clock, seconds=300) as (first, second):
        fenced = first.leases.fenced(HOLDING)
        await lay_mat(fenced, "In time")
        # As when a process is stopped by a signal: nothing of it runs, and its time goes by.
        await first.supervisor.stop("leases")
        await run_out(db, HOLDING)
        await eventually(lambda: second.work.is_at_work, "the second at work")

        with pytest.raises(LeaseLost):
            await lay_mat(fenced, "Too late")
        await first.leases.renew()
        await eventually(lambda: not first.work.is_at_work, "the first stopped")

        assert await mat_names(db) == ["In time"]
        await second.leases.renew()
        assert second.work.is_at_work


async def run_out(db: Database, name: str) -> None:
    """Let the time of a lease be over."""
    async with db.transaction() as tx:
        over = update(Lease).where(col(Lease.name) == name)
        await tx.execute(over.values(until=ManualClock().now() - timedelta(days=365)))


async def test_a_database_that_is_away_takes_nobodys_lease(
    db: Database, other_db: Database, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with two(db, other_db, clock, seconds=300) as (first, second):

        def away(*_: object) -> None:
            raise Unavailable("It is away.")

        # Away before the time is over: the second looks by itself as well.
        monkeypatch.setattr(second.leases, "_find", away)
        await run_out(db, HOLDING)
        with pytest.raises(Unavailable):
            await second.leases.look()
        await first.leases.renew()

        assert first.work.is_at_work


async def test_who_takes_over_from_a_process_of_this_machine_that_is_gone_need_not_wait(
    db: Database, clock: ManualClock
) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])  # noqa: ASYNC220 -- ourselves, and nothing
    gone.wait()
    process = Process(db, clock, "booth", seconds=300)
    await hold(db, replace(process.leases.holder, process=gone.pid, id=new_id()), clock)

    process.start()

    await eventually(lambda: process.work.is_at_work, "the next at work")
    await process.supervisor.close()


async def test_a_process_of_another_machine_is_waited_for(db: Database, clock: ManualClock) -> None:
    process = Process(db, clock, "booth", seconds=300)
    elsewhere = replace(process.leases.holder, process=2**22 + 1, machine="another", id=new_id())
    await hold(db, elsewhere, clock)

    process.start()
    await eventually(lambda: HOLDING in process.leases._known, "a look at it")
    await process.leases.look()

    assert not process.work.is_at_work
    await process.supervisor.close()


async def hold(db: Database, holder: Holder, clock: Clock) -> None:
    async with db.transaction() as tx:
        await operations.make_leases(tx, [HOLDING])
        (free,) = await operations.find_leases(tx, now=clock.now())
        assert await operations.take_lease(tx, free.lease, holder, seconds=300, now=clock.now()) == 1
