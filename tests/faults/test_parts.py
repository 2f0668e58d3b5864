"""R5, R6, R7: no connection is left, a worker dies, the event loop stands still."""

import asyncio
import logging
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from uuid import UUID

import asyncpg
import pytest
from sqlalchemy import bindparam, literal, select, text, update
from sqlmodel import col

from api.watchdog import Watchdog
from api.workers import supervisor as supervising
from db import postgresql
from db.bus import BusKind
from db.connecting import connect
from db.database import Database
from db.errors import Unavailable
from db.matches.tables import Mat
from tests.db.stored import lay_mat
from tests.faults.conftest import Figure
from tests.support.house import PATIENCE_SECONDS, eventually, running_house

POOL = 6


async def _reads(db: Database) -> bool:
    try:
        async with db.read() as session:
            return bool(await session.scalar(select(literal(1))) == 1)
    except Unavailable:
        return False


@pytest.mark.parametrize("database_url", [pytest.param("postgresql", marks=pytest.mark.postgresql)], indirect=True)
async def test_when_all_write_reads_go_on_and_who_wants_to_write_is_told(
    database_url: str, monkeypatch: pytest.MonkeyPatch, figure: Figure
) -> None:
    count, told, reads = await held(database_url, monkeypatch)

    assert (count, reads) == (POOL // 2, True)
    assert told == "All database connections are busy. Nothing was changed; try again."
    figure("R5", f"a pool of {POOL} with {count} transactions that do not end: the next is refused, reads go on")


@pytest.mark.parametrize("database_url", [pytest.param("postgresql", marks=pytest.mark.postgresql)], indirect=True)
async def test_without_a_share_for_reads_nothing_goes_on(
    database_url: str, monkeypatch: pytest.MonkeyPatch, figure: Figure
) -> None:
    count, _, reads = await held(database_url, monkeypatch, share=POOL)

    assert (count, reads) == (POOL, False)
    figure("R5", "control: transactions may take all connections, and then nobody reads")


async def test_a_change_that_stands_still_is_ended_and_holds_nobody_up(
    postgresql_url: str, monkeypatch: pytest.MonkeyPatch, figure: Figure
) -> None:
    assert postgresql._SESSION_SETTINGS["idle_in_transaction_session_timeout"] == "30s"

    async with standing_still(postgresql_url, monkeypatch, ends="200ms") as (other, mat_id, standing, may_go_on):
        await claim(other, mat_id)
        may_go_on.set()
        with pytest.raises(Unavailable):
            await standing
    figure("S2", "a change that stands still in the middle is ended, and who waited for it goes on")


async def test_without_an_end_a_change_that_stands_still_holds_others_up(
    postgresql_url: str, monkeypatch: pytest.MonkeyPatch, figure: Figure
) -> None:
    async with standing_still(postgresql_url, monkeypatch, ends="0") as (other, mat_id, _, may_go_on):
        with pytest.raises(asyncpg.LockNotAvailableError):
            await claim(other, mat_id, patience="500ms")
        may_go_on.set()
    figure("S2", "control: without an end nobody else gets at what it holds")


@pytest.mark.parametrize("is_noticed", [True, False])
async def test_a_connection_that_was_told_to_end_and_has_not_is_done_without(
    postgresql_url: str, monkeypatch: pytest.MonkeyPatch, *, is_noticed: bool
) -> None:
    if not is_noticed:
        without = tuple(one for one in postgresql.LOST if one is not asyncpg.InternalClientError)
        monkeypatch.setattr(postgresql, "LOST", without)
    db = await connect(postgresql_url, pool_size=2, bus=BusKind.LOCAL)
    mat = await lay_mat(db)
    pool = db._connections  # type: ignore[attr-defined]  # it is PostgreSQL's
    fields = b"SFATAL\0VFATAL\0C57P01\0Mterminating connection due to administrator command\0\0"

    for connection in pool._idle:
        connection._protocol.data_received(b"E" + (4 + len(fields)).to_bytes(4) + fields)
    if is_noticed:
        assert await _reads(db)
    else:
        with pytest.raises(asyncpg.InternalClientError):
            await _reads(db)
    for connection in pool._idle:
        connection._protocol.data_received(b"E" + (4 + len(fields)).to_bytes(4) + fields)
    if is_noticed:
        with pytest.raises(Unavailable):
            await claim(db, mat.id)
        await claim(db, mat.id)
    await db.close()


_CLAIM = update(Mat).where(col(Mat.id) == bindparam("mat")).values(last_seq=col(Mat.last_seq) + 1)


async def claim(db: Database, mat_id: UUID, *, patience: str = "0") -> None:
    """Change a mat, waiting so long for whoever holds it."""
    async with db.transaction() as tx:
        await tx.execute(text(f"SET LOCAL lock_timeout = '{patience}'"))
        await tx.execute(_CLAIM, mat=mat_id)


@asynccontextmanager
async def standing_still(
    url: str, patch: pytest.MonkeyPatch, *, ends: str
) -> AsyncIterator[tuple[Database, UUID, asyncio.Task[None], asyncio.Event]]:
    """Somebody who has changed a mat and stands still before he commits; and another, who wants to change it too.

    Whoever stands still is ended after a while; the other may be as slow as his machine.
    """
    other = await connect(url, pool_size=2, bus=BusKind.LOCAL)
    patch.setitem(postgresql._SESSION_SETTINGS, "idle_in_transaction_session_timeout", ends)
    one = await connect(url, pool_size=1, bus=BusKind.LOCAL)
    mat, held, may_go_on = await lay_mat(other), asyncio.Event(), asyncio.Event()

    async def stand_still() -> None:
        async with one.transaction() as tx:
            await tx.execute(_CLAIM, mat=mat.id)
            held.set()
            await may_go_on.wait()

    async def begin_to_stand_still() -> None:
        while True:
            try:
                return await stand_still()
            except Unavailable:
                # A machine that does much else stands still, too: it was ended before it held anything.
                if held.is_set():
                    raise

    standing = asyncio.create_task(begin_to_stand_still())
    await held.wait()
    yield other, mat.id, standing, may_go_on
    await asyncio.wait([standing])
    for db in (one, other):
        await db.close()


async def held(url: str, patch: pytest.MonkeyPatch, *, share: int | None = None) -> tuple[int, str, bool]:
    """Let ten begin transactions that do not end; return how many hold one, what others hear, and if a read goes on."""
    db = await connect(url, pool_size=POOL)
    # All connections are there before nobody waits long for one.
    assert all(await asyncio.gather(*(_reads(db) for _ in range(POOL))))
    patch.setattr(postgresql, "POOL_TIMEOUT_SECONDS", 0.2)
    if share is not None:
        db._connections._for_transactions = asyncio.Semaphore(share)  # type: ignore[attr-defined]  # it is PostgreSQL's
    holding, told, may_end = 0, "", asyncio.Event()

    async def hold() -> None:
        nonlocal holding, told
        try:
            async with db.transaction() as tx:
                await tx.scalar(select(literal(1)))
                holding += 1
                await may_end.wait()
        except Unavailable as refusal:
            told = refusal.message

    tasks = [asyncio.create_task(hold()) for _ in range(10)]
    await eventually(lambda: holding + sum(task.done() for task in tasks) == 10, "an answer to all")
    reads = await _reads(db)
    may_end.set()
    await asyncio.gather(*tasks)
    await db.close()
    return holding, told, reads


# A worker that dies


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_a_worker_that_dies_is_begun_again_and_seen(
    database_url: str, monkeypatch: pytest.MonkeyPatch, figure: Figure
) -> None:
    monkeypatch.setattr(supervising, "FIRST_PAUSE_SECONDS", 0.001)
    lives = {"supervised": 0, "alone": 0}

    async def work(name: str) -> None:
        lives[name] += 1
        if lives[name] < 4:
            raise RuntimeError(f"life {lives[name]}")
        await asyncio.Event().wait()

    async with running_house(database_url) as house:
        alone = asyncio.create_task(work("alone"))
        house.house.supervisor.start("mortal", partial(work, "supervised"))
        await eventually(lambda: lives["supervised"] == 4, "the fourth life")
        shown = {one["name"]: one for one in (await house.http.get("/readyz")).json()["workers"]}["mortal"]
        await asyncio.wait([alone])

    assert (shown["state"], shown["restarts"], shown["lastError"]) == ("running", 3, "RuntimeError")
    assert lives == {"supervised": 4, "alone": 1}
    assert isinstance(alone.exception(), RuntimeError)
    figure("R6", "a worker that failed 3 times runs, and health counts it; control: a task of nobody's is gone")


# A loop that stands still


async def stalled(patience: float, caplog: pytest.LogCaptureFixture, *, at_most: float) -> tuple[int, str]:
    """Keep the loop from everything else until it is told of; return what is counted, and what was said."""
    caplog.clear()
    watchdog = Watchdog(patience)
    running = asyncio.create_task(watchdog.run())
    await asyncio.sleep(0)
    with caplog.at_level(logging.WARNING):
        until = time.monotonic() + at_most
        while time.monotonic() < until and " stalled" not in caplog.text:
            threading.Event().wait(0.01)
        beats = watchdog._beaten_at
        await eventually(lambda: watchdog._beaten_at > beats, "another beat")
    running.cancel()
    await asyncio.wait([running])
    return watchdog.stalls, caplog.text


async def test_a_loop_that_stands_still_is_told_of_with_the_place(
    caplog: pytest.LogCaptureFixture, figure: Figure
) -> None:
    # A machine that does much else may stand still once more, before or after.
    count, told = await stalled(0.1, caplog, at_most=PATIENCE_SECONDS)
    assert count >= 1
    assert " stalled" in told

    assert await stalled(2 * PATIENCE_SECONDS, caplog, at_most=0.5) == (0, "")
    figure("R7", "a loop that stood still was told of with the place; control: with endless patience, not a word")
