"""Buses that reach other processes: what is committed is heard everywhere, and where it may not have been, one is told.

Each database here stands for a process of its own: they have nothing in common but the server between them.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import bindparam, text, update
from sqlmodel import col

from db import postgresql_bus, redis_bus
from db.bus import Bus, BusKind, Event, Lagged, Listener, MuchHappened
from db.connecting import connect
from db.database import Database
from db.errors import Invalid
from db.matches.events import MatHeard
from db.matches.tables import Mat
from db.session import Changes
from db.statements import fixed
from tests.db.stored import count_of, lay_mat
from tests.support.house import PATIENCE_SECONDS, eventually
from tests.support.redis import OwnRedis

if TYPE_CHECKING:
    from tests.support.postgresql import Server

COUNT = fixed(update(Mat).where(col(Mat.id) == bindparam("mat")).values(last_seq=col(Mat.last_seq) + 1).returning(Mat))
RENAME = update(Mat).where(col(Mat.id) == bindparam("mat")).values(name=bindparam("to")).returning(Mat)


@dataclass(frozen=True)
class Carrier:
    """What carries the news, and how it is disturbed."""

    kind: BusKind
    url: str
    redis: OwnRedis | None

    async def opened(self, *, pool_size: int = 4) -> Database:
        redis_url = "" if self.redis is None else self.redis.url
        return await connect(self.url, pool_size=pool_size, bus=self.kind, redis_url=redis_url)

    async def cut(self, db: Database) -> None:
        """End every connection that listens, and wait until they are gone."""
        if self.redis is not None:
            await asyncio.to_thread(self.redis.cut)
            return
        async with db.read() as session:
            await session.tuples(_CUT)

    async def say(self, db: Database, letters: str) -> None:
        """Say what nobody of ours would."""
        if self.redis is not None:
            bus: Any = db.bus
            # And go: who is silent for long would be a gap, in the midst of what is heard afterwards.
            for said in (f'["stranger",1,1,{letters}]', '["stranger",1,null,null]'):
                await asyncio.to_thread(self.redis.publish, bus._channel, said)
            return
        async with db.transaction() as tx:
            await tx.execute(text("INSERT INTO bus_messages (body) VALUES (:body)").bindparams(body=letters))


_CUT = text(
    "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
    "WHERE application_name = 'ringside bus' AND datname = current_database()"
)


@pytest.fixture(autouse=True)
def patient_buses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have nobody taken for gone who is only slow: that would be a gap, and here each is somebody's doing."""
    monkeypatch.setattr(postgresql_bus, "_PATIENCE_SECONDS", PATIENCE_SECONDS)
    for name in ("_PATIENCE_SECONDS", "_SILENCE_SECONDS"):
        monkeypatch.setattr(redis_bus, name, PATIENCE_SECONDS)


@pytest.fixture(params=[BusKind.POSTGRESQL, BusKind.REDIS])
def carrier(request: pytest.FixtureRequest, postgresql_url: str) -> Carrier:
    redis = request.getfixturevalue("redis_server") if request.param is BusKind.REDIS else None
    return Carrier(request.param, postgresql_url, redis)


@pytest.fixture
async def processes(carrier: Carrier) -> AsyncIterator[list[Database]]:
    """Two of them, on one database and one bus."""
    async with AsyncExitStack() as stack:
        opened = [await carrier.opened() for _ in range(2)]
        for db in opened:
            stack.push_async_callback(db.close)
            await db.bus.open()
        await eventually(lambda: all(db.bus.facts()["status"] == "ok" for db in opened), "buses that hear")
        yield opened


@pytest.fixture
async def on_postgresql(postgresql_url: str) -> AsyncIterator[list[Database]]:
    """Two that hear each other through the database."""
    async with _two_of(postgresql_url) as opened:
        yield opened


