"""Listeners that are started, stopped and changed while the server runs, and what is written down of them."""

import socket
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlmodel import col, select

from api.workers.listeners import Listeners, Terms
from api.workers.supervisor import Supervisor
from api.workers.traffic import ACTIVE_FOR, MOST_SENDERS, Traffic
from db.bus import BusKind
from db.clock import SystemClock
from db.connecting import connect
from db.database import Database
from db.matches.tables import Mat, MatchEvent
from db.matches.vocabulary import RejectionReason
from db.network import operations
from db.network.addresses import Allowance
from db.network.events import ListenerEvent
from db.network.tables import ListenerSession, Sender, UDPListener
from db.network.vocabulary import ListenerSessionState, ListenerState
from tests.conftest import ManualClock
from tests.db.stored import NOW, lay_mat
from tests.support.house import eventually, running_house, send_datagrams
from tests.support.listening import make_listener
from tests.support.wire import wire_to

QUICK = Terms(patience_at_stop=5, seconds_between_reports=0.02)
LOAD = [
    "pre;FightLoaded",
    "at1;Ana ONE;Ana ONE;SUI;at2;Bo TWO;Bo TWO;GER",
    "mch;7;Final;W -57kg;0;#0000ff;#FFFFFF;#ff0000;#FFFFFF;null;Seniors;3;120;cntDown;18;5;",
    "rdy;FightReady",
]

CREATE = """
mutation ($input: UDPListenerInput!) {
  listenerCreate(input: $input) { listener { id state isEnabled } errors { code field message } }
}
"""
UPDATE = """
mutation ($id: ID!, $input: UDPListenerInput!) {
  listenerUpdate(id: $id, input: $input) { listener { id } errors { code field message } }
}
"""
CHANGE = "mutation ($id: ID!) {{ {0}(id: $id) {{ listener {{ isEnabled }} errors {{ message }} }} }}"
SHOW = """
query ($id: ID!) {
  listener(id: $id) {
    state lastError
    currentSession { port packetCount refusedCount }
    sessions { nodes { state packetCount messageCount unreadableCount refusedCount smallestPacket largestPacket } }
  }
}
"""
WATCH = """
subscription ($id: ID!) {
  listenerStatusChanged(listenerId: $id) {
    listeners { state currentSession { port packetCount senders { nodes { address isRefused packetCount } } } }
  }
}
"""


def _speaks_the_new_protocol() -> bool:
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as one:
            one.bind(("::1", 0))
    except OSError:
        return False
    return True


@asynccontextmanager
async def listeners(db: Database, terms: Terms = QUICK, clock: Any = None) -> AsyncIterator[Listeners]:
    """Run what is configured until the block ends, and have written down all of it by then."""
    clock = clock or SystemClock()
    supervisor = Supervisor(clock)
    running = Listeners(db, clock, supervisor, terms)
    supervisor.start("listeners", running.run, running.facts)
    supervisor.start("listener reports", running.report)
    try:
        yield running
    finally:
        await supervisor.close()


async def listener_of(db: Database, listener_id: UUID) -> UDPListener:
    async with db.read() as session:
        found = await session.row(select(UDPListener).where(col(UDPListener.id) == listener_id))
        assert found is not None
        return found


async def sessions_of(db: Database, listener_id: UUID) -> list[ListenerSession]:
    async with db.read() as session:
        of_it = col(ListenerSession.listener_id) == listener_id
        return await session.rows(select(ListenerSession).where(of_it).order_by(col(ListenerSession.started_at)))


async def senders_of(db: Database) -> list[Sender]:
    async with db.read() as session:
        return await session.rows(select(Sender).order_by(col(Sender.first_seen_at)))


async def log_of(db: Database, mat_id: UUID) -> list[str]:
    async with db.read() as session:
        of_mat = select(MatchEvent).where(col(MatchEvent.mat_id) == mat_id).order_by(col(MatchEvent.seq))
        return [entry.raw.decode() for entry in await session.rows(of_mat)]


async def has_state(db: Database, listener_id: UUID, state: ListenerState) -> None:
    async def has() -> bool:
        return (await listener_of(db, listener_id)).state is state

    await eventually(has, f"the state {state}")


async def change(db: Database, operation: Any, listener_id: UUID, *given: Any) -> None:
    async with db.transaction() as tx:
        await operation(tx, listener_id, *given, viewer=None, now=NOW)


# What comes of it.


