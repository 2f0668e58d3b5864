"""Listening in trouble: a full queue, a database that is away, a stop in the middle of a fight."""

import asyncio
import random
import re
import socket
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any

import asyncpg
import pytest
from sqlmodel import col, select

from api.capture import read_capture
from api.workers import pss
from api.workers.pss import Datagram, PSSListener
from api.workers.pss_protocol import parse
from api.workers.supervisor import Supervisor
from db.clock import SystemClock
from db.connecting import connect
from db.database import Database
from db.errors import Conflict
from db.matches import operations
from db.matches.events import ScoreboardChanged
from db.matches.log import Received
from db.matches.tables import MatchEvent
from db.urls import is_embedded, sqlite_path
from tests.api.listening_post import BLUE_PUNCHES, BOARD, LOAD, LOADED, expected_board, log_of, raws
from tests.conftest import ManualClock
from tests.support.captures import FINAL
from tests.support.house import RunningHouse, eventually, running_house, send_datagrams
from tests.support.wire import wire_to


@pytest.fixture
async def house(database_url: str) -> AsyncIterator[RunningHouse]:
    async with running_house(database_url) as running:
        yield running


async def test_a_full_queue_drops_what_comes_then_and_counts_it(clock: ManualClock) -> None:
    queue = pss.DatagramQueue(clock, capacity=3)
    for number in range(5):
        queue.datagram_received(b"clk;%d" % number, ("127.0.0.1", 5000))

    taken = await queue.take(most=10, patience=None)

    assert [datagram.data for datagram in taken] == [b"clk;0", b"clk;1", b"clk;2"]
    assert (queue.counters.datagrams, queue.counters.dropped, len(queue)) == (5, 2, 0)


async def test_nothing_is_dropped_before_the_queue_is_full(database_url: str) -> None:
    async with running_house(database_url, queued_datagrams=200) as house, _log_taken(database_url, house):
        assert house.listener is not None
        counters = house.listener.queue.counters
        # The first is being written and waits; then 200 find room, and 50 do not.
        await house.send(LOAD[0])
        await eventually(lambda: counters.messages == 1)
        await house.send(*(f"clk;{number}" for number in range(125)))
        await eventually(lambda: counters.datagrams == 126)
        await house.send(*(f"clk;{number}" for number in range(125, 250)))
        await eventually(lambda: counters.datagrams == 251)
        facts = house.listener.facts()
    async with running_house(database_url) as house:
        entries = await log_of(house)

    assert (facts["datagrams"], facts["dropped"], facts["waiting"]) == (251, 50, 201)
    assert raws(entries) == [LOAD[0], *(f"clk;{number}" for number in range(200))]


class _log_taken:  # noqa: N801 -- it reads as a function
    """Hold the lock on the mat's log, as another process would, until the block ends."""

    def __init__(self, database_url: str, house: RunningHouse) -> None:
        self._url = database_url
        self._house = house
        self._release: Callable[[], Awaitable[None]]

    async def __aenter__(self) -> None:
        assert self._house.listener is not None
        # It reads how far the log has come before it listens, and could not do so once the log is taken.
        await self._house.listener.wait_until_bound()
        if is_embedded(self._url):
            connection = sqlite3.connect(sqlite_path(self._url), isolation_level=None, check_same_thread=False)
            # On a thread: whoever holds the lock now may need our loop to let go of it.
            await asyncio.to_thread(connection.execute, "BEGIN IMMEDIATE")

            async def release() -> None:
                connection.execute("ROLLBACK")
                connection.close()

            self._release = release
            return
        locker = await asyncpg.connect(self._url)
        transaction = locker.transaction()
        await transaction.start()
        await locker.execute("SELECT 1 FROM mats WHERE id = $1 FOR UPDATE", self._house.mat_id)

        async def let_go() -> None:
            await transaction.rollback()
            await locker.close()

        self._release = let_go

    async def __aexit__(self, *_: object) -> None:
        await self._release()