@pytest.fixture
async def on_new_postgresql(postgresql_server: "Server", migrated_template: str) -> AsyncIterator[list[Database]]:
    """The same on a database that nobody has used: the server notes what was done in one up to ten seconds later."""
    name = f"ringside_test_{uuid4().hex[:12]}"
    await asyncio.to_thread(postgresql_server.create, name, template=migrated_template)
    async with _two_of(postgresql_server.url(name)) as opened:
        yield opened
    await asyncio.to_thread(postgresql_server.drop, name)


@asynccontextmanager
async def _two_of(url: str) -> AsyncIterator[list[Database]]:
    async with AsyncExitStack() as stack:
        opened = [await connect(url, pool_size=4) for _ in range(2)]
        for db in opened:
            stack.push_async_callback(db.close)
            await db.bus.open()
        yield opened


def heard_event(mat: Mat) -> MatHeard:
    return MatHeard(mat=mat)


async def count(changes: Changes, mat_id: UUID) -> Mat:
    row = await changes.change(COUNT, event=heard_event, mat=mat_id)
    assert row is not None
    return row


async def heard_of(listener: Listener[MatHeard], *, until: int) -> list[int | str]:
    """What a listener hears until the count has come to a number: counts, and `gap` where something may be missing."""
    found: list[int | str] = []
    async with asyncio.timeout(PATIENCE_SECONDS):
        while until not in found:
            try:
                found.append((await anext(listener)).mat.last_seq)
            except Lagged:
                found.append("gap")
    return found


async def test_what_is_committed_is_heard_in_every_process_with_the_row_as_it_was_stored(
    processes: list[Database],
) -> None:
    one, other = processes
    mat = await lay_mat(one)

    with one.bus.listen(mat.id, of=MatHeard) as here, other.bus.listen(mat.id, of=MatHeard) as there:
        async with asyncio.timeout(PATIENCE_SECONDS):
            by_statement = await count(one, mat.id)
            # Through Redis what another tells afterwards may come before it, and it is a gap then.
            first = [await anext(listener) for listener in (here, there)]
            async with other.transaction() as tx:
                in_transaction = await count(tx, mat.id)
            second = [await anext(listener) for listener in (here, there)]

    assert first == [MatHeard(mat=by_statement)] * 2
    assert second == [MatHeard(mat=in_transaction)] * 2


async def test_a_change_is_a_transaction_where_others_are_told_and_silent_where_there_is_nothing_to_tell(
    processes: list[Database],
) -> None:
    db, other = processes
    mat = await lay_mat(db)

    with other.bus.listen(mat.id, of=MatHeard) as listener:
        await count(db, mat.id)
        await db.change(COUNT, event=lambda _: None, mat=mat.id)
        await count(db, mat.id)
        heard = await heard_of(listener, until=3)

    assert heard == [1, 3]


async def test_a_change_of_nothing_gives_no_row_and_is_told_to_nobody(processes: list[Database]) -> None:
    db, other = processes
    mat = await lay_mat(db)

    with other.bus.listen(mat.id, of=MatHeard) as listener:
        assert await db.change(COUNT, event=heard_event, mat=UUID(int=5)) is None
        await count(db, mat.id)
        assert await heard_of(listener, until=1) == [1]


async def test_a_rollback_is_silent_everywhere(processes: list[Database]) -> None:
    one, other = processes
    mat = await lay_mat(one)

    async def change_ones_mind() -> None:
        async with one.transaction() as tx:
            await count(tx, mat.id)
            await count(tx, mat.id)
            raise KeyError

    with one.bus.listen(mat.id, of=MatHeard) as here, other.bus.listen(mat.id, of=MatHeard) as there:
        with pytest.raises(KeyError):
            await change_ones_mind()
        await count(other, mat.id)

        assert [await heard_of(listener, until=1) for listener in (here, there)] == [[1], [1]]