async def test_what_a_listener_hears_is_logged_and_written_down_as_it_was(db: Database) -> None:
    mat = await lay_mat(db)
    row = await make_listener(db, mat.id, NOW, largest_packet=100)
    packets = [*LOAD, "nonsense", "x" * 101]

    async with listeners(db) as running:
        port = await (await running.of(row.id)).wait_until_bound()
        send_datagrams(port, packets)
        await eventually(lambda: _has_logged(db, mat, len(packets)))

    (session,), (sender,) = await sessions_of(db, row.id), await senders_of(db)
    sizes = [len(packet) for packet in packets]
    assert await log_of(db, mat.id) == packets
    assert (session.packet_count, session.byte_count, session.message_count) == (6, sum(sizes), 6)
    assert (session.smallest_packet, session.largest_packet) == (min(sizes), max(sizes))
    assert (session.unreadable_count, session.oversize_count, session.refused_count) == (1, 1, 0)
    assert (session.state, session.port, session.error) == (ListenerSessionState.STOPPED, port, "")
    assert session.ended_at is not None
    assert session.started_at <= session.ended_at
    assert (sender.address, sender.packet_count, sender.byte_count) == ("127.0.0.1", 6, sum(sizes))
    assert (sender.is_refused, sender.is_active) == (False, False)
    after = await listener_of(db, row.id)
    assert (after.state, after.current_session_id, after.is_enabled) == (ListenerState.STOPPED, None, True)


async def _has_logged(db: Database, mat: Mat, entries: int) -> bool:
    return len(await log_of(db, mat.id)) >= entries


async def test_a_packet_that_is_too_large_is_kept_as_rejected(db: Database) -> None:
    mat = await lay_mat(db)
    row = await make_listener(db, mat.id, NOW, largest_packet=64)

    async with listeners(db) as running:
        send_datagrams(await (await running.of(row.id)).wait_until_bound(), ["pre;" + "x" * 61])
        await eventually(lambda: _has_logged(db, mat, 1))

    async with db.read() as session:
        (entry,) = await session.rows(select(MatchEvent))
    assert (entry.is_valid, entry.reason, entry.raw) == (False, RejectionReason.TOO_LONG, b"pre;" + b"x" * 61)


async def test_who_is_not_named_is_refused_counted_and_shown_and_heard_once_he_is(db: Database) -> None:
    mat = await lay_mat(db)
    row = await make_listener(db, mat.id, NOW, allowed_senders=["127.0.0.2"])

    async with listeners(db) as running:
        pss = await running.of(row.id)
        port = await pss.wait_until_bound()
        send_datagrams(port, ["pre;FightLoaded", "rdy;FightReady"])
        await eventually(lambda: pss.queue.counters.refused == 2)
        assert await log_of(db, mat.id) == []
        await change(db, operations.update_listener, row.id, {"allowed_senders": ["127.0.0.0/8"]})
        await eventually(lambda: pss.queue._allowance.hears("127.0.0.1"))
        send_datagrams(port, ["pre;FightLoaded"])
        await eventually(lambda: _has_logged(db, mat, 1))

    (session,) = await sessions_of(db, row.id)
    assert (session.packet_count, session.refused_count, session.smallest_packet) == (1, 2, 15)
    assert await log_of(db, mat.id) == ["pre;FightLoaded"]
    assert Counter(one.packet_count for one in await senders_of(db)) == {1: 1, 2: 1}


@pytest.mark.skipif(not _speaks_the_new_protocol(), reason="This machine has no ::1.")
async def test_a_listener_of_the_new_protocol_hears_and_refuses_as_one_of_the_old(db: Database) -> None:
    mat = await lay_mat(db)
    row = await make_listener(db, mat.id, NOW, address="::1", allowed_senders=["::1"])

    async with listeners(db) as running:
        port = await (await running.of(row.id)).wait_until_bound()
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sender:
            sender.sendto(b"pre;FightLoaded", ("::1", port))
        await eventually(lambda: _has_logged(db, mat, 1))

    (session,), (heard,) = await sessions_of(db, row.id), await senders_of(db)
    assert (session.address, session.packet_count, session.refused_count) == ("::1", 1, 0)
    assert (heard.address, heard.is_refused) == ("::1", False)


# While it runs.


