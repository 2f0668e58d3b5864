"""W1, W4, W5, W6, W8, W9: clients that do not read, drop, come back all at once, or come in the middle of a change."""

import asyncio
import random
import socket as socket_module
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from uuid import UUID

import pytest

from api.capture import read_capture
from api.transport import sockets
from api.transport.line import FULL_AT, Line
from db.bus import Bus, Event, Listener
from db.matches.tables import Mat
from schema.ids import encode_id
from schema.matches import subscriptions
from tests.faults.conftest import Figure, Size
from tests.schema.test_groups import BOARD as WATCH
from tests.schema.test_groups import Hall, hall, mat, scored, tell
from tests.support.captures import FINAL
from tests.support.competition import loaded_fight
from tests.support.crowd import watch
from tests.support.graph import Graph
from tests.support.house import RunningHouse, eventually, running_house

__all__ = ["hall", "mat"]

WIRES = [message.wire for message in read_capture(FINAL)]
BOARD = "subscription ($mat: ID!) { scoreboardChanged(matId: $mat) { scoreboard { revision blue { score } } } }"
EVENTS = """
subscription ($match: ID!, $after: String) { matchEvents(matchId: $match, after: $after) { cursor event { seq raw } } }
"""
QUEUE = "subscription ($mat: ID!) { matQueueChanged(matId: $mat) { revision } }"
CURRENT = "query ($mat: ID!) { mat(id: $mat) { lastSeq currentMatch { id scoreboard { revision } } } }"
# A message of some kilobytes.
_SIDES = "match { sides { athlete { name countryCode } score } }"
_MANY = " ".join(f"a{number}: {_SIDES}" for number in range(25))
BULKY = f"subscription ($mat: ID!) {{ scoreboardChanged(matId: $mat) {{ scoreboard {{ {_MANY} }} }} }}"


@pytest.fixture
async def house(database_url: str) -> AsyncIterator[RunningHouse]:
    async with running_house(database_url) as running:
        yield running


# Not reading


async def held_for_who_does_not_read(house: RunningHouse, changes: int) -> int:
    """Change what somebody watches who does not read; return how many bytes wait for him."""
    await house.send("\n".join(WIRES[:12]))
    await house.logged(12)
    connection = socket_module.socket()
    connection.setsockopt(socket_module.SOL_SOCKET, socket_module.SO_RCVBUF, 4096)
    connection.setblocking(False)
    await asyncio.get_running_loop().sock_connect(connection, ("127.0.0.1", house.port))
    async with house.socket(sock=connection, max_queue=1) as stalled, house.admitted() as quick:
        await stalled.init({"token": house.secret})
        await anext(stalled.subscribe(BULKY, mat=house.mat))
        lines = [guest.line for guest in house.house.doorkeeper._guests if isinstance(guest, sockets.Socket)]
        lines[-1].transport.get_extra_info("socket").setsockopt(socket_module.SOL_SOCKET, socket_module.SO_SNDBUF, 4096)
        shown = quick.subscribe(BOARD, mat=house.mat)
        await anext(shown)
        for points in range(1, changes + 1):
            await house.send(f"sc1;{points};sc2;0", "pt1;1")
            score = 0
            while score < points:
                score = (await anext(shown))["scoreboardChanged"]["scoreboard"]["blue"]["score"]
        held: int = lines[-1].transport.get_write_buffer_size()
        stalled.kill()
        return held


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_little_waits_for_who_does_not_read_and_all_of_it_without_the_guard(
    house: RunningHouse, size: Size, monkeypatch: pytest.MonkeyPatch, figure: Figure
) -> None:
    changes = size(150, 2000)
    held = await held_for_who_does_not_read(house, changes)
    assert held < 2 * FULL_AT

    # Never full, so that it is written to whatever waits already.
    monkeypatch.setattr(Line, "pause_writing", lambda _: None)
    without = await _anew(house, changes)

    assert without > 2 * held
    figure("W1", f"{changes} changes to a client that does not read: {held >> 10} KiB wait, the others hear each")
    figure("W1", f"control: without a limit {without >> 10} KiB wait")


async def _anew(house: RunningHouse, changes: int) -> int:
    # Of another machine: one that is of the same machine would leave hearing to the first.
    async with running_house(house.house.settings.database, pss_mat="Mat 2", host_name="another") as other:
        return await held_for_who_does_not_read(other, changes)


# Dropping, again and again