async def test_fifty_writers_in_two_processes_are_heard_by_all_who_listen_and_never_backwards(
    processes: list[Database],
) -> None:
    mats = [await lay_mat(processes[0], f"Mat {number}") for number in range(5)]

    async def write(number: int) -> None:
        db, mat = processes[number % 2], mats[number % 5]
        for turn in range(4):
            if turn % 2:
                await count(db, mat.id)
            else:
                async with db.transaction() as tx:
                    await count(tx, mat.id)

    async def follow(listener: Listener[MatHeard], db: Database, mat: Mat) -> list[int | str]:
        """What one hears who is told each count or of a gap, and after a gap reads what is stored, until it is 40."""
        found: list[int | str] = []
        async with asyncio.timeout(PATIENCE_SECONDS):
            while 40 not in found and not (found[-1:] == ["gap"] and await count_of(db, mat.id) == 40):
                try:
                    found.append((await anext(listener)).mat.last_seq)
                except Lagged:
                    found.append("gap")
        return found

    async with AsyncExitStack() as stack:
        followed = [
            (stack.enter_context(db.bus.listen(mat.id, of=MatHeard)), db, mat) for db in processes for mat in mats
        ]
        following = [asyncio.create_task(follow(*one)) for one in followed]
        await asyncio.gather(*(write(number) for number in range(50)))
        for (listener, _, _), found in zip(followed, await asyncio.gather(*following), strict=True):
            counts = [number for number in found if isinstance(number, int)]
            assert counts == sorted(set(counts))
            if counts == list(range(1, 41)):
                continue
            # What is left out came when something later had been heard, be it the last: that is told. Whoever is told
            # of a gap hears nothing more of what it waited to read: he reads what is stored.
            assert not processes[0].bus.is_ordered
            if "gap" not in found:
                with pytest.raises(Lagged):
                    async with asyncio.timeout(PATIENCE_SECONDS):
                        await anext(listener)


async def test_what_is_long_is_heard_whole(processes: list[Database]) -> None:
    one, other = processes
    mat = await lay_mat(one)

    with other.bus.listen(mat.id, of=MatHeard) as listener:
        named = await one.change(RENAME, event=heard_event, mat=mat.id, to="'🥋" * 20_000)
        async with one.transaction() as tx:
            again = await tx.change(RENAME, event=heard_event, mat=mat.id, to="x" * 20_000)
        assert named is not None
        assert again is not None
        async with asyncio.timeout(PATIENCE_SECONDS):
            heard = [await anext(listener), await anext(listener)]

    assert heard == [MatHeard(mat=named), MatHeard(mat=again)]


async def test_of_much_that_happened_whoever_listens_in_another_process_is_told_as_of_a_gap(
    processes: list[Database],
) -> None:
    mat = (await lay_mat(processes[0])).id
    with processes[1].bus.listen(mat, of=MatHeard) as heard:
        async with processes[0].transaction() as tx:
            tx.record(MuchHappened(about=(mat, UUID(int=1))))
        async with asyncio.timeout(PATIENCE_SECONDS):
            with pytest.raises(Lagged):
                await anext(heard)


async def test_a_reader_whose_connection_is_cut_under_writes_is_told_and_misses_nothing_in_silence(
    processes: list[Database], carrier: Carrier
) -> None:
    one, other = processes
    mat = await lay_mat(one)

    async def write() -> None:
        for turn in range(60):
            await count(one, mat.id)
            if turn % 20 == 10:
                await carrier.cut(one)

    with other.bus.listen(mat.id, of=MatHeard) as listener:
        writing = asyncio.create_task(write())
        known, gaps, is_gap_owed = 0, 0, False
        async with asyncio.timeout(PATIENCE_SECONDS):
            while known < 60 or is_gap_owed:
                try:
                    seen = (await anext(listener)).mat.last_seq
                    # Without a gap that is told there is none. Where events come in no order it is told soon after.
                    is_gap_owed |= seen > known + 1
                    assert not (is_gap_owed and other.bus.is_ordered)
                    known = max(known, seen)
                except Lagged:
                    gaps, is_gap_owed = gaps + 1, False
                    known = max(known, await count_of(other, mat.id))
        await writing

    assert gaps >= 1
    shown = {"kind": carrier.kind.value, "status": "ok"}
    await eventually(lambda: other.bus.facts().items() >= shown.items(), "a bus that is well again")


