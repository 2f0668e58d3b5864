"""What is measured: each operation added up and told in one line, the loop watched, and every worker's health."""

import asyncio
import logging
import threading
import time
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

import orjson
import pytest
from graphql import OperationDefinitionNode, parse
from prometheus_client.parser import text_string_to_metric_families

from api.logs import operation_writer
from api.tally import OTHERS, Line, Tally
from api.watchdog import Watchdog
from db.access import operations as access
from db.access.viewer import Role, Viewer
from db.database import Database
from db.ids import new_id
from schema.context import Context
from tests.conftest import ManualClock
from tests.support.house import PATIENCE_SECONDS, RunningHouse, eventually, running_house
from tests.support.process import serving

NAMED = "query Mats($first: Int) { mats(first: $first) { nodes { name } } }"


@pytest.fixture
async def house(database_url: str, clock: ManualClock) -> AsyncIterator[RunningHouse]:
    async with running_house(database_url, clock=clock) as running:
        yield running


async def samples(house: RunningHouse) -> dict[tuple[str, str], float]:
    """Return what is measured by its name and its labels."""
    answer = await house.http.get("/metrics", headers=house.bearer)
    assert answer.status_code == 200, answer.text
    return {
        (sample.name, ",".join(f"{name}={value}" for name, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


async def test_operations_are_counted_by_name_path_and_outcome(house: RunningHouse) -> None:
    for _ in range(3):
        await house.execute(NAMED, first=5)
    await house.execute("query Schema { __schema { queryType { name } } }")
    await house.execute('mutation Lay { matCreate(input: {name: "Another"}) { mat { id } } }')
    for text in ("query Bad { nothing }", 'query Missed { mat(id: "x") { id } }'):
        await house.http.post("/graphql", json={"query": text}, headers=house.bearer)

    found = await samples(house)

    counts = {
        labels: value
        for (name, labels), value in found.items()
        if name == "ringside_operation_seconds_count" and "unnamed" not in labels
    }
    planned = "kind=query,name=Mats,outcome=ok,path=planned"
    assert counts == {
        planned: 3,
        "kind=query,name=Schema,outcome=ok,path=unplanned": 1,
        "kind=mutation,name=Lay,outcome=ok,path=planned": 1,
        "kind=query,name=Missed,outcome=BAD_USER_INPUT,path=abandoned": 1,
    }
    refused = "kind=unknown,name=(unnamed),outcome=BAD_USER_INPUT,path=refused"
    assert found["ringside_operation_seconds_count", refused] == 1
    assert found["ringside_operation_cost_total", planned] == 18
    assert found["ringside_operation_statements_total", planned] == 3
    assert found["ringside_operation_seconds_bucket", f"kind=query,le=+Inf,{planned.partition(',')[2]}"] == 3
    assert 0 < found["ringside_operation_seconds_sum", planned] < 10


async def test_workers_sockets_and_groups_are_measured(house: RunningHouse) -> None:
    await house.send("pre;FightLoaded", b"x" * 3000)
    await house.logged(2)
    subscription = "subscription ($mat: ID!) { scoreboardChanged(matId: $mat) { sentAt } }"

    async with house.admitted() as socket:
        stream = socket.subscribe(subscription, mat=house.mat)
        await anext(stream)
        found = await samples(house)

    (pss,) = {labels for _, labels in found if labels.startswith("worker=pss Command line ")}
    assert {name: found[name, ""] for name in ("ringside_sockets", "ringside_groups", "ringside_watchers")} == {
        "ringside_sockets": 1,
        "ringside_groups": 1,
        "ringside_watchers": 1,
    }
    assert found["ringside_worker_running", "worker=doorkeeper"] == 1
    assert found["ringside_worker_datagrams_total", pss] == 2
    assert found["ringside_worker_unreadable_total", pss] == 1
    assert found["ringside_worker_restarts_total", "worker=watchdog"] == 0
    assert found["ringside_operations_under_way", ""] == 0
    assert found["process_resident_memory_bytes", ""] > 0


async def test_metrics_are_for_those_who_look_after_the_server(house: RunningHouse, clock: ManualClock) -> None:
    async with house.house.db.transaction() as tx:
        guest = await access.create_user(tx, name="guest", role=Role.MEMBER, now=clock.now())
        token = await access.create_token(tx, user_id=guest.id, label="guest", now=clock.now())

    statuses = [
        (await house.http.get("/metrics", headers=headers)).status_code
        for headers in ({}, {"Authorization": f"Bearer {token.secret}"}, house.bearer)
    ]

    assert statuses == [401, 403, 200]


async def test_names_that_clients_make_up_are_added_up_under_one(
    db: Database, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.tally._MOST_NAMES", 2)
    tally = Tally(clock)

    for name in ("A", "B", "C", "A", "D", "B"):
        (operation,) = parse(f"query {name} {{ __typename }}").definitions
        assert isinstance(operation, OperationDefinitionNode)
        tally.note(Context(db=db, clock=clock, operation=operation), 0.003)

    assert {key[1]: found.count for key, found in tally.sums.items()} == {"A": 2, "B": 2, OTHERS: 2}


# Lines


async def test_each_operation_has_one_line_and_it_tells_no_argument(database_url: str, tmp_path: Path) -> None:
    log = tmp_path / "server.log"
    canary = "canary-in-a-variable"

    async with serving(database_url, log) as server:
        for number in range(3):
            text = f"query Asked($id: ID!) {{ a{number}: node(id: $id) {{ id }} }}"
            await server.execute(text, id=f"mat_{number:032x}")
        await server.http.post("/graphql", json={"query": NAMED, "variables": {"first": canary}})
        await server.http.post("/graphql", json={"query": f'{{ mat(id: "{canary}") {{ id }} }}'})
        server.process.terminate()
        await server.process.wait()
    lines = [line for line in log.read_text().splitlines() if "operation kind=" in line]

    assert len([line for line in lines if "name=Asked path=planned outcome=ok" in line]) == 3
    assert len([line for line in lines if "outcome=BAD_USER_INPUT" in line]) == 2
    assert canary not in log.read_text()


def test_a_line_is_json_where_json_is_wanted(clock: ManualClock, capsys: pytest.CaptureFixture[str]) -> None:
    line = Line(clock.now(), "query", 'A"\n', "planned", "ok", 0.0123456, 21, 2, "token")
    logging.getLogger("ringside.operations").setLevel(logging.INFO)

    write = operation_writer(as_json=True)
    assert write is not None
    write([line, line])
    written = capsys.readouterr().err.splitlines()

    assert len(written) == 2
    assert orjson.loads(written[0]) == {
        "event": "operation",
        "level": "info",
        "logger": "ringside.operations",
        "timestamp": "2026-11-21T09:00:00Z",
        "kind": "query",
        "name": 'A"\n',
        "path": "planned",
        "outcome": "ok",
        "cost": 21,
        "statements": 2,
        "token": "token",
        "milliseconds": 12.346,
    }


async def test_lines_are_written_together_and_at_the_end(db: Database, clock: ManualClock) -> None:
    written: list[int] = []

    def write(lines: Sequence[Line]) -> None:
        written.append(len(lines))

    tally = Tally(clock, write)
    context = Context(db=db, clock=clock, asker=Viewer(user_id=new_id(), token_id=new_id(), role=Role.ADMIN))

    for _ in range(1001):
        tally.note(context, 0.001)
    running = asyncio.create_task(tally.run())
    await asyncio.sleep(0)
    running.cancel()
    await asyncio.wait([running])

    assert written == [1000, 1]


# The loop


async def test_a_loop_that_stalls_is_told_of_with_the_place(caplog: pytest.LogCaptureFixture) -> None:
    watchdog = Watchdog(0.1)
    running = asyncio.create_task(watchdog.run())
    await asyncio.sleep(0)

    _stand_still(until=lambda: "_stand_still" in caplog.text)
    await eventually(lambda: watchdog.stalls > 0, "the count")
    running.cancel()
    await asyncio.wait([running])

    # A machine that does much else may stand still once more, before or after.
    told = [one for one in caplog.messages if "the event loop is busy at" in one]
    assert len([one for one in told if "_stand_still" in one]) == 1
    assert caplog.text.count("the event loop did nothing else for") == watchdog.stalls
    assert watchdog.facts() == {"stalls": watchdog.stalls, "longestStallMs": round(watchdog.longest * 1000)}
    assert watchdog.longest > 0.1
    assert "watchdog" not in {thread.name for thread in threading.enumerate()}


def _stand_still(until: Callable[[], bool]) -> None:
    """Keep the loop for as long as it takes to be told of."""
    began = time.monotonic()
    while not until() and time.monotonic() - began < PATIENCE_SECONDS:
        threading.Event().wait(0.01)