async def followed(house: RunningHouse, *, remembers: bool) -> tuple[int, list[str]]:
    """Follow a fight that is being fought, dropping at random; return how often, and all that was heard."""
    assert house.listener is not None
    begun = await house.last_seq()
    await house.send("\n".join(WIRES[:12]))
    await house.logged(begun + 12)
    match = (await house.execute(CURRENT, mat=house.mat))["mat"]["currentMatch"]["id"]
    heard: list[str] = []
    cursor: str | None = None
    drops, rest, last = 0, WIRES[12:], -1
    while last < begun + len(WIRES):
        drops += 1
        sent, rest = rest[:20], rest[20:]
        async with house.admitted() as socket:
            feed = socket.subscribe(EVENTS, match=match, after=cursor if remembers else None)
            await house.send(*sent)
            # No more than was sent for it.
            for _ in range(random.randint(1, 20)):  # noqa: S311 -- chance, not a secret
                message = (await anext(feed))["matchEvents"]
                cursor, last = message["cursor"], message["event"]["seq"]
                heard.append(message["event"]["raw"])
                if last == begun + len(WIRES):
                    break
            socket.kill()
        if not remembers and drops > 3:
            break
    return drops, heard


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_who_drops_again_and_again_and_names_his_place_hears_everything_once(
    house: RunningHouse, size: Size, figure: Figure
) -> None:
    wanted, drops, fights = size(30, 10_000), 0, 0
    while drops < wanted:
        more, heard = await followed(house, remembers=True)
        assert heard == WIRES
        drops, fights = drops + more, fights + 1
    assert house.house.db.bus.listener_count <= 1
    _, doubled = await followed(house, remembers=False)

    assert doubled != WIRES[: len(doubled)]
    figure("W4", f"{drops} drops in {fights} fights of {len(WIRES)} entries: 0 missed, 0 doubled, in order")
    figure("W4", f"control: who does not name his place heard {len(doubled)} messages, not in order")


# Over a restart


async def test_who_comes_back_after_a_restart_goes_on_where_he_was(database_url: str, figure: Figure) -> None:
    heard: list[str] = []
    async with running_house(database_url) as house:
        await house.send("\n".join(WIRES[:40]))
        await house.logged(40)
        match = (await house.execute(CURRENT, mat=house.mat))["mat"]["currentMatch"]["id"]
        async with house.admitted() as socket:
            feed = socket.subscribe(EVENTS, match=match)
            for _ in range(30):
                message = (await anext(feed))["matchEvents"]
                heard.append(message["event"]["raw"])
            await house.stop()
            assert (await socket.closed())[0] == 1012
    async with (
        running_house(database_url) as house,
        house.admitted() as overlay,
        house.admitted() as socket,
        house.admitted() as another,
    ):
        board = await anext(overlay.subscribe(BOARD, mat=house.mat))
        present = (await house.execute(CURRENT, mat=house.mat))["mat"]["currentMatch"]["scoreboard"]["revision"]
        feed = socket.subscribe(EVENTS, match=match, after=message["cursor"])
        await house.send("\n".join(WIRES[40:50]))
        heard += [(await anext(feed))["matchEvents"]["event"]["raw"] for _ in range(20)]
        anew = (await anext(another.subscribe(EVENTS, match=match)))["matchEvents"]["event"]["raw"]
        # What else is told he does not read, and to take leave he would have to.
        another.kill()

    assert board["scoreboardChanged"]["scoreboard"]["revision"] == present
    assert heard == WIRES[:50]
    assert anew == WIRES[0]
    figure(
        "W5",
        "over a restart: the state as it is, the feed from its place; control: without a place, from the beginning",
    )


# All at once


async def reads_of_a_storm(database_url: str, clients: int, *, alike: bool) -> int:
    """Let everybody come back to a server that was started anew; return how often it read a scoreboard."""
    limits: dict[str, Any] = {"sockets_per_address": 10 * clients, "sockets_per_token": 10 * clients}
    variables = [{"delay": 0 if alike else number} for number in range(clients)]
    async with running_house(database_url, **limits) as house:
        await house.send("\n".join(WIRES[:12]))
        await eventually(lambda: _has_come(house), "the load")
        given = [{"mat": house.mat, **one} for one in variables]
        crowd = await watch(house.url, house.secret, STORM, given)
        await house.stop()
        assert await crowd.closed() == [1012] * clients
    async with running_house(database_url, **limits) as house:
        statements: list[str] = []
        house.house.db.on_statement = statements.append
        crowd = await watch(house.url, house.secret, STORM, given, at_once=clients)
        house.house.db.on_statement = None
        crowd.leave()
        return sum("FROM scoreboards" in sql for sql in statements)


STORM = """
subscription ($mat: ID!, $delay: Int!) { scoreboardChanged(matId: $mat, delayMs: $delay) { scoreboard { revision } } }
"""