async def test_whoever_wants_the_latest_only_is_told_of_a_gap_too(processes: list[Database], carrier: Carrier) -> None:
    one, other = processes
    mat = await lay_mat(one)

    with other.bus.listen(mat.id, of=MatHeard, latest_only=True) as listener:
        await carrier.cut(one)
        with pytest.raises(Lagged):
            async with asyncio.timeout(PATIENCE_SECONDS):
                await anext(listener)
        await count(one, mat.id)
        assert await heard_of(listener, until=1) == [1]


async def test_what_somebody_stored_who_died_before_he_woke_anybody_is_heard(on_postgresql: list[Database]) -> None:
    one, other = on_postgresql
    mat = await lay_mat(one)
    one.bus.publish = lambda *_: None  # type: ignore[method-assign]  # as if it were gone

    with other.bus.listen(mat.id, of=MatHeard) as listener:
        await count(one, mat.id)
        async with one.transaction() as tx:
            await count(tx, mat.id)
        assert await heard_of(listener, until=2) == [1, 2]


async def test_who_does_not_listen_himself_is_heard_by_those_who_do(
    processes: list[Database], carrier: Carrier
) -> None:
    one, other = processes
    mat = await lay_mat(one)
    console = await carrier.opened(pool_size=2)

    with other.bus.listen(mat.id, of=MatHeard) as listener:
        with console.bus.listen(mat.id, of=MatHeard) as alone:
            await count(console, mat.id)
            assert await heard_of(alone, until=1) == [1]
        await console.close()
        assert await heard_of(listener, until=1) == [1]


async def test_a_change_that_takes_long_holds_nobody_up_and_is_heard_once_when_it_is_committed(
    processes: list[Database],
) -> None:
    one, other = processes
    slow, quick = await lay_mat(one, "Slow"), await lay_mat(one, "Quick")

    begun, may_end = asyncio.Event(), asyncio.Event()

    async def be_slow() -> None:
        async with one.transaction() as tx:
            await count(tx, slow.id)
            begun.set()
            await may_end.wait()

    with other.bus.listen(slow.id, quick.id, of=MatHeard) as listener:
        slowly = asyncio.create_task(be_slow())
        await begun.wait()
        for _ in range(10):
            await count(other, quick.id)
        meanwhile = await heard_of(listener, until=10)
        may_end.set()
        await slowly
        # Others are told soon after a change is made, and not before it is answered.
        in_the_end = await heard_of(listener, until=1)
        for _ in range(10):
            await count(other, quick.id)
        afterwards = await heard_of(listener, until=20)

    assert meanwhile == list(range(1, 11))
    assert in_the_end == [1]
    assert afterwards == list(range(11, 21))


async def test_a_message_of_another_release_makes_those_read_whom_it_is_for(
    processes: list[Database], carrier: Carrier
) -> None:
    one, other = processes
    mat, another = await lay_mat(one), await lay_mat(one, "Another")
    message = f'[["MatHeard.00000000",["{mat.id.hex}"],[1,2]]]'

    with other.bus.listen(mat.id, of=MatHeard) as listener, other.bus.listen(another.id, of=MatHeard) as unconcerned:
        await carrier.say(one, message)
        async with asyncio.timeout(PATIENCE_SECONDS):
            with pytest.raises(Lagged):
                await anext(listener)
        await count(one, mat.id)
        await count(one, another.id)
        heard = await heard_of(listener, until=1), await heard_of(unconcerned, until=1)

    assert heard == ([1], [1])