# Trouble with the database.


async def test_while_another_holds_the_log_everything_waits_and_then_is_stored_once(database_url: str) -> None:
    wires = [message.wire for message in read_capture(FINAL)]
    async with running_house(database_url) as house:
        assert house.listener is not None
        async with _log_taken(database_url, house):
            await house.send(*wires[:150])
            await eventually(lambda: house.listener is not None and house.listener.queue.counters.datagrams == 150)
            await house.send(*wires[150:])
            await eventually(lambda: house.listener is not None and house.listener.queue.counters.datagrams == 308)
        await house.logged(308)

        assert raws(await log_of(house)) == wires


async def test_another_writer_in_the_log_loses_and_doubles_nothing(database_url: str) -> None:
    ours = [message.wire for message in read_capture(FINAL)]
    async with running_house(database_url) as house:
        other = await connect(database_url, pool_size=2)
        await house.send(*ours[:12])
        await house.logged(12)
        for number in range(20):
            await _write(other, house, f"xyz;{number}")
            await house.send(*ours[12 + number * 10 : 22 + number * 10])
        await house.send(*ours[212:])
        await house.logged(328)
        entries = raws(await log_of(house))
        await other.close()

    assert [raw for raw in entries if not raw.startswith("xyz")] == ours
    assert [raw for raw in entries if raw.startswith("xyz")] == [f"xyz;{number}" for number in range(20)]


async def _write(db: Database, house: RunningHouse, wire: str) -> None:
    """Log a message as another process would, who tries again when the listener was faster."""
    received = Received(
        received_at=SystemClock().now(), sender="another:1", raw=wire.encode(), message=parse(wire.encode())
    )

    async def is_logged() -> bool:
        try:
            async with db.transaction() as tx:
                await operations.log_messages(tx, await operations.load_progress(tx, house.mat_id), [received])
        except Conflict:
            return False
        return True

    await eventually(is_logged, "the other writer's entry")


@pytest.mark.parametrize("database_url", [pytest.param("postgresql", marks=pytest.mark.postgresql)], indirect=True)
async def test_ended_connections_lose_and_double_nothing(database_url: str) -> None:
    wires = [message.wire for message in read_capture(FINAL)]
    async with running_house(database_url) as house:
        killer = await asyncpg.connect(database_url)
        for start in range(0, 308, 22):
            await house.send(*wires[start : start + 22])
            await killer.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        await killer.close()
        assert house.listener is not None
        await eventually(lambda: house.listener is not None and house.listener.facts()["waiting"] == 0)
        await eventually(lambda: _answers(house))
        await house.logged(308)

        assert raws(await log_of(house)) == wires


async def _answers(house: RunningHouse) -> bool:
    answer = await house.http.get("/readyz")
    return answer.status_code == 200


@pytest.mark.parametrize("database_url", [pytest.param("postgresql", marks=pytest.mark.postgresql)], indirect=True)
async def test_a_commit_whose_answer_was_lost_is_not_repeated_and_is_heard(database_url: str) -> None:
    async with wire_to(database_url) as (wire, url), running_house(url) as house, house.admitted() as socket:
        assert house.listener is not None
        await house.send(LOADED)
        await house.logged(4)
        shown = socket.subscribe(BOARD, mat=house.mat)
        before = await anext(shown)

        wire.cut_behind_next_commit()
        await house.send(*BLUE_PUNCHES)
        await eventually(lambda: wire.is_cut)
        # While nobody can say whether it was stored, more arrives.
        await house.send("clk;01:59")
        wire.mend()
        after = await anext(shown)
        await house.logged(9)

        assert raws(await log_of(house)) == [*LOAD, *BLUE_PUNCHES, "clk;01:59"]
    assert [before, after] == [expected_board(1, 0, 0), expected_board(2, 1, 0)]


