"""Groups: those who watch the same are told by one execution, and whoever is slow costs nobody anything."""

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from api.capture import read_capture
from db.access.viewer import Role, Viewer
from db.clock import SystemClock
from db.database import Database
from db.ids import new_id
from db.matches import operations
from db.matches.tables import Mat
from schema.connections import write_cursor
from schema.context import Context
from schema.engine.executor import Asked
from schema.ids import decode_id, encode_id
from schema.live import rings, states
from schema.live.group import Errors, Over, Reader
from schema.live.groups import Groups
from schema.live.rings import Payload
from tests.conftest import ManualClock
from tests.support.captures import FINAL
from tests.support.competition import loaded_fight, say
from tests.support.graph import Graph, the_schema
from tests.support.house import eventually

WIRES = [message.wire for message in read_capture(FINAL)]

BOARD = """
subscription ($matId: ID!, $delayMs: Int! = 0) {
  scoreboardChanged(matId: $matId, delayMs: $delayMs) { scoreboard { revision blue { score } } sentAt }
}
"""
# With an edge, so that each execution is a read.
BOARD_AND_MAT = """
subscription ($matId: ID!) {
  scoreboardChanged(matId: $matId) { scoreboard { revision match { mat { name } } } }
}
"""
EVENTS = """
subscription ($matchId: ID!, $after: String, $delayMs: Int! = 0) {
  matchEvents(matchId: $matchId, after: $after, delayMs: $delayMs) { cursor event { seq raw } }
}
"""


class Client:
    """Somebody who watches: it takes what it is given while it reads, and remembers the last cursor."""

    def __init__(self, hall: "Hall", operation: str, graph: Graph, **variables: Any) -> None:
        self.heard: list[Payload] = []
        # When each came, by the machine's clock.
        self.times: list[float] = []
        self.errors: Errors | None = None
        self.is_reading = True
        context = Context(db=graph.db, clock=graph.clock, asker=graph.viewer)
        self.reader: Reader = hall.groups.enter(Asked(operation, None, variables), context, self._offer, self._end)
        self._task = asyncio.create_task(self._start())

    @property
    def data(self) -> list[Any]:
        return [orjson.loads(payload.data)["data"] for payload in self.heard]

    @property
    def boards(self) -> list[tuple[int, int]]:
        shown = [data["scoreboardChanged"]["scoreboard"] for data in self.data]
        return [(board["revision"], board["blue"]["score"]) for board in shown]

    @property
    def seqs(self) -> list[int]:
        return [data["matchEvents"]["event"]["seq"] for data in self.data]

    async def has_heard(self, count: int) -> None:
        await eventually(lambda: len(self.heard) >= count, f"message {count}")

    async def is_live(self) -> None:
        await self._task

    def read_again(self) -> None:
        self.is_reading = True
        self.reader.catch_up()

    async def leave(self) -> None:
        self.reader.leave()
        self._task.cancel()
        await asyncio.wait([self._task])

    async def _start(self) -> None:
        try:
            async for payload in self.reader.start():
                self._hear(payload)
        except Over as over:
            self.reader.leave()
            self._end(over.errors)
            return
        self.reader.go_live()

    def _offer(self, payload: Payload) -> bool:
        if self.is_reading:
            self._hear(payload)
        return self.is_reading

    def _hear(self, payload: Payload) -> None:
        self.heard.append(payload)
        self.times.append(time.monotonic())

    def _end(self, errors: Errors) -> None:
        self.errors = errors


