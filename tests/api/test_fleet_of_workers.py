"""`ringside serve --workers`: several processes on one port, and a parent that never lets one be missing."""

import signal
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import asyncpg
import orjson
import psutil
import pytest
from pydantic import SecretStr

from api.fleet import Orders, _orders, check
from api.settings import Settings
from db.bus import BusKind
from db.errors import Invalid
from tests.support.house import PATIENCE_SECONDS, eventually, open_http
from tests.support.process import Serving, serving

SET = """
mutation ($key: String!, $value: JSON!) { settingSet(key: $key, value: $value) { errors { message } } }
"""
WATCH = "subscription { settingChanged(category: BACKUPS) { settings { key value } } }"


def workers_of(server: Serving) -> dict[int, psutil.Process]:
    return {one.pid: one for one in psutil.Process(server.process.pid).children() if is_there(one)}


def is_there(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        # It was, until we had looked.
        return False


def kept_of(message: dict[str, Any]) -> Any:
    return next(one["value"] for one in message["settingChanged"]["settings"] if one["key"] == "backups.keep")


async def test_whoever_is_killed_is_replaced_nobody_who_is_left_notices_and_logs_tell_whose_they_are(
    postgresql_url: str, tmp_path: Path
) -> None:
    log = tmp_path / "server.log"
    async with serving(postgresql_url, log, workers=2, hears=False, log_json=True) as server:
        before = workers_of(server)
        async with AsyncExitStack() as stack:
            # So many that some are with either: the system spreads them by chance.
            sockets = [await stack.enter_async_context(server.admitted()) for _ in range(12)]
            feeds = [socket.subscribe(WATCH) for socket in sockets]
            for feed in feeds:
                await anext(feed)
            await server.execute(SET, key="backups.keep", value=3)
            heard = [kept_of(await anext(feed)) for feed in feeds]

            victim = next(iter(before))
            before[victim].send_signal(signal.SIGKILL)
            await eventually(lambda: len(workers_of(server)) == 2 and victim not in workers_of(server), "another one")

        # New connections, of which some are with the new one: who came before it was up has waited for it.
        for value in range(4, 12):
            async with open_http(server.url, headers=server.http.headers, timeout=2 * PATIENCE_SECONDS) as http:
                answer = await http.post(
                    "/graphql", json={"query": SET, "variables": {"key": "backups.keep", "value": value}}
                )
                assert answer.json() == {"data": {"settingSet": {"errors": []}}}
        children = workers_of(server)

        assert await server.stop() == 0

    assert len(before) == 2
    assert heard == [3] * 12
    assert not any(child.is_running() for child in children.values())
    lines = log.read_text().replace(" ", "")
    assert '"worker":0' in lines
    assert '"worker":1' in lines


async def test_when_the_parent_is_gone_nobody_is_left_behind(postgresql_url: str, tmp_path: Path) -> None:
    async with serving(postgresql_url, tmp_path / "server.log", workers=2, hears=False, drain_seconds=1) as server:
        children = workers_of(server)
        server.process.kill()

        await eventually(lambda: not any(child.is_running() for child in children.values()), "the end of all")

    assert len(children) == 2


async def test_when_one_cannot_start_again_because_the_database_is_newer_that_is_said_once_and_all_end(
    postgresql_url: str, tmp_path: Path
) -> None:
    log = tmp_path / "server.log"
    async with serving(postgresql_url, log, workers=2, hears=False, drain_seconds=1) as server:
        connection = await asyncpg.connect(postgresql_url)
        before = await connection.fetchval("SELECT version_num FROM alembic_version")
        await connection.execute("UPDATE alembic_version SET version_num = '9999'")
        children = workers_of(server)

        next(iter(children.values())).kill()

        assert await server.ended() == 1
        await connection.execute("UPDATE alembic_version SET version_num = $1", before)
        await connection.close()

    told = log.read_text()
    assert told.count("is at revision 9999, which this version does not know") == 1
    assert "cannot be started again, and said above why: all have ended." in told
    assert "Traceback" not in told
    assert not any(child.is_running() for child in children.values())


@pytest.mark.parametrize(
    "given",
    [
        {"database": "sqlite:///ringside.db"},
        {"database": "postgresql://ringside@localhost/ringside", "bus": BusKind.LOCAL},
    ],
)
def test_several_are_refused_where_they_would_not_hear_each_other(given: dict[str, Any]) -> None:
    check(Settings(**given))
    with pytest.raises(Invalid, match="Several workers need a PostgreSQL database and a bus that reaches them all"):
        check(Settings(**given, workers=2))


def test_a_worker_is_told_every_setting_the_secret_one_too() -> None:
    settings = Settings(
        database="postgresql://ringside@localhost/ringside",
        workers=3,
        secret_key=SecretStr("by chance"),
        pss_senders=["10.0.0.1"],
        allowed_hosts=["a.example", "b.example"],
    )

    orders = Orders.read(orjson.dumps(_orders(settings, 2, 7)))

    assert (orders.settings, orders.number, orders.fd) == (settings, 2, 7)
