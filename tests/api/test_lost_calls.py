"""The end by force while somebody is called: a provider's order is not made twice, and no post of a feed is lost."""

import asyncio
import os
import signal
import socket
import threading
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from sqlmodel import col, select

from api.outbound import Guard, open_client
from api.workers.executions import Executor, ExecutorLimits
from api.workers.feeds import FeedPoller, PollerLimits
from db.accounts import executions, providers
from db.accounts.tables import Feed, Service
from db.accounts.vocabulary import ExecutionState, ProviderKind
from db.connecting import connect
from tests.conftest import ManualClock
from tests.support.accounts import all_executions, make_account, make_action, make_execution, make_feed, make_user
from tests.support.feed_files import rss
from tests.support.house import PATIENCE_SECONDS, eventually

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterator

    from db.accounts.tables import Execution


@dataclass
class Silent:
    """Somebody who hears every call, and answers those that `answer` has something to say to."""

    port: int
    answer: Callable[[bytes], bytes | None] = lambda _: None
    calls: list[bytes] = field(default_factory=list)
    was_called: threading.Event = field(default_factory=threading.Event)

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"


# A call of a provider ends with its JSON, and what is asked for with its head.
_END = (b"}", b"\r\n\r\n")
_HEAD = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n"


@contextmanager
def silent() -> "Iterator[Silent]":
    """Be called in a thread: the process that calls is another, and whoever waits for its end must not wait here."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        heard = Silent(server.getsockname()[1])
        held: list[socket.socket] = []

        def listen() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                held.append(connection)
                body = b""
                while not body.endswith(_END[body[:3] == b"GET"]) and (piece := connection.recv(65_536)):
                    body += piece
                heard.calls.append(body)
                said = heard.answer(body)
                if said is None:
                    heard.was_called.set()
                    continue
                connection.sendall(_HEAD % len(said) + said)
                connection.close()

        listening = threading.Thread(target=listen)
        listening.start()
        try:
            yield heard
        finally:
            server.shutdown(socket.SHUT_RDWR)
            listening.join()
            for connection in held:
                connection.close()


async def _queued(url: str, heard: Silent, *, is_asked: bool) -> None:
    db = await connect(url, pool_size=2)
    changes = {"name": "Program", "url": f"http://{heard.host}/hook", "is_asked": is_asked}
    clock = ManualClock()
    async with db.transaction() as tx:
        made = await providers.create_provider(tx, kind=ProviderKind.WEBHOOK, changes=changes, now=clock.now())
        service = await tx.row(select(Service).where(col(Service.provider_id) == made.provider.id))
    await make_execution(db, (await make_user(db)).id, service, now=clock.now())
    await db.close()


async def _lived(url: str, heard: Silent, *, after: timedelta, call_seconds: float) -> "list[Execution]":
    """Carry out what is due some time later, and return how executions stand."""
    db, clock, guard = await connect(url, pool_size=2), ManualClock(), Guard(allowed={heard.host})
    clock.move(after)
    executor = Executor(db, clock, guard, limits=ExecutorLimits(call_seconds=call_seconds))
    async with open_client(guard, seconds=call_seconds) as client:
        while await executor.work(client):
            continue
    found = await all_executions(db)
    await db.close()
    return found


def _live_until_called(heard: Silent, life: "Callable[[], Coroutine[Any, Any, object]]") -> None:
    """Live in a process of its own, and kill it while it waits for an answer."""
    heard.was_called.clear()
    process = os.fork()
    if process == 0:
        try:
            with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
                runner.run(life())
        finally:
            os._exit(1)
    assert heard.was_called.wait(PATIENCE_SECONDS)
    os.kill(process, signal.SIGKILL)
    _, status = os.waitpid(process, 0)
    assert os.WIFSIGNALED(status)


@pytest.mark.parametrize("is_asked", [False, True], ids=["silent for ever", "asked after"])
def test_a_call_whose_maker_was_killed_is_unknown_and_not_made_again(database_url: str, is_asked: bool) -> None:  # noqa: FBT001 -- a case
    with silent() as heard:
        asyncio.run(_queued(database_url, heard, is_asked=is_asked))
        _live_until_called(
            heard, partial(_lived, database_url, heard, after=timedelta(0), call_seconds=PATIENCE_SECONDS)
        )

        # While the lease of the dead one stands, nobody touches it.
        (execution,) = asyncio.run(_lived(database_url, heard, after=timedelta(seconds=30), call_seconds=0.2))
        assert execution.state is ExecutionState.SUBMITTING
        (execution,) = asyncio.run(_lived(database_url, heard, after=timedelta(minutes=2), call_seconds=0.2))
        assert (execution.state, execution.last_error) == (
            ExecutionState.UNKNOWN,
            "Whoever sent it was broken off.",
        )
        for hours in (1, 24):
            (execution,) = asyncio.run(_lived(database_url, heard, after=timedelta(hours=hours), call_seconds=0.2))
            assert (execution.state, execution.attempt_count) == (ExecutionState.UNKNOWN, 1)

        kinds = [b"execution.submit" in call for call in heard.calls]
        assert kinds.count(True) == 1
        assert (kinds.count(False) > 0) is is_asked
        resolved = asyncio.run(_resolved(database_url, execution))
        assert resolved.state is ExecutionState.FAILED


def test_who_was_killed_while_he_asked_how_it_goes_has_it_asked_again_and_never_sent_again(database_url: str) -> None:
    with silent() as heard:
        asyncio.run(_queued(database_url, heard, is_asked=True))
        heard.answer = lambda call: b'{"status": "Pending", "reference": "7"}' if b"submit" in call else None
        lived = partial(_lived, database_url, heard, call_seconds=PATIENCE_SECONDS)
        asyncio.run(lived(after=timedelta(0)))
        _live_until_called(heard, partial(lived, after=timedelta(seconds=20)))

        # Whoever asked may still be waiting for the answer.
        (execution,) = asyncio.run(lived(after=timedelta(seconds=40)))
        assert execution.state is ExecutionState.SUBMITTED
        told = {"executions": [{"key": str(execution.key), "status": "Completed", "charge": "0.25"}]}
        heard.answer = lambda _: orjson.dumps(told)
        (execution,) = asyncio.run(lived(after=timedelta(minutes=2)))

    assert (execution.state, execution.charge) == (ExecutionState.COMPLETED, Decimal("0.25"))
    kinds = [b"execution.submit" in call for call in heard.calls]
    assert (kinds.count(True), kinds.count(False)) == (1, 2)


# While a feed is asked for


async def _fed(url: str, heard: Silent) -> None:
    db = await connect(url, pool_size=2)
    account = await make_account(db)
    await make_action(db, account)
    await make_feed(db, account, url=f"http://{heard.host}/feed")
    await db.close()


async def _read(url: str, heard: Silent, *, after: timedelta) -> tuple[int, list[str]]:
    """Read what is due some time later, and return how often feeds were read in all, and what that triggered."""
    db, clock = await connect(url, pool_size=2), ManualClock()
    clock.move(after)
    poller = FeedPoller(db, clock, Guard(allowed={heard.host}), limits=PollerLimits(look_seconds=0.02))
    running = asyncio.create_task(poller.run())

    async def is_done() -> bool:
        async with db.transaction() as tx:
            return await tx.row(select(Feed).where(col(Feed.next_check_at) <= clock.now())) is None

    await eventually(is_done, "all that is due")
    running.cancel()
    await asyncio.wait([running])
    async with db.read() as session:
        (feed,) = await session.rows(select(Feed))
    made = [one.target_url for one in await all_executions(db)]
    await db.close()
    return feed.poll_count, made


def test_who_was_killed_while_he_asked_for_a_feed_loses_no_post_and_has_it_read_again(database_url: str) -> None:
    with silent() as heard:
        asyncio.run(_fed(database_url, heard))
        heard.answer = lambda _: rss("1")
        assert asyncio.run(_read(database_url, heard, after=timedelta(0))) == (1, [])
        heard.answer = lambda _: None
        _live_until_called(heard, partial(_read, database_url, heard, after=timedelta(hours=1)))

        # His lease runs out two minutes later.
        heard.answer = lambda _: rss("3", "2", "1")
        polls, made = asyncio.run(_read(database_url, heard, after=timedelta(hours=1, minutes=3)))

    assert (polls, sorted(made)) == (2, ["https://example.org/posts/2", "https://example.org/posts/3"])
    assert len(heard.calls) == 3


async def _resolved(url: str, execution: "Execution") -> "Execution":
    db = await connect(url, pool_size=2)
    async with db.transaction() as tx:
        found = await executions.resolve_execution(
            tx, execution.id, was_carried_out=False, viewer=None, now=ManualClock().now()
        )
    await db.close()
    return found