class Hall:
    """Groups, and the clients in them."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.groups = Groups(the_schema())
        self.clients: list[Client] = []

    def enter(self, operation: str, *, graph: Graph | None = None, **variables: Any) -> Client:
        client = Client(self, operation, graph or self.graph, **variables)
        self.clients.append(client)
        return client

    async def close(self) -> None:
        for client in self.clients:
            await client.leave()
        assert len(self.groups) == 0
        await eventually(lambda: self.graph.db.bus.listener_count == 0, "the end of all listening")


@pytest.fixture
async def hall(graph: Graph) -> AsyncIterator[Hall]:
    opened = Hall(graph)
    yield opened
    await opened.close()


@pytest.fixture
async def mat(db: Database, clock: ManualClock) -> Mat:
    async with db.transaction() as tx:
        return await operations.create_mat(tx, name=f"Mat {new_id()}", now=clock.now())


async def tell(graph: Graph, mat: Mat, *wires: str) -> str:
    """Log what a scoring program says; return the id of the fight on the mat."""
    now = graph.clock.now()
    async with graph.db.transaction() as tx:
        await say(tx, mat.id, now, *wires)
    async with graph.db.read() as session:
        progress = await operations.load_progress(session, mat.id)
    return "" if progress.fight is None else encode_id("match", progress.fight.match_id)


def scored(points: int) -> list[str]:
    return [f"sc1;{points};sc2;0", "pt1;1"]


def viewer(role: Role = Role.VIEWER, *bound: str) -> Viewer:
    nodes = frozenset(decode_id(one) for one in bound) or None
    return Viewer(user_id=new_id(), token_id=new_id(), role=role, nodes=nodes)


# Sharing.


async def test_one_event_is_executed_once_for_all_who_watch_it(graph: Graph, hall: Hall, mat: Mat) -> None:
    await tell(graph, mat, *loaded_fight("101"))
    statements = []
    for others in (0, 49):
        clients = [hall.enter(BOARD_AND_MAT, matId=_id(mat)) for _ in range(1 + others)]
        for client in clients:
            await client.is_live()
        with graph.statements() as run:
            await tell(graph, mat, *scored(1 + others))
            for client in hall.clients:
                await client.has_heard(2)
        statements.append(len(run))

    assert statements[0] == statements[1]
    assert (len(hall.groups), hall.groups.reader_count) == (1, 51)
    assert len({id(client.heard[-1].data) for client in hall.clients}) == 1


def _id(mat: Mat) -> str:
    return encode_id("mat", mat.id)


async def test_a_storm_of_clients_reads_the_present_once(graph: Graph, hall: Hall, mat: Mat) -> None:
    await tell(graph, mat, *loaded_fight("101"))
    with graph.statements() as read:
        clients = [hall.enter(BOARD, matId=_id(mat)) for _ in range(200)]
        for client in clients:
            await client.has_heard(1)

    # The mat, to see that there is one; the mat again, for its fight; and the board.
    assert len(read) == 3
    assert {client.boards[0] for client in clients} == {(1, 0)}


async def test_who_comes_later_is_shown_the_present_without_another_read_of_it(
    graph: Graph, hall: Hall, mat: Mat, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(states, "FRESH_SECONDS", 0.0)
    await tell(graph, mat, *loaded_fight("101"))
    await hall.enter(BOARD, matId=_id(mat)).has_heard(1)
    clock.move(timedelta(seconds=40))
    with graph.statements() as read:
        late = hall.enter(BOARD, matId=_id(mat))
        await late.has_heard(1)

    assert read == []
    assert late.data[0]["scoreboardChanged"]["sentAt"] == f"{clock.now():%Y-%m-%dT%H:%M:%S.%fZ}"


async def test_who_comes_later_costs_those_who_are_there_no_message(
    graph: Graph, hall: Hall, mat: Mat, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(states, "FRESH_SECONDS", 0.0)
    await tell(graph, mat, *loaded_fight("101"))
    first = hall.enter(BOARD, matId=_id(mat))
    await first.is_live()
    late = hall.enter(BOARD, matId=_id(mat))
    await late.is_live()
    await tell(graph, mat, *scored(2))
    await late.has_heard(2)

    assert first.boards == late.boards == [(1, 0), (2, 2)]


async def test_a_group_is_those_who_ask_the_same_and_may_see_the_same(graph: Graph, hall: Hall, mat: Mat) -> None:
    match = await tell(graph, mat, *loaded_fight("101"))
    mat_id = _id(mat)
    anna, ben = graph.as_viewer(viewer()), graph.as_viewer(viewer())
    overlays = [graph.as_viewer(viewer(Role.ADMIN, mat_id)) for _ in range(2)]
    other_overlay = graph.as_viewer(viewer(Role.ADMIN, match))
    counts = []
    asked: list[tuple[Graph, str, dict[str, Any]]] = [
        (anna, BOARD, {"matId": mat_id}),
        # Another user with the same role; one with another role.
        (ben, BOARD, {"matId": mat_id}),
        (graph, BOARD, {"matId": mat_id}),
        # Two tokens bound to the same node; one bound to another.
        (overlays[0], BOARD, {"matId": mat_id}),
        (overlays[1], BOARD, {"matId": mat_id}),
        (other_overlay, BOARD, {"matId": mat_id}),
        # A variable that nothing asks for; one that matters; another document.
        (anna, BOARD, {"matId": mat_id, "nothing": 7}),
        (anna, BOARD, {"matId": mat_id, "delayMs": 1}),
        (anna, BOARD + " ", {"matId": mat_id}),
        # Two places in one feed.
        (anna, EVENTS, {"matchId": match}),
        (anna, EVENTS, {"matchId": match, "after": "WzVd"}),
    ]
    for who, operation, variables in asked:
        await hall.enter(operation, graph=who, **variables).has_heard(1)
        counts.append(len(hall.groups))

    assert counts == [1, 1, 2, 3, 3, 4, 4, 5, 6, 7, 7]


async def test_a_place_that_says_something_else_too_parts_the_group(graph: Graph, hall: Hall, mat: Mat) -> None:
    match = await tell(graph, mat, *loaded_fight("101"))
    twice = """
    subscription ($matchId: ID!, $after: String) {
      matchEvents(matchId: $matchId, after: $after) { event { seq match { events(after: $after) { totalCount } } } }
    }
    """
    for after in ("WzVd", "WzZd"):
        await hall.enter(twice, matchId=match, after=after).has_heard(1)

    assert len(hall.groups) == 2


# Refusals.


async def test_who_may_not_watch_is_told_so_and_leaves_no_group(graph: Graph, hall: Hall, mat: Mat) -> None:
    overlay = graph.as_viewer(viewer(Role.ADMIN, encode_id("match", new_id())))
    refused = [hall.enter(BOARD, graph=overlay, matId=_id(mat)) for _ in range(3)]
    for client in refused:
        await client.is_live()

    expected = {
        "message": "There is no such mat.",
        "locations": [{"line": 3, "column": 3}],
        "path": ["scoreboardChanged"],
        "extensions": {"code": "NOT_FOUND", "field": "matId"},
    }
    assert [client.errors for client in refused] == [[expected]] * 3
    assert len(hall.groups) == 0


async def test_a_cursor_that_is_none_is_refused_to_him_alone(graph: Graph, hall: Hall, mat: Mat) -> None:
    match = await tell(graph, mat, *loaded_fight("101"))
    follower = hall.enter(EVENTS, matchId=match)
    wrong = hall.enter(EVENTS, matchId=match, after="nonsense")
    await wrong.is_live()
    await follower.has_heard(9)

    assert wrong.errors is not None
    assert wrong.errors[0]["extensions"] == {"code": "BAD_USER_INPUT", "field": "after"}
    assert follower.errors is None


@pytest.mark.parametrize("delay", [-1, 60_001])
async def test_a_delay_that_cannot_be_is_refused(hall: Hall, mat: Mat, delay: int) -> None:
    client = hall.enter(BOARD, matId=_id(mat), delayMs=delay)
    await client.is_live()

    assert client.errors is not None
    assert client.errors[0]["message"] == "A delay is 0 to 60000 milliseconds."


async def test_what_cannot_be_asked_is_refused_before_there_is_a_group(hall: Hall) -> None:
    for operation in ("subscription { nothing }", "subscription {", "subscription { matchEvents { cursor } }"):
        with pytest.raises(Over) as refused:
            hall.enter(operation)
        assert refused.value.errors[0]["extensions"]["code"] == "BAD_USER_INPUT"
    assert len(hall.groups) == 0


# Slowness.


async def test_whoever_does_not_read_a_state_gets_the_latest_when_he_does(graph: Graph, hall: Hall, mat: Mat) -> None:
    await tell(graph, mat, *loaded_fight("101"))
    slow, quick = hall.enter(BOARD, matId=_id(mat)), hall.enter(BOARD, matId=_id(mat))
    await slow.is_live()
    await quick.is_live()
    slow.is_reading = False
    for points in range(1, 21):
        await tell(graph, mat, *scored(points))
        await quick.has_heard(1 + points)
    slow.read_again()
    await tell(graph, mat, *scored(21))
    await slow.has_heard(3)

    assert slow.boards == [(1, 0), (21, 20), (22, 21)]
    assert [score for _, score in quick.boards] == list(range(22))


async def test_whoever_does_not_read_a_feed_goes_on_where_he_was(graph: Graph, hall: Hall, mat: Mat) -> None:
    match = await tell(graph, mat, *WIRES[:12])
    slow = hall.enter(EVENTS, matchId=match)
    await slow.is_live()
    slow.is_reading = False
    await tell(graph, mat, *WIRES[12:60])
    quick = hall.enter(EVENTS, matchId=match)
    await quick.has_heard(60)
    slow.read_again()

    assert slow.seqs == quick.seqs == list(range(1, 61))


async def test_whoever_falls_out_of_a_feed_is_told_where_to_go_on(
    graph: Graph, hall: Hall, mat: Mat, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rings, "MOST_ENTRIES", 8)
    match = await tell(graph, mat, *WIRES[:12])
    slow = hall.enter(EVENTS, matchId=match)
    quick = hall.enter(EVENTS, matchId=match)
    await slow.is_live()
    await quick.is_live()
    slow.is_reading = False
    await tell(graph, mat, *WIRES[12:40])
    await quick.has_heard(40)
    slow.read_again()

    assert slow.errors == [
        {
            "message": "You fell behind and missed entries. "
            "Subscribe again with `after` as it stands in the extensions.",
            "extensions": {"code": "LAGGED", "after": slow.data[-1]["matchEvents"]["cursor"]},
        }
    ]
    resumed = hall.enter(EVENTS, matchId=match, after=slow.errors[0]["extensions"]["after"])
    await resumed.has_heard(28)
    assert slow.seqs + resumed.seqs == quick.seqs == list(range(1, 41))


async def test_a_ring_holds_no_more_bytes_than_it_may(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rings, "MOST_BYTES", 1000)
    ring = rings.Ring(None)
    for number in range(100):
        ring.append(Payload((number,), b"x" * 300))

    assert [payload.place for payload in ring.behind(ring.floor)] == [(97,), (98,), (99,)]
    assert not ring.holds((95,))
    assert not ring.holds(None)


# Delay.


async def test_what_is_watched_with_a_delay_comes_that_much_later_and_in_order(
    db: Database, graph: Graph, mat: Mat
) -> None:
    timely = Graph(db, SystemClock(), graph.viewer)
    hall = Hall(timely)
    match = await tell(timely, mat, *loaded_fight("101"))
    state, entries = hall.enter(BOARD, matId=_id(mat), delayMs=1000), hall.enter(EVENTS, matchId=match, delayMs=1000)
    await state.is_live()
    await entries.is_live()
    began = []
    for points in (1, 2):
        # To the loop a pause is no time, and to an entry it is: by the machine's clock neither comes too soon.
        began.append(time.monotonic())
        await tell(timely, mat, *scored(points))
    await state.has_heard(3)
    await entries.has_heard(13)
    waited = [came - began[told] for told, came in zip((0, 1), state.times[1:], strict=True)]
    waited += [came - began[told] for told, came in zip((0, 0, 1, 1), entries.times[9:], strict=True)]

    assert state.boards == [(1, 0), (2, 1), (3, 2)]
    assert entries.seqs == list(range(1, 14))
    # An entry's time is that of the wall's clock, which may be set while it waits.
    assert min(waited) > 0.99
    await hall.close()


# Everything at once.

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("log"), st.integers(1, 40)),
        st.tuples(st.just("enter"), st.integers(0, 60)),
        st.tuples(st.just("stall"), st.integers(0, 5)),
        st.tuples(st.just("read"), st.integers(0, 5)),
        st.tuples(st.just("leave"), st.integers(0, 5)),
        st.tuples(st.just("turn"), st.integers(1, 20)),
    ),
    max_size=30,
)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(steps=STEPS)
async def test_everybody_hears_the_log_exactly_however_they_come_and_go(
    graph: Graph, steps: list[tuple[str, int]]
) -> None:
    hall = Hall(graph)
    async with graph.db.transaction() as tx:
        mat = await operations.create_mat(tx, name=f"Mat {new_id()}", now=graph.clock.now())
    logged = 12
    match = await tell(graph, mat, *WIRES[:logged])
    present: list[tuple[int, Client]] = []
    for step, value in steps:
        if step == "log":
            await tell(graph, mat, *WIRES[logged : logged + value])
            logged = min(logged + value, len(WIRES))
        elif step == "enter":
            after = min(value, logged)
            cursor = None if after == 0 else write_cursor((after,))
            present.append((after, hall.enter(EVENTS, matchId=match, after=cursor)))
        elif step == "turn":
            for _ in range(value):
                await asyncio.sleep(0)
        elif present:
            _, client = present[value % len(present)]
            if step == "stall":
                client.is_reading = False
            elif step == "read":
                client.read_again()
            else:
                await client.leave()
                present = [one for one in present if one[1] is not client]
    for after, client in present:
        client.read_again()
        await client.has_heard(logged - after)
        client.read_again()

    # A ring holds more than this log, so nobody is told that he lagged.
    assert [(client.seqs, client.errors) for _, client in present] == [
        (list(range(after + 1, logged + 1)), None) for after, _ in present
    ]
    await hall.close()