async def test_a_listener_is_stopped_started_moved_and_removed_while_the_others_listen(db: Database) -> None:
    mats = [await lay_mat(db, f"Mat {number}") for number in (1, 2)]
    row = await make_listener(db, mats[0].id, NOW, name="One")
    other = await make_listener(db, mats[1].id, NOW, name="Two")

    async with listeners(db) as running:
        untouched = await running.of(other.id)
        send_datagrams(await (await running.of(row.id)).wait_until_bound(), ["clk;1"])
        await change(db, operations.stop_listener, row.id)
        await has_state(db, row.id, ListenerState.STOPPED)
        await change(db, operations.start_listener, row.id)
        await has_state(db, row.id, ListenerState.LISTENING)
        send_datagrams(await (await running.of(row.id)).wait_until_bound(), ["clk;2", "clk;3"])
        await change(db, operations.update_listener, row.id, {"mat_id": mats[1].id})
        pss = await running.of(row.id)
        send_datagrams(await pss.wait_until_bound(), ["clk;4"])
        await eventually(lambda: pss.queue.counters.messages == 1)
        await change(db, operations.delete_listener, row.id)
        await eventually(lambda: running.facts() == {"listeners": 1})
        assert await running.of(other.id) is untouched

    # What was heard before a port was closed is in the log it was heard for.
    assert (await log_of(db, mats[0].id), await log_of(db, mats[1].id)) == (["clk;1", "clk;2", "clk;3"], ["clk;4"])
    assert await sessions_of(db, row.id) == []


