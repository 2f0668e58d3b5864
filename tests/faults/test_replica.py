"""A replica that queries are read from: paused, killed, somebody else's. Who changed something is shown no less."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from api.migrate import migrate_up
from db import replicas
from db.connecting import connect
from db.errors import Invalid
from db.postgresql_database import PostgreSQLDatabase
from db.replicas import Replica
from tests.faults.conftest import Figure
from tests.support.cluster import Cluster, own_cluster, standby_of
from tests.support.house import PATIENCE_SECONDS, RunningHouse, eventually, running_house
from tests.support.ports import free_port
from tests.support.postgresql import Server

LAY = "mutation ($name: String!) { matCreate(input: {name: $name}) { mat { id name } errors { message } } }"
MATS = "{ mats(first: 100) { nodes { name } } }"
CREATE = 'mutation { tokenCreate(input: {label: "another"}) { secret errors { message } } }'
STATUS = "subscription ($mat: ID!) { matStatusChanged(matId: $mat) { mat { name } } }"


@pytest.fixture(scope="module")
def primary(postgresql_server: Server) -> Iterator[Cluster]:  # noqa: ARG001 -- where there is none, none is made
    with own_cluster(free_port()) as made:
        Server(made.base).create("migrated")
        migrate_up(made.url("migrated"))
        yield made


@pytest.fixture(scope="module")
def standby(primary: Cluster) -> Iterator[Cluster]:
    with standby_of(primary, free_port()) as made:
        yield made


@pytest.fixture
def name(primary: Cluster, standby: Cluster) -> str:
    """A migrated, empty database of both, with the standby following."""
    if not standby.runs:
        standby.start()
    made = f"ringside_test_{uuid4().hex[:12]}"
    Server(primary.base).create(made, template="migrated")
    asyncio.run(followed(primary, standby))
    return made


async def followed(primary: Cluster, standby: Cluster) -> None:
    """Wait until the standby has all that the primary has."""
    there, here = [await asyncpg.connect(one.url("migrated")) for one in (primary, standby)]
    # A commit takes along all that was written before; what nobody commits, as a reader's tidying, is sent ten seconds
    # later.
    at = await there.fetchval("SELECT pg_logical_emit_message(TRUE, 'so far', '')::TEXT")
    await eventually(lambda: here.fetchval("SELECT pg_last_wal_replay_lsn() >= $1::TEXT::PG_LSN", at), "the standby")
    for one in (there, here):
        await one.close()


@pytest.fixture
async def houses(
    primary: Cluster, standby: Cluster, name: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[list[RunningHouse]]:
    """Two servers of one database, which both read from the standby while it does not lag for an hour.

    A standby that is slow to say where it is, as on a machine that does much else, is one all the same.
    """
    monkeypatch.setattr(replicas, "_PATIENCE_SECONDS", PATIENCE_SECONDS)
    given: dict[str, Any] = {"replica_url": standby.url(name), "replica_seconds": 3600, "drain_seconds": 1}
    async with AsyncExitStack() as stack:
        opened = [
            await stack.enter_async_context(running_house(primary.url(name), has_listener=False, **given))
            for _ in range(2)
        ]
        for house in opened:
            await eventually(lambda house=house: answers(house), "the replica")  # type: ignore[misc]  # a default of its own
        yield opened
        await replay(standby, name, goes_on=True)


async def facts_of(house: RunningHouse) -> dict[str, Any]:
    report = (await house.http.get("/readyz")).json()
    found: dict[str, Any] = next(worker for worker in report["workers"] if worker["name"] == "replica")
    return found


async def answers(house: RunningHouse) -> bool:
    return bool((await facts_of(house))["replica"] == "ok")


async def replay(standby: Cluster, name: str, *, goes_on: bool) -> None:
    """Have the standby follow, or stand still where it is."""
    if not standby.runs:
        return
    connection = await asyncpg.connect(standby.url(name))
    await connection.execute("SELECT pg_wal_replay_resume()" if goes_on else "SELECT pg_wal_replay_pause()")
    while (await connection.fetchval("SELECT pg_get_wal_replay_pause_state()") == "not paused") is not goes_on:
        pass
    await connection.close()


async def mats(house: RunningHouse, secret: str | None = None) -> set[str]:
    bearer = {"Authorization": f"Bearer {secret or house.secret}"}
    answer = await house.http.post("/graphql", json={"query": MATS}, headers=bearer)
    return {one["name"] for one in answer.json()["data"]["mats"]["nodes"]}


async def stranger_of(house: RunningHouse) -> str:
    secret: str = (await house.execute(CREATE))["tokenCreate"]["secret"]
    return secret


async def settled(house: RunningHouse) -> None:
    """Wait until the replica answers this token again."""

    async def is_answered() -> bool:
        before = (await facts_of(house))["answered"]
        await mats(house)
        return bool((await facts_of(house))["answered"] > before)

    await eventually(is_answered, "that the replica has come so far")


async def test_who_has_changed_something_sees_it_and_others_see_what_the_replica_has(
    houses: list[RunningHouse], standby: Cluster, name: str, figure: Figure
) -> None:
    one, other = houses
    stranger = await stranger_of(one)
    await settled(one)
    await settled(other)
    await replay(standby, name, goes_on=False)

    await one.execute(LAY, name="Mat 2")
    # The other server hears of it: until then it does not know that this token has changed something.
    mine = await mats(one)
    theirs = await mats(one, stranger)
    await eventually(lambda: sees(one_of(other, one.secret), "Mat 2"), "the change in the other server")
    still_theirs = await mats(other, stranger)
    await replay(standby, name, goes_on=True)
    await eventually(lambda: sees(one_of(one, stranger), "Mat 2"), "the change on the replica")
    await settled(one)

    assert mine == {"Mat 1", "Mat 2"}
    assert (theirs, still_theirs) == ({"Mat 1"}, {"Mat 1"})
    figure("—", "replica paused: who changed something sees it in both servers, others what the replica has")


def one_of(house: RunningHouse, secret: str) -> tuple[RunningHouse, str]:
    return house, secret


async def sees(who: tuple[RunningHouse, str], mat: str) -> bool:
    return mat in await mats(*who)


async def test_without_noting_who_changed_something_he_does_not_see_it(
    houses: list[RunningHouse], standby: Cluster, name: str, monkeypatch: pytest.MonkeyPatch, figure: Figure
) -> None:
    one, _ = houses
    await settled(one)
    monkeypatch.setattr(Replica, "note_change", lambda *_: None)
    await replay(standby, name, goes_on=False)

    laid = await one.execute(LAY, name="Mat 2")

    # What a change answers with is read where it was made.
    assert laid["matCreate"]["mat"]["name"] == "Mat 2"
    assert await mats(one) == {"Mat 1"}
    figure("—", "control: not noted, the replica shows him a mat less than he laid")


async def test_a_subscription_begins_with_what_is_stored_and_not_with_what_the_replica_has(
    houses: list[RunningHouse], standby: Cluster, name: str
) -> None:
    one, other = houses
    await settled(other)
    await replay(standby, name, goes_on=False)
    laid = (await one.execute(LAY, name="Mat 2"))["matCreate"]["mat"]

    async with other.admitted() as socket:
        first = await anext(socket.subscribe(STATUS, mat=laid["id"]))

    assert first["matStatusChanged"]["mat"]["name"] == "Mat 2"


async def test_a_replica_that_is_killed_is_done_without_and_comes_back(
    houses: list[RunningHouse], standby: Cluster, figure: Figure
) -> None:
    one, _ = houses
    await settled(one)

    await asyncio.to_thread(standby.kill)
    answered = [await mats(one) for _ in range(20)]
    away = await facts_of(one)
    await asyncio.to_thread(standby.start)
    await settled(one)

    assert answered == [{"Mat 1"}] * 20
    assert away["replica"] != "ok"
    figure("—", "replica killed: 0 of 20 queries failed, and it answers again by itself")


async def test_a_replica_that_is_too_far_behind_answers_nobody(primary: Cluster, standby: Cluster, name: str) -> None:
    given: dict[str, Any] = {"replica_url": standby.url(name), "replica_seconds": 0.001, "drain_seconds": 1}
    async with running_house(primary.url(name), has_listener=False, **given) as house:
        stranger = await stranger_of(house)
        await eventually(lambda: answers(house), "the replica")
        await replay(standby, name, goes_on=False)
        await house.execute(LAY, name="Mat 2")
        # Nobody has told it that it is behind: it is measured.
        await eventually(lambda: sees(one_of(house, stranger), "Mat 2"), "the primary's answer")
        await eventually(lambda: says(house, "It is too far behind."), "what is said of it")
        await replay(standby, name, goes_on=True)
        await eventually(lambda: answers(house), "the replica")


async def test_what_is_no_standby_of_this_server_answers_nobody(
    primary: Cluster, standby: Cluster, name: str, postgresql_url: str
) -> None:
    strange = {
        "It is no standby.": (primary.url(name), primary.url(name)),
        "It is a standby of another server.": (postgresql_url, standby.url(name)),
    }
    for reason, (url, replica_url) in strange.items():
        async with running_house(url, has_listener=False, drain_seconds=1, replica_url=replica_url) as house:
            await eventually(lambda house=house, reason=reason: says(house, reason), reason)  # type: ignore[misc]  # defaults of its own
            assert await mats(house) == {"Mat 1"}
            assert (await facts_of(house))["answered"] == 0


async def says(house: RunningHouse, reason: str) -> bool:
    return bool((await facts_of(house))["replica"] == reason)


async def test_who_changes_something_while_the_primary_is_asked_where_it_is_waits_for_the_next_answer(
    primary: Cluster, standby: Cluster, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    db, token_id = await connect(primary.url(name), pool_size=2), uuid4()
    assert isinstance(db, PostgreSQLDatabase)
    replica = Replica(db, standby.url(name), pool_size=2, most_seconds_behind=3600)
    fetch = db.fetch

    async def ask(sql: str, arguments: Any) -> Any:
        found = await fetch(sql, arguments)
        replica.note_change(token_id)
        return found

    replica.note_change(token_id)
    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(db, "fetch", ask)
        await replica._look()
    meanwhile_read_from = replica.reading_for(token_id)

    async def is_answered() -> bool:
        await replica._look()
        return replica.reading_for(token_id) is not db

    await eventually(is_answered, "that the replica has come so far")
    await replica.close()
    await db.close()

    assert meanwhile_read_from is db


async def test_a_file_has_no_replica(migrated_file: Path, tmp_path: Path) -> None:
    shutil.copy(migrated_file, tmp_path / "ringside.db")
    with pytest.raises(Invalid, match="RINGSIDE_REPLICA_URL names a standby of a PostgreSQL server"):
        async with running_house(f"sqlite:///{tmp_path / 'ringside.db'}", replica_url="postgresql://127.0.0.1/none"):
            pass
