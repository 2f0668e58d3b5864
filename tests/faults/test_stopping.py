"""S1, S2, R8: the server ends in the middle of work, by force or by request. Nothing that was seen is lost."""

import asyncio
import random
import time
from functools import reduce
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlmodel import col, select

from api.capture import read_capture
from api.replay import replay
from db.connecting import connect
from db.database import Database
from db.matches import fold
from db.matches.board import board
from db.matches.fold import Entry
from db.matches.messages import from_record
from db.matches.state import FightState, from_json
from db.matches.tables import Mat, Match, MatchEvent, Scoreboard
from tests.faults.conftest import Figure
from tests.support.captures import FINAL
from tests.support.crowd import watch
from tests.support.house import Answered, eventually, send_datagrams
from tests.support.process import Serving, serving

FIGHT = read_capture(FINAL)
LOAD = 12
_LIVES = 3

MATCH = "{ mats { nodes { id lastSeq currentMatch { id } } } }"
EVENTS = "subscription ($match: ID!) { matchEvents(matchId: $match) { event { seq raw } } }"
LOG = """
query ($match: ID!, $after: String) {
  match(id: $match) { events(first: 100, after: $after) { nodes { seq raw } pageInfo { hasNextPage endCursor } } }
}
"""


async def test_a_server_killed_at_any_moment_loses_nothing_that_was_seen(database_url: str, tmp_path: Path) -> None:
    log, secret = tmp_path / "server.log", ""
    seen: dict[int, str] = {}
    sent = 0
    for life in range(_LIVES):
        async with serving(database_url, log, secret=secret) as server:
            secret = server.secret
            if life == 0:
                send_datagrams(server.udp_port, [message.wire for message in FIGHT[:LOAD]])
                await eventually(lambda: _has_come(server, LOAD), "the load")
                sent = LOAD
            else:
                # What was ever seen is there again, before anything new arrives.
                assert seen.items() <= (await _log(server)).items()
            if life < _LIVES - 1:
                sent += await _watch_and_kill(server, sent, seen)
                continue
            send_datagrams(server.udp_port, [message.wire for message in FIGHT[sent:]])
            await eventually(lambda: _is_told(server), "the winner's name")
            assert await server.stop() == 0

    db = await connect(database_url, pool_size=1)
    await _assert_the_log_tells_what_is_shown(db, at_least=len(seen))
    await db.close()
    assert "Traceback" not in log.read_text()


async def _watch_and_kill(server: Serving, sent: int, seen: dict[int, str]) -> int:
    """Send some of the fight, note all that is heard, and kill in the middle of it; return how much was sent."""
    part = FIGHT[sent : sent + 80]
    moment = random.randrange(10, 75)  # noqa: S311 -- chance, not a secret
    count = 0

    def on_sent(_: object) -> None:
        nonlocal count
        count += 1
        if count == moment:
            server.process.kill()

    async with server.admitted() as socket:
        match = (await server.execute(MATCH))["mats"]["nodes"][0]["currentMatch"]["id"]
        feed = socket.subscribe(EVENTS, match=match)
        shifted = [type(one)(offset=one.offset - part[0].offset, wire=one.wire, text_is="") for one in part]
        replaying = asyncio.create_task(replay(shifted, ("127.0.0.1", server.udp_port), speed=300, on_sent=on_sent))
        try:
            async for data in feed:
                event = data["matchEvents"]["event"]
                seen[event["seq"]] = event["raw"]
        except Answered:
            await replaying
    await server.process.wait()
    return len(part)


async def test_a_request_to_stop_ends_sockets_and_stores_what_arrived(database_url: str, tmp_path: Path) -> None:
    log = tmp_path / "server.log"
    async with serving(database_url, log) as server, server.admitted() as first, server.admitted() as second:
        send_datagrams(server.udp_port, [message.wire for message in FIGHT[:LOAD]])
        await eventually(lambda: _has_come(server, LOAD), "the load")
        match = (await server.execute(MATCH))["mats"]["nodes"][0]["currentMatch"]["id"]
        await anext(first.subscribe(EVENTS, match=match))
        for _ in range(10):
            send_datagrams(server.udp_port, [message.wire for message in FIGHT[LOAD:]])
        arrived = (await server.listener())["datagrams"]

        code = await server.stop()
        ends = [await first.closed(), await second.closed()]

    db = await connect(database_url, pool_size=1)
    await _assert_the_log_tells_what_is_shown(db, at_least=arrived)
    await db.close()
    assert (ends, code) == ([(1012, "The server stops.")] * 2, 0)
    assert "Traceback" not in log.read_text()