async def test_what_is_old_is_let_go_of(on_postgresql: list[Database]) -> None:
    db, _ = on_postgresql
    mat = await lay_mat(db)
    await count(db, mat.id)
    async with db.transaction() as tx:
        await tx.execute(text("UPDATE bus_messages SET sent_at = sent_at - INTERVAL '11 minutes'"))
    await count(db, mat.id)

    console = await connect(url_of(db), pool_size=2)
    bus: Any = console.bus
    await bus._listen()
    await bus._sweep(bus._ear)
    await console.close()

    async with db.read() as session:
        assert await session.scalar(text("SELECT count(*) FROM bus_messages")) == 1


async def test_what_is_kept_is_not_gone_through_at_each_reading(on_new_postgresql: list[Database]) -> None:
    """A plan that the server made while there was little to read would do that for ever."""
    one, other = on_new_postgresql
    mat = await lay_mat(one)
    async with one.transaction() as tx:
        # So little is there that to go through all of it is the quickest.
        await tx.execute(text("ANALYZE bus_messages"))
    before = await read_by(other)
    with other.bus.listen(mat.id, of=MatHeard) as listener:
        # More often than the server looks before it keeps a plan.
        for number in range(1, 20):
            await count(one, mat.id)
            await heard_of(listener, until=number)

    async def is_noted() -> bool:
        return (await read_by(one))["idx_scan"] >= before["idx_scan"] + 10

    await eventually(is_noted, "what the server notes of readings")
    assert (await read_by(one))["seq_scan"] == before["seq_scan"]


async def read_by(db: Database) -> dict[str, int]:
    """Return how often the messages were gone through, and how often some of them were looked up."""
    async with db.read() as session:
        ((seq_scan, idx_scan),) = await session.tuples(_READINGS)
    return {"seq_scan": seq_scan, "idx_scan": idx_scan}


_READINGS = text("SELECT seq_scan, idx_scan FROM pg_stat_user_tables WHERE relname = 'bus_messages'")


async def test_a_bus_that_others_wait_for_is_let_go_of_at_once(processes: list[Database]) -> None:
    one, _ = processes
    with one.bus.listen(UUID(int=1), of=Event) as listener:
        async with asyncio.timeout(PATIENCE_SECONDS):
            await one.close()
            assert [event async for event in listener] == []


async def test_what_is_committed_while_a_database_closes_is_told_before_it_is_closed(processes: list[Database]) -> None:
    one, other = processes
    mat = await lay_mat(one)
    begun, may_end = asyncio.Event(), asyncio.Event()
    bus: Any = one.bus

    async def be_slow() -> None:
        async with one.transaction() as tx:
            await count(tx, mat.id)
            begun.set()
            await may_end.wait()

    with other.bus.listen(mat.id, of=MatHeard) as listener:
        slowly = asyncio.create_task(be_slow())
        await begun.wait()
        closing = asyncio.create_task(one.close())
        await eventually(lambda: bus._keeping is None, "a bus that was let go of")
        may_end.set()
        await asyncio.gather(slowly, closing)
        # On Redis nobody would miss it who was told before that nothing more comes.
        left_over = [task.get_name() for task in asyncio.all_tasks() if task.get_name() == "bus sending"]
        async with asyncio.timeout(PATIENCE_SECONDS):
            with suppress(Lagged):
                assert (await anext(listener)).mat.last_seq == 1

    assert left_over == []


async def test_a_sqlite_file_is_of_one_process(sqlite_db: Database, migrated_file: Any) -> None:
    assert type(sqlite_db.bus) is Bus
    for kind in (BusKind.POSTGRESQL, BusKind.REDIS):
        with pytest.raises(Invalid, match=f"RINGSIDE_BUS={kind} needs a PostgreSQL database"):
            await connect(f"sqlite:///{migrated_file}", bus=kind)


def url_of(db: Database) -> str:
    bus: Any = db.bus
    return str(bus._url)
