"""S3, R4: all of PostgreSQL is killed, or restarted. Nothing acknowledged is lost, and the server goes on by itself."""

import asyncio
import random
import time
from collections.abc import Iterator
from uuid import UUID, uuid4

import httpx
import pytest
from sqlalchemy import literal, select

from api.migrate import migrate_up
from db import postgresql
from db.connecting import connect as connected
from db.database import Database
from db.errors import Unavailable
from tests.faults.conftest import Figure, Size
from tests.faults.test_kills import Change, acknowledged_after, prepared, stored, writing
from tests.support.cluster import Cluster, own_cluster
from tests.support.house import RunningHouse, eventually, running_house
from tests.support.lives import Say, begin
from tests.support.ports import free_port
from tests.support.postgresql import Server

LAY = "mutation ($name: String!) { matCreate(input: {name: $name}) { mat { id } } }"
MATS = "{ mats { nodes { name } } }"
BOARD = "subscription ($mat: ID!) { scoreboardChanged(matId: $mat) { scoreboard { revision } } }"


@pytest.fixture(scope="module")
def cluster(postgresql_server: Server) -> Iterator[Cluster]:  # noqa: ARG001 -- where there is none, none is made
    with own_cluster(free_port()) as made:
        Server(made.base).create("migrated")
        migrate_up(made.url("migrated"))
        yield made


@pytest.fixture
def url(cluster: Cluster) -> str:
    """A migrated, empty database of the cluster, which goes with it."""
    if not cluster.runs:
        cluster.start()
    name = f"ringside_test_{uuid4().hex[:12]}"
    Server(cluster.base).create(name, template="migrated")
    return cluster.url(name)


async def until_it_is_away(db: Database, change: Change, say: Say) -> None:
    """Answer as our doors do, and end with the database."""
    try:
        await acknowledged_after(db, change, say)
    except Unavailable:
        raise SystemExit from None


def lived_and_lost(cluster: Cluster, url: str, goal_id: UUID) -> set[int]:
    """Have somebody write, kill the database under him, start it again; return what he was told is stored."""
    life = begin(writing(url, goal_id, until_it_is_away))
    heard = life.hear(random.randint(1, 300))  # noqa: S311 -- chance, not a secret
    cluster.kill()
    rest, _ = life.ended()
    cluster.start()
    return {*heard, *rest}


def test_a_database_killed_whole_has_all_that_was_acknowledged(
    cluster: Cluster, url: str, size: Size, figure: Figure
) -> None:
    goal_id = asyncio.run(prepared(url))
    kills = size(2, 100)
    acknowledged: set[int] = set()

    for _ in range(kills):
        acknowledged |= lived_and_lost(cluster, url, goal_id)
        assert acknowledged <= asyncio.run(stored(url, goal_id))[1]

    figure("S3", f"PostgreSQL killed whole {kills} times, {len(acknowledged)} acknowledged, 0 lost")


def test_without_synchronous_commits_a_database_killed_whole_forgets(
    cluster: Cluster, url: str, monkeypatch: pytest.MonkeyPatch, figure: Figure
) -> None:
    goal_id = asyncio.run(prepared(url))
    monkeypatch.setitem(postgresql._SESSION_SETTINGS, "synchronous_commit", "off")
    kills, lost = 0, 0

    while not lost and kills < 20:
        kills += 1
        acknowledged = lived_and_lost(cluster, url, goal_id)
        lost = len(acknowledged - asyncio.run(stored(url, goal_id))[1])

    assert lost
    figure("S3", f"control: synchronous_commit=off, {lost} of {len(acknowledged)} acknowledged lost at kill {kills}")


async def test_a_server_outlives_its_database_and_says_so_meanwhile(
    cluster: Cluster, url: str, size: Size, figure: Figure
) -> None:
    slowest, kept, back = 0.0, {"Mat 1"}, 0.0
    async with running_house(url, has_listener=False) as house, house.admitted() as socket:
        await anext(socket.subscribe(BOARD, mat=house.mat))
        for turn in range(size(2, 20)):
            kept.add(f"Before {turn}")
            await house.execute(LAY, name=f"Before {turn}")
            await asyncio.to_thread(cluster.kill if turn % 2 else cluster.stop)
            for _ in range(8):
                slowest = max(slowest, await _refused(house))
            await asyncio.to_thread(cluster.start)
            began = time.monotonic()
            await eventually(lambda turn=turn: _laid(house, f"After {turn}", kept), "the next change")  # type: ignore[misc]  # a default of its own
            back = max(back, time.monotonic() - began)
        data = await house.execute(MATS)

    assert {one["name"] for one in data["mats"]["nodes"]} == kept
    figure("S3", f"while it was away the slowest refusal took {slowest:.2f} s; back {back:.2f} s after it")


async def _refused(house: RunningHouse) -> float:
    began = time.monotonic()
    answer = await _asked(house, "never")
    assert [error["extensions"]["code"] for error in answer.json()["errors"]] == ["UNAVAILABLE"]
    assert (await house.http.get("/readyz")).status_code == 503
    return time.monotonic() - began


async def _laid(house: RunningHouse, name: str, kept: set[str]) -> bool:
    answer = (await _asked(house, name)).json()
    if "errors" in answer:
        assert [error["extensions"]["code"] for error in answer["errors"]] == ["UNAVAILABLE"]
        return False
    kept.add(name)
    return True


async def _asked(house: RunningHouse, name: str) -> httpx.Response:
    asked = {"query": LAY, "variables": {"name": name}}
    return await house.http.post("/graphql", json=asked, headers=house.bearer, timeout=20)


async def test_of_a_pool_that_was_cut_no_read_fails(cluster: Cluster, url: str, figure: Figure) -> None:
    """What lies idle was cut with a restart: a read notices and asks again."""
    db = await connected(url, pool_size=8)
    await asyncio.gather(*(_answer(db) for _ in range(50)))
    await asyncio.to_thread(cluster.stop)
    await asyncio.to_thread(cluster.start)

    answers = await asyncio.gather(*(_answer(db) for _ in range(50)))

    assert answers == [1] * 50
    await db.close()
    figure("R4", "all connections cut by a restart: 0 of 50 reads failed")


async def test_without_asking_again_reads_fail_when_the_pool_was_cut(
    cluster: Cluster, url: str, monkeypatch: pytest.MonkeyPatch, figure: Figure
) -> None:
    db = await connected(url, pool_size=8)
    await asyncio.gather(*(_answer(db) for _ in range(50)))
    await asyncio.to_thread(cluster.stop)
    await asyncio.to_thread(cluster.start)
    monkeypatch.setattr(postgresql, "LOST", ())

    answers = await asyncio.gather(*(_answer(db) for _ in range(50)), return_exceptions=True)

    failed = sum(isinstance(answer, Exception) for answer in answers)
    assert failed
    await db.close()
    figure("R4", f"control: nobody asks again, {failed} of 50 reads failed")


async def _answer(db: Database) -> int:
    async with db.read() as session:
        answer: int = await session.scalar(select(literal(1)))
        return answer