@pytest.mark.parametrize("database_url", [pytest.param("postgresql", marks=pytest.mark.postgresql)], indirect=True)
async def test_a_commit_whose_answer_was_lost_is_not_repeated_after_a_long_outage(
    database_url: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pss, "_PAUSE_WHILE_AWAY_SECONDS", 0.01)
    async with wire_to(database_url) as (wire, url), running_house(url) as house:
        await house.send(*LOAD)
        await house.logged(4)

        wire.cut_behind_next_commit()
        await house.send(*BLUE_PUNCHES)
        # It has looked for its batch in vain, and tried it again in vain.
        await eventually(lambda: len(re.findall("waits for the database", caplog.text)) >= 3)
        wire.mend()
        await eventually(lambda: house.listener is not None and house.listener.facts()["waiting"] == 0)
        await house.send("clk;01:59")
        await house.logged(9)

        assert raws(await log_of(house)) == [*LOAD, *BLUE_PUNCHES, "clk;01:59"]


async def test_a_batch_that_turns_out_to_be_stored_is_let_go(db: Database, clock: ManualClock) -> None:
    async with db.transaction() as tx:
        mat = await operations.create_mat(tx, name="Mat 1", now=clock.now())
    listener = PSSListener(db, clock, mat.id, "127.0.0.1", 0)
    progress = await listener._catch_up(None)
    batch = listener._read(
        [Datagram(clock.now(), clock.monotonic_ns(), "127.0.0.1:5000", wire.encode()) for wire in LOAD]
    )
    # Stored by us, and the answer never came: the next we hear is that the log has moved on.
    async with db.transaction() as tx:
        await operations.log_messages(tx, progress, batch)
    listener._unwritten = batch

    with db.bus.listen(mat.id, of=ScoreboardChanged) as heard:
        while listener.facts()["waiting"]:
            progress = await listener._step(progress)
        change = await anext(heard)

    async with db.read() as session:
        stored = await session.rows(select(MatchEvent).order_by(col(MatchEvent.seq)))
    assert [entry.raw.decode() for entry in stored] == LOAD
    assert (progress.seq, change.scoreboard.seq, change.is_current) == (4, 4, True)


# Starting and stopping.


async def test_stopping_writes_what_has_arrived_each_message_once(database_url: str) -> None:
    wires = [message.wire for message in read_capture(FINAL)]
    db = await connect(database_url, pool_size=3)
    async with db.transaction() as tx:
        mat = await operations.create_mat(tx, name="Mat 1", now=SystemClock().now())
    sent = 0
    for _ in range(20):
        listener = PSSListener(db, SystemClock(), mat.id, "127.0.0.1", 0)
        work = asyncio.create_task(listener.run())
        part = random.randint(1, 25)  # noqa: S311 -- chance, not a secret
        send_datagrams(await listener.wait_until_bound(), wires[sent : sent + part])
        sent = min(sent + part, len(wires))
        # Stopped before, while or after it is stored, as it happens.
        for _ in range(random.randint(0, 60)):  # noqa: S311 -- as above
            await asyncio.sleep(0)
        work.cancel()
        await asyncio.wait([work])
        assert listener.facts()["waiting"] == 0
    async with db.read() as session:
        stored = await session.rows(select(MatchEvent).order_by(col(MatchEvent.seq)))
    await db.close()

    assert [(entry.seq, entry.raw.decode()) for entry in stored] == list(enumerate(wires[:sent], start=1))