async def _has_come(server: Serving, seq: int) -> bool:
    nodes = (await server.execute(MATCH))["mats"]["nodes"]
    return bool(nodes) and nodes[0]["lastSeq"] >= seq


async def _is_told(server: Serving) -> bool:
    data = await server.execute("{ mats { nodes { currentMatch { winnerName } } } }")
    return bool(data["mats"]["nodes"][0]["currentMatch"]["winnerName"])


async def _log(server: Serving) -> dict[int, str]:
    match = (await server.execute(MATCH))["mats"]["nodes"][0]["currentMatch"]["id"]
    entries: dict[int, str] = {}
    after, is_full = None, True
    while is_full:
        page: dict[str, Any] = (await server.execute(LOG, match=match, after=after))["match"]["events"]
        entries |= {node["seq"]: node["raw"] for node in page["nodes"]}
        after, is_full = page["pageInfo"]["endCursor"], page["pageInfo"]["hasNextPage"]
    return entries


async def _assert_the_log_tells_what_is_shown(db: Database, *, at_least: int) -> None:
    """The log has no gap, and folding it afresh gives what is stored of the fight and what is shown of it."""
    async with db.read() as session:
        entries = await session.rows(select(MatchEvent).order_by(col(MatchEvent.seq)))
        mats = await session.rows(select(Mat))
        matches = await session.rows(select(Match))
        scoreboards = await session.rows(select(Scoreboard))
    assert [entry.seq for entry in entries] == list(range(1, len(entries) + 1))
    assert len(entries) >= at_least
    assert [mat.last_seq for mat in mats] == [len(entries)]
    assert [mat.current_match_id for mat in mats] == [match.id for match in matches]

    told = _folded(entries)

    assert [from_json(one.fold) for one in scoreboards] == [told]
    assert [one.board for one in scoreboards] == [board(told)]


def _folded(entries: list[MatchEvent]) -> FightState:
    said = [
        Entry(seq=row.seq, received_at=row.received_at, message=from_record(row.kind, row.record)) for row in entries
    ]
    return reduce(fold.apply, said[1:], fold.begin(said[0]))


async def test_a_stop_keeps_what_was_answered_and_tells_a_thousand_sockets(
    database_url: str, tmp_path: Path, figure: Figure
) -> None:
    log = tmp_path / "server.log"
    many = 2000
    # So many a second that their number and the work beside them take the time, and not the pace.
    given: dict[str, Any] = {
        "sockets_per_address": many,
        "sockets_per_token": many,
        "sockets_closed_per_second": many,
    }
    stored: list[str] = []
    async with serving(database_url, log, **given) as server:
        mat = (await server.execute(MATCH))["mats"]["nodes"][0]["id"]
        crowd = await watch(server.url, server.secret, BOARD, [{"mat": mat}] * 1000)
        laying = [asyncio.create_task(_lay(server, f"Mat {number}", stored)) for number in range(2, 22)]
        await eventually(lambda: len(stored) > 20, "changes under way")
        began = time.monotonic()
        assert await server.stop() == 0
        took = time.monotonic() - began
        await asyncio.gather(*laying)
        codes = await crowd.closed()

    db = await connect(database_url, pool_size=1)
    async with db.read() as session:
        names = {mat.name for mat in await session.rows(select(Mat))}
    await db.close()
    assert codes == [1012] * 1000
    assert set(stored) <= names
    assert "Traceback" not in log.read_text()
    engine = db.statements.dialect.name
    figure("R8", f"{engine}: SIGTERM, 1,000 sockets, 20 who write: {took:.2f} s, {len(stored)} answered, all stored")


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_a_server_that_is_killed_tells_its_sockets_nothing(
    database_url: str, tmp_path: Path, figure: Figure
) -> None:
    async with serving(database_url, tmp_path / "log", sockets_per_address=99, sockets_per_token=99) as server:
        mat = (await server.execute(MATCH))["mats"]["nodes"][0]["id"]
        crowd = await watch(server.url, server.secret, BOARD, [{"mat": mat}] * 20)
        server.process.kill()

        assert await crowd.closed() == [None] * 20
    figure("R8", "control: killed instead of asked to stop, it tells its sockets nothing")


BOARD = "subscription ($mat: ID!) { scoreboardChanged(matId: $mat) { scoreboard { revision } } }"
LAY = "mutation ($name: String!) { matCreate(input: {name: $name}) { mat { id } } }"


async def _lay(server: Serving, name: str, stored: list[str]) -> None:
    """Lay mats until the server is gone; note those that it said to have laid."""
    for number in count():
        try:
            await server.execute(LAY, name=f"{name}.{number}")
        except httpx.TransportError:
            return
        stored.append(f"{name}.{number}")
