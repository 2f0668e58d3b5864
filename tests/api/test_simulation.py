"""The simulation: an audience that is counted right, and a shell that fills goals of a server that runs."""

import asyncio
from itertools import islice
from pathlib import Path

import orjson
import pytest
from websockets.asyncio.client import connect

from api.client import Client
from api.commands import goals as commands
from api.simulation import Audience, read_frames, simulated
from api.workers.tikfinity_protocol import decode
from db.errors import Conflict, Invalid, NotFound, Unauthenticated, Unavailable
from db.streams.incoming import Rejected
from schema.ids import encode_id
from tests.support.house import PATIENCE_SECONDS, RunningHouse, eventually, running_house
from tests.support.ports import deaf_port
from tests.support.streaming import FOLDER, FRAMES, make_goal, make_stream

UNKNOWN = "rs_unknown"
Output = pytest.CaptureFixture[str]


def test_an_audience_is_the_same_for_the_same_seed_and_speaks_as_tikfinity_does() -> None:
    frames = list(islice(Audience(7).frames(), 500))

    assert frames == list(islice(Audience(7).frames(), 500))
    assert frames != list(islice(Audience(8).frames(), 500))
    assert [one for one in map(decode, frames) if isinstance(one, Rejected)] == []


async def test_frames_are_sent_to_whoever_calls() -> None:
    sent: list[str] = []
    heard: list[str] = []
    async with (
        asyncio.timeout(PATIENCE_SECONDS),
        simulated(FRAMES, rate=100_000, on_sent=sent.append) as port,
        connect(f"ws://127.0.0.1:{port}/", proxy=None) as socket,
    ):
        heard += [await socket.recv(decode=True) for _ in FRAMES]

    assert heard == sent == FRAMES


def test_recorded_frames_are_read_with_or_without_what_stands_beside_them(tmp_path: Path) -> None:
    assert read_frames(FOLDER / "tikfinity_frames.jsonl") == FRAMES

    path = tmp_path / "frames.jsonl"
    path.write_text("\n".join(FRAMES))
    assert read_frames(path) == FRAMES
    path.write_text('{"event": "like"}\nnonsense\n')
    with pytest.raises(Invalid, match=r"frames\.jsonl, line 2"):
        read_frames(path)


async def goal_of(house: RunningHouse) -> tuple[Client, str]:
    now = house.house.clock.now()
    stream = await make_stream(house.house.db, now, name="Evenings")
    goal = await make_goal(house.house.db, stream, now, name="Laps")
    return Client(url=house.url, token=house.secret), encode_id("streamgoal", goal.id)


async def test_goals_are_listed_shown_and_filled(database_url: str, capsys: Output) -> None:
    async with running_house(database_url, has_listener=False) as house:
        client, goal = await goal_of(house)
        await commands.change(client, "streamGoalAddProgress", goal=goal, delta=30, as_json=True)
        await commands.change(client, "streamGoalTest", goal=goal, delta=99, as_json=True)
        await commands.change(client, "streamGoalReset", goal=goal, as_json=True)
        await commands.show(client, goal=goal, entries=5, as_json=True)
        added, tested, reset, found = map(orjson.loads, capsys.readouterr().out.splitlines())
        await commands.show_all(client, stream=None, as_json=False)
        await commands.show(client, goal=goal, entries=5, as_json=False)

    assert [one["current"] for one in (added, tested, reset)] == [30, 30, 0]
    assert [one["kind"] for one in found["changes"]["nodes"]] == ["RESET", "TEST", "PROGRESS"]
    assert "Laps" in capsys.readouterr().out


async def test_a_goal_is_watched(database_url: str, capsys: Output) -> None:
    async with running_house(database_url, has_listener=False) as house:
        client, goal = await goal_of(house)
        watching = asyncio.create_task(commands.watch(client, goal=goal, as_json=True))
        lines: list[str] = []

        def has_told(count: int) -> bool:
            lines.extend(capsys.readouterr().out.splitlines())
            return len(lines) >= count

        await eventually(lambda: has_told(1))
        await client.change(
            "mutation ($id: ID!) { streamGoalAddProgress(id: $id, delta: 7) { errors { message field } } }", id=goal
        )
        await eventually(lambda: has_told(2))
        watching.cancel()
        await asyncio.wait([watching])

    assert [orjson.loads(line)["goals"][0]["current"] for line in lines[:2]] == [0, 7]
    assert orjson.loads(lines[1])["movements"][0]["delta"] == 7


async def test_what_cannot_be_done_is_a_sentence(database_url: str) -> None:
    async with running_house(database_url, has_listener=False) as house:
        client, goal = await goal_of(house)
        with pytest.raises(NotFound, match="There is no goal"):
            await commands.show(client, goal=f"streamgoal_{'0' * 32}", entries=1, as_json=True)
        with pytest.raises(Invalid, match="There is no such goal"):
            await commands.change(client, "streamGoalReset", goal=f"streamgoal_{'0' * 32}", as_json=True)
        with pytest.raises(Invalid, match="This is not an id"):
            await commands.change(client, "streamGoalReset", goal="nonsense", as_json=True)
        with pytest.raises(Unauthenticated):
            await commands.show_all(Client(url=house.url, token=UNKNOWN), stream=None, as_json=True)
        with pytest.raises((Conflict, Unavailable)):
            await commands.watch(Client(url=house.url, token=UNKNOWN), goal=goal, as_json=True)
    with deaf_port() as port, pytest.raises(Unavailable, match="No server of Ringside answers"):
        await commands.show_all(Client(url=f"http://127.0.0.1:{port}", token=UNKNOWN), stream=None, as_json=True)