async def test_what_another_process_changed_is_found_though_nobody_tells_of_it(
    db: Database, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.workers.following._LOOK_AGAIN_SECONDS", 0.02)
    mat = await lay_mat(db)
    known = await make_listener(db, mat.id, NOW)
    elsewhere = await connect(database_url, pool_size=1, bus=BusKind.LOCAL)

    async with listeners(db):
        # What was there at the first look is heard by then.
        await has_state(db, known.id, ListenerState.LISTENING)
        row = await make_listener(elsewhere, mat.id, NOW, name="South")
        await has_state(db, row.id, ListenerState.LISTENING)
        await change(elsewhere, operations.stop_listener, known.id)
        await has_state(db, known.id, ListenerState.STOPPED)
    await elsewhere.close()


async def test_two_listeners_of_one_mat_write_one_log(db: Database) -> None:
    mat = await lay_mat(db)
    rows = [await make_listener(db, mat.id, NOW, name=name) for name in ("One", "Two")]

    async with listeners(db) as running:
        ports = [await (await running.of(row.id)).wait_until_bound() for row in rows]
        for number in range(10):
            send_datagrams(ports[number % 2], [f"clk;{number}"])
        await eventually(lambda: _has_logged(db, mat, 10))

    assert sorted(await log_of(db, mat.id)) == [f"clk;{number}" for number in range(10)]


async def test_a_port_in_use_is_told_on_that_listener_stops_no_other_and_is_had_once_it_is_free(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.workers.supervisor.FIRST_PAUSE_SECONDS", 0.02)
    monkeypatch.setattr("api.workers.supervisor.LONGEST_PAUSE_SECONDS", 0.05)
    mat = await lay_mat(db)
    other = await make_listener(db, mat.id, NOW, name="Free")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as squatter:
        squatter.bind(("127.0.0.1", 0))
        port = squatter.getsockname()[1]
        row = await make_listener(db, mat.id, NOW, name="Taken", port=port)
        async with listeners(db):
            await has_state(db, row.id, ListenerState.ERROR)
            await has_state(db, other.id, ListenerState.LISTENING)
            failed = await listener_of(db, row.id)
            squatter.close()
            await has_state(db, row.id, ListenerState.LISTENING)

    assert failed.last_error == f"UDP port {port} on 127.0.0.1 cannot be had: Address already in use"
    assert failed.last_error_at is not None
    # Tries that came to nothing are no times of listening.
    assert [one.state for one in await sessions_of(db, row.id)] == [ListenerSessionState.STOPPED]


async def test_an_address_that_the_server_is_no_longer_told_of_is_not_bound(db: Database) -> None:
    mat = await lay_mat(db)
    row = await make_listener(
        db, mat.id, NOW, address="10.255.255.1", allowed_senders=["10.0.0.1"], open_addresses=["10.255.255.1"]
    )

    async with listeners(db):
        await has_state(db, row.id, ListenerState.ERROR)

    assert (await listener_of(db, row.id)).last_error.startswith("Other machines reach 10.255.255.1")
    assert await sessions_of(db, row.id) == []


async def test_thirty_two_mats_are_heard_at_once_and_every_log_is_exact(db: Database) -> None:
    mats = [await lay_mat(db, f"Mat {number:02}") for number in range(32)]
    rows = [await make_listener(db, mat.id, NOW, name=mat.name) for mat in mats]
    said = {mat.id: [*LOAD, *(f"clk;0:{number:02};{mat.name}" for number in range(4))] for mat in mats}

    async with listeners(db) as running:
        ports = [await (await running.of(row.id)).wait_until_bound() for row in rows]
        for turn in range(8):
            for port, mat in zip(ports, mats, strict=True):
                send_datagrams(port, [said[mat.id][turn]])

        async def all_is_logged() -> bool:
            async with db.read() as session:
                return sum(one.last_seq for one in await session.rows(select(Mat))) >= 32 * 8

        await eventually(all_is_logged)

    assert {mat.id: await log_of(db, mat.id) for mat in mats} == said
    async with db.read() as session:
        counted = {one.listener_id: one.packet_count for one in await session.rows(select(ListenerSession))}
    assert counted == {row.id: 8 for row in rows}


# What is written down, and when.


async def test_counts_are_written_for_all_listeners_at_once_and_not_for_each_packet(db: Database) -> None:
    mats = [await lay_mat(db, f"Mat {number}") for number in range(3)]
    rows = [await make_listener(db, mat.id, NOW, name=mat.name) for mat in mats]
    slow = Terms(patience_at_stop=5, seconds_between_reports=60)

    async with listeners(db, slow) as running:
        pss = [await running.of(row.id) for row in rows]
        ports = [await one.wait_until_bound() for one in pss]
        await running.write_down()
        with db.bus.listen(*(row.id for row in rows), of=ListenerEvent) as heard:
            for port in ports:
                send_datagrams(port, [f"clk;{number}" for number in range(100)])
            await eventually(lambda: all(one.queue.counters.messages == 100 for one in pss))
            before = list(heard._events)
            await running.write_down()
            await running.write_down()
            told = list(heard._events)

    assert (before, len(told)) == ([], 3)
    assert [(await sessions_of(db, row.id))[0].packet_count for row in rows] == [100, 100, 100]


async def test_a_server_that_comes_back_ends_what_it_left_behind_and_listens_again(db: Database) -> None:
    mat = await lay_mat(db)
    row = await make_listener(db, mat.id, NOW)
    async with listeners(db):
        await has_state(db, row.id, ListenerState.LISTENING)
        left = (await sessions_of(db, row.id))[0]
    # As a process leaves it that is killed.
    async with db.transaction() as tx:
        await operations.note_listener(
            tx,
            operations.ListenerReport(
                listener_id=row.id,
                state=ListenerState.LISTENING,
                error="",
                error_at=None,
                session=operations.SessionReport(
                    **{
                        name: getattr(left, name)
                        for name in operations.SessionReport.__dataclass_fields__
                        if name not in {"state", "ended_at"}
                    },
                    state=ListenerSessionState.RUNNING,
                    ended_at=None,
                ),
            ),
        )

    async def listens_again() -> bool:
        return len(await sessions_of(db, row.id)) > 1

    async with listeners(db):
        await eventually(listens_again)
        states = [one.state for one in await sessions_of(db, row.id)]

    assert states == [ListenerSessionState.INTERRUPTED, ListenerSessionState.RUNNING]


@pytest.mark.parametrize("database_url", [pytest.param("postgresql", marks=pytest.mark.postgresql)], indirect=True)
async def test_counts_wait_for_a_database_that_is_away(database_url: str) -> None:
    async with wire_to(database_url) as (wire, url), running_house(url, listener_report_seconds=0.02) as house:
        db = house.house.db
        await house.send(*LOAD)
        await house.logged(4)
        wire.cut()
        await house.send("clk;1")
        await eventually(lambda: house.listener is not None and house.listener.queue.counters.datagrams == 5)
        wire.mend()
        await house.logged(5)

        async def is_counted() -> bool:
            async with db.read() as session:
                return [one.packet_count for one in await session.rows(select(ListenerSession))] == [5]

        await eventually(is_counted)


# Counting.


async def test_senders_beyond_those_that_are_told_apart_are_counted_in_the_sum(clock: ManualClock) -> None:
    traffic, allowance = Traffic(), Allowance.of(["127.0.0.0/8"])
    for port in range(MOST_SENDERS + 50):
        traffic.admit(("127.0.0.1", port), 10, clock.now(), allowance)
        traffic.admit(("10.0.0.1", port), 10, clock.now(), allowance)

    reports = list(traffic.senders(clock.now()))

    assert Counter(one.is_refused for one in reports) == {False: MOST_SENDERS, True: MOST_SENDERS}
    assert (traffic.packets, traffic.refused, traffic.octets) == (150, 150, 1500)


async def test_a_sender_is_active_until_it_was_silent_for_a_while(clock: ManualClock) -> None:
    traffic = Traffic()
    traffic.admit(("127.0.0.1", 5), 10, clock.now(), Allowance())

    moments = [timedelta(0), ACTIVE_FOR - timedelta(microseconds=1), ACTIVE_FOR]
    shown = [next(traffic.senders(clock.now() + moment)).is_active for moment in moments]

    assert shown == [True, True, False]


# Through the graph.


async def test_a_listener_is_added_watched_and_stopped_through_the_graph(database_url: str) -> None:
    async with running_house(database_url, listener_report_seconds=0.02) as house:
        made = await house.execute(CREATE, input={"name": "Two", "matId": house.mat, "port": 0})
        listener = made["listenerCreate"]["listener"]["id"]
        async with house.admitted() as socket_:
            watching = socket_.subscribe(WATCH, id=listener)

            async def until(state: str, packets: int) -> dict[str, Any]:
                async for data in watching:
                    (shown,) = data["listenerStatusChanged"]["listeners"]
                    session = shown["currentSession"]
                    if shown["state"] == state and (0 if session is None else session["packetCount"]) == packets:
                        return dict(shown)
                raise AssertionError("it was not told")

            port = (await until("LISTENING", 0))["currentSession"]["port"]
            send_datagrams(port, LOAD)
            heard = await until("LISTENING", 4)
            stopped = await house.execute(CHANGE.format("listenerStop"), id=listener)
            await until("STOPPED", 0)
        shown = (await house.execute(SHOW, id=listener))["listener"]
        removed = await house.execute(CHANGE.format("listenerDelete"), id=listener)
        gone = await house.execute(SHOW, id=listener)

    assert made["listenerCreate"]["errors"] == []
    assert heard["currentSession"]["senders"]["nodes"] == [
        {"address": "127.0.0.1", "isRefused": False, "packetCount": 4}
    ]
    assert stopped == {"listenerStop": {"listener": {"isEnabled": False}, "errors": []}}
    sizes = [len(one) for one in LOAD]
    assert shown == {
        "state": "STOPPED",
        "lastError": "",
        "currentSession": None,
        "sessions": {
            "nodes": [
                {
                    "state": "STOPPED",
                    "packetCount": 4,
                    "messageCount": 4,
                    "unreadableCount": 0,
                    "refusedCount": 0,
                    "smallestPacket": min(sizes),
                    "largestPacket": max(sizes),
                }
            ]
        },
    }
    assert (removed["listenerDelete"]["errors"], gone) == ([], {"listener": None})


async def test_the_graph_refuses_what_the_server_was_not_told_to_open(database_url: str) -> None:
    async with running_house(database_url, listener_addresses="10.0.0.5") as house:
        given = {"name": "Two", "matId": house.mat, "port": 6000}
        outside = await house.execute(CREATE, input={**given, "address": "10.0.0.6"})
        unnamed = await house.execute(CREATE, input={**given, "address": "10.0.0.5"})
        nowhere = await house.execute(CREATE, input={"name": "Two", "port": 6000})

    errors = [one["listenerCreate"]["errors"][0] for one in (outside, unnamed, nowhere)]
    assert [(one["code"], one["field"]) for one in errors] == [
        ("BAD_USER_INPUT", "address"),
        ("BAD_USER_INPUT", "allowedSenders"),
        ("NOT_FOUND", "matId"),
    ]


async def test_the_listener_of_the_command_line_is_shown_among_the_others(database_url: str) -> None:
    async with running_house(database_url, host_name="studio") as house:
        data = await house.execute("{ listeners { nodes { name host mat { name } } } }")
        of_mat = await house.execute("query ($id: ID!) { mat(id: $id) { listeners { name } } }", id=house.mat)

    assert data == {
        "listeners": {"nodes": [{"name": "Command line of studio", "host": "studio", "mat": {"name": "Mat 1"}}]}
    }
    assert of_mat == {"mat": {"listeners": [{"name": "Command line of studio"}]}}