async def _has_come(house: RunningHouse) -> bool:
    return await house.last_seq() >= 12


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_what_a_crowd_that_comes_back_watches_is_read_once(database_url: str, size: Size, figure: Figure) -> None:
    clients = size(200, 2000)

    reads = await reads_of_a_storm(database_url, clients, alike=True)
    assert reads <= 2

    apart = await reads_of_a_storm(database_url, 20, alike=False)
    assert apart >= 20
    figure("W6", f"{clients} clients back at once after a restart: all told, the scoreboard read {reads} times")
    figure("W6", f"control: 20 who share nothing make it read {apart} times")


# In the middle of a change


class _Late:
    """A listener that begins to listen when it is first waited at: after the present was read."""

    def __init__(self, begin: Callable[[], Listener[Any]]) -> None:
        self._begin = begin
        self._inner: Listener[Any] | None = None

    def __aiter__(self) -> "_Late":
        return self

    def __anext__(self) -> Awaitable[Any]:
        self._inner = self._inner or self._begin()
        return self._inner.__anext__()

    def take(self) -> list[Any]:
        return [] if self._inner is None else self._inner.take()


@contextmanager
def listening_late(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    listen = Bus.listen

    @contextmanager
    def late(self: Bus, *topics: UUID, of: type[Event], **how: Any) -> Iterator[Any]:
        with ExitStack() as stack:
            yield _Late(lambda: stack.enter_context(listen(self, *topics, of=of, **how)))

    with monkeypatch.context() as patch:
        patch.setattr(Bus, "listen", late)
        yield


# What is seen at once is not looked for any more, and a machine that does much else may be late with it.
_MOST_LOOKS = 2000


async def missed(
    graph: Graph, mat: Mat, points: int, monkeypatch: pytest.MonkeyPatch, *, looks: int = _MOST_LOOKS
) -> bool:
    """Change what somebody begins to watch, when he has read how it is and not heard of it yet; say if he missed it."""
    hall, is_read, is_changed = Hall(graph), asyncio.Event(), asyncio.Event()
    read = subscriptions._present

    async def read_and_wait(*given: Any, **named: Any) -> Any:
        present = await read(*given, **named)
        is_read.set()
        await is_changed.wait()
        return present

    with monkeypatch.context() as patch:
        patch.setattr(subscriptions, "_present", read_and_wait)
        client = hall.enter(WATCH, matId=encode_id("mat", mat.id))
        await is_read.wait()
    await tell(graph, mat, *scored(points))
    is_changed.set()
    await client.is_live()
    shown, newest = 0, -1
    while shown != newest and looks:
        looks -= 1
        data = await graph.execute(CURRENT, mat=encode_id("mat", mat.id))
        newest = data["mat"]["currentMatch"]["scoreboard"]["revision"]
        shown = client.boards[-1][0]
    await hall.close()
    return shown != newest


async def test_a_change_while_somebody_begins_to_watch_is_not_missed(
    graph: Graph, mat: Mat, size: Size, monkeypatch: pytest.MonkeyPatch, figure: Figure
) -> None:
    await tell(graph, mat, *loaded_fight("1"))
    times = size(10, 1000)

    assert [await missed(graph, mat, turn, monkeypatch) for turn in range(1, times + 1)] == [False] * times

    with listening_late(monkeypatch):
        late = [await missed(graph, mat, turn, monkeypatch, looks=20) for turn in range(100, 103)]
    assert late == [True] * 3
    figure("W8", f"{times} began to watch while a change was made: none missed it")
    figure("W8", "control: read first and listen then, 3 of 3 missed it")


# A resolver that raises


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_what_raises_in_a_subscription_ends_that_alone(
    house: RunningHouse, monkeypatch: pytest.MonkeyPatch, figure: Figure
) -> None:
    async def broken(*_: object, **__: object) -> None:
        broken_at_once()

    def broken_at_once(*_: object) -> None:
        raise ZeroDivisionError("a secret")

    async with house.admitted() as socket:
        lives = socket.subscribe(
            "subscription ($mat: ID!) { matQueueChanged(matId: $mat) { revision } }", mat=house.mat
        )
        await anext(lives)
        with monkeypatch.context() as patch:
            patch.setattr(subscriptions, "_present", broken)
            number = await socket.begin(BOARD, mat=house.mat)
            message = await socket.receive()
        again = await anext(socket.subscribe(BOARD, mat=house.mat))
        with monkeypatch.context() as patch:
            patch.setattr(sockets.Operation, "begin", broken_at_once)
            await socket.begin(BOARD, mat=house.mat)
            code, _ = await socket.closed()

    assert (message["id"], message["type"]) == (number, "error")
    assert "a secret" not in str(message)
    assert again == {"scoreboardChanged": {"scoreboard": None}}
    assert code == 4500
    figure("W9", "a resolver that raises ends its operation alone; control: what nobody catches ends the socket (4500)")