@pytest.mark.parametrize("database_url", [pytest.param("postgresql", marks=pytest.mark.postgresql)], indirect=True)
async def test_a_listener_that_cannot_write_stops_all_the_same_and_says_what_is_lost(
    database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with wire_to(database_url) as (wire, url), running_house(url, drain_seconds=1) as house:
        await house.send(*LOAD)
        await house.logged(4)
        wire.cut()
        await house.send(*BLUE_PUNCHES)
        await eventually(lambda: house.listener is not None and house.listener.facts()["waiting"] == 4)

    assert f"mat {house.mat_id} stops with 4 messages that could not be written" in caplog.text


async def test_a_taken_port_is_waited_for_while_the_server_serves(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.workers.supervisor.FIRST_PAUSE_SECONDS", 0.02)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as squatter:
        squatter.bind(("127.0.0.1", 0))
        port = squatter.getsockname()[1]
        async with running_house(database_url, pss_port=port) as house:

            async def is_degraded() -> bool:
                ready = (await house.http.get("/readyz")).json()
                worker = next(one for one in ready["workers"] if one["name"].startswith("pss Command line"))
                return (ready["status"], worker["lastError"]) == ("degraded", "OSError")

            # Between two tries it is waiting, and for the moment of a try running.
            await eventually(is_degraded)
            assert await house.last_seq() == 0

            squatter.close()
            await house.send(*LOAD)
            await house.logged(4)

            assert _state(house.house.supervisor) == "running"


def _state(supervisor: Supervisor) -> str:
    return next(worker.state for worker in supervisor.health() if worker.name.startswith("pss Command line"))


async def test_the_receive_time_is_that_of_the_socket(database_url: str, clock: ManualClock) -> None:
    async with running_house(database_url, clock=clock) as house:
        await house.send(*LOAD)
        await house.logged(4)

        times = {datetime.fromisoformat(entry["receivedAt"]) for entry in await log_of(house)}

    assert times == {clock.now()}


async def test_the_receive_time_is_also_that_of_a_clock_which_nobody_sets(
    database_url: str, clock: ManualClock
) -> None:
    async with running_house(database_url, clock=clock) as house:
        await house.send("pre;FightLoaded")
        await house.logged(1)
        clock.ticks += 12_500_000
        # Somebody sets the clock of the machine back by an hour.
        clock.time -= timedelta(hours=1)
        await house.send("rdy;FightReady")
        await house.logged(2)

        asked = "query ($mat: ID!) { mat(id: $mat) { events { nodes { seq burstSeq receivedMonotonicMs } } } }"
        data = await house.execute(asked, mat=house.mat)

    assert data["mat"]["events"]["nodes"] == [
        {"seq": 1, "burstSeq": 1, "receivedMonotonicMs": 0.0},
        {"seq": 2, "burstSeq": 1, "receivedMonotonicMs": 12.5},
    ]


# Whether it is heard.


STATUS = """
subscription ($mat: ID!) {
  matStatusChanged(matId: $mat) { status { state messages unreadable lastReceivedAt } }
}
"""


async def test_a_sender_that_falls_silent_while_its_clock_runs_is_told_of_and_one_whose_clock_rests_is_not(
    house: RunningHouse,
) -> None:
    assert house.listener is not None
    house.listener.silence = 0.05
    told: list[dict[str, Any]] = []

    async with house.admitted() as opened:
        statuses = opened.subscribe(STATUS, mat=house.mat)

        async def listen() -> None:
            told.append((await anext(statuses))["matStatusChanged"]["status"])

        await listen()
        # Its clock rests: nothing is missing, however long it takes.
        await house.send(LOADED)
        await listen()
        await house.send("clk;02:00;start")
        await listen()
        await house.send("clk;01:50;stop")
        await listen()
        await house.send("nonsense", "pt1;99", "Udp Port 6000 disconnected;")
        await listen()
        await statuses.aclose()

    shown = [(one["state"], one["messages"], one["unreadable"]) for one in told]
    assert shown[:4] == [
        ("UNHEARD", 0, 0),
        ("ALIVE", len(LOAD), 0),
        ("SILENT", len(LOAD) + 1, 0),
        ("ALIVE", len(LOAD) + 2, 0),
    ]
    # In one batch or in two.
    assert told[0]["lastReceivedAt"] is None
    assert shown[4] in {("OFF", len(LOAD) + 5, 1), ("ALIVE", len(LOAD) + 4, 1)}
