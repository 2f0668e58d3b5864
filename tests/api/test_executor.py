"""Carrying out: each provider over real sockets, and the whole way from a post to its end, broken off at every step."""

import asyncio
import os
import signal
import ssl
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx
import orjson
import pytest
from sqlalchemy import delete, update
from sqlmodel import col, select

from api.outbound import Guard, open_client
from api.workers.executions import Executor, ExecutorLimits
from db.accounts import executions, providers
from db.accounts.signing import check_signature, shown_secret, signature
from db.accounts.tables import Execution, Feed, Post, Provider, SandboxOrder, Service
from db.accounts.vocabulary import ExecutionState, ProviderKind, TriggerKind
from db.connecting import connect
from db.database import Database
from db.errors import Unauthenticated
from db.urls import is_embedded
from schema.ids import encode_id
from tests.conftest import ManualClock
from tests.support.accounts import (
    NOW,
    all_executions,
    entry,
    found,
    make_account,
    make_action,
    make_execution,
    make_feed,
    make_trigger,
    make_user,
    poll,
    sandbox,
)
from tests.support.house import PATIENCE_SECONDS, eventually, running_house
from tests.support.ports import deaf_port
from tests.support.web import Answer, Asked, Web, web

Handler = Callable[[Asked], Answer]


@dataclass
class Office:
    """An executor, and the server of whoever it tells."""

    db: Database
    clock: ManualClock
    web: Web
    executor: Executor
    client: httpx.AsyncClient

    async def work(self, *, after: timedelta = timedelta(0)) -> None:
        """Do all that is due, some time later."""
        self.clock.move(after)
        while await self.executor.work(self.client):
            continue

    async def provider(self, kind: ProviderKind, **changes: Any) -> tuple[providers.MadeProvider, Service]:
        given = {"name": kind.title(), "url": self.web.url("/hook"), **changes}
        async with self.db.transaction() as tx:
            made = await providers.create_provider(tx, kind=kind, changes=given, now=self.clock.now())
            of_provider = select(Service).where(col(Service.provider_id) == made.provider.id)
            service = await tx.row(of_provider)
        assert service is not None
        return made, service

    async def execution(self, service: Service | None = None, **more: Any) -> Execution:
        user = await make_user(self.db)
        return await make_execution(self.db, user.id, service, now=self.clock.now(), **more)

    async def one(self) -> Execution:
        (execution,) = await all_executions(self.db)
        return execution

    async def told(self, service: Service, answer: Answer | Handler, **more: Any) -> Execution:
        """Have something done by whoever answers so."""
        self.web.answers["/hook"] = answer
        await self.execution(service, **more)
        await self.work()
        return await self.one()


@pytest.fixture
async def office(db: Database, clock: ManualClock) -> AsyncIterator[Office]:
    async with web() as served:
        guard = Guard(allowed={served.host})
        executor = Executor(db, clock, guard, limits=ExecutorLimits(call_seconds=PATIENCE_SECONDS), chance=lambda: 0.0)
        async with open_client(guard, seconds=PATIENCE_SECONDS) as client:
            yield Office(db, clock, served, executor, client)


def says(**told: Any) -> Answer:
    return Answer(body=orjson.dumps(told))


# The sandbox


@pytest.mark.parametrize(
    ("outcome", "state", "charge"),
    [
        (None, "COMPLETED", "0.1234567"),
        ("PARTIAL", "PARTIAL", "0.06172835"),
        ("FAILED", "FAILED", "0"),
        ("CANCELED", "CANCELED", "0"),
        ("REFUSED", "FAILED", None),
        ("LOST", "COMPLETED", "0.1234567"),
        ("BUSY", "COMPLETED", "0.1234567"),
    ],
)
async def test_the_sandbox_goes_by_the_clock_and_ends_as_it_is_asked_to(
    office: Office, outcome: str | None, state: str, charge: str | None
) -> None:
    cards = (await sandbox(office.db))["cards"]
    await office.execution(cards, quantity=10, parameters={} if outcome is None else {"outcome": outcome})

    for minutes in range(4):
        await office.work(after=timedelta(minutes=minutes))

    execution = await office.one()
    assert (execution.state, execution.charge) == (state, None if charge is None else Decimal(charge))
    async with office.db.read() as session:
        calls = [one.call_count for one in await session.rows(select(SandboxOrder))]
    assert calls == ([] if outcome == "REFUSED" else [1])


async def test_the_sandbox_cancels_what_is_not_done(office: Office) -> None:
    execution = await office.execution((await sandbox(office.db))["cards"])
    await office.work()
    async with office.db.transaction() as tx:
        await executions.cancel_execution(tx, execution.id, viewer=None, now=office.clock.now())

    await office.work(after=timedelta(seconds=11))

    assert (await office.one()).state is ExecutionState.CANCELED


# A program that is called


async def test_a_program_is_called_once_with_a_signature_and_a_key(office: Office) -> None:
    made, service = await office.provider(ProviderKind.WEBHOOK)
    execution = await office.told(
        service, says(status="Completed", reference=7, charge="0.00000001"), parameters={"text": "Hi {url}"}
    )

    assert (execution.state, execution.reference, execution.charge) == ("COMPLETED", "7", Decimal("0.00000001"))
    (asked,) = office.web.asked
    assert orjson.loads(asked.body)["execution"]["parameters"] == {"text": f"Hi {execution.target_url}"}
    assert asked.headers["idempotency-key"] == str(execution.key)
    signed: dict[str, Any] = {
        "call_id": asked.headers["webhook-id"],
        "timestamp": asked.headers["webhook-timestamp"],
        "signatures": asked.headers["webhook-signature"],
        "body": asked.body,
    }
    check_signature(made.secret, **signed, now=office.clock.now())
    for wrong in ({"body": asked.body + b" "}, {"timestamp": "0"}, {"call_id": "other"}, {"signatures": "v1,x"}):
        with pytest.raises(Unauthenticated):
            check_signature(made.secret, **{**signed, **wrong}, now=office.clock.now())
    with pytest.raises(Unauthenticated, match="too long ago"):
        check_signature(made.secret, **signed, now=office.clock.now() + timedelta(minutes=6))


@pytest.mark.parametrize(
    ("answer", "state", "error"),
    [
        (Answer(), "COMPLETED", ""),
        (says(), "SUBMITTED", ""),
        (says(status="weird"), "SUBMITTED", ""),
        (Answer(body=b"thanks"), "SUBMITTED", ""),
        (says(status="in progress", remaining=-1, charge="much", start_count=True), "IN_PROGRESS", ""),
        (Answer(status=400, body=b"no"), "FAILED", "It answers with the status 400."),
        (Answer(status=301, headers={"location": "/elsewhere"}), "FAILED", "It answers with the status 301."),
        (Answer(status=429, headers={"retry-after": "100"}), "QUEUED", "It answers with the status 429."),
        (Answer(status=503), "QUEUED", "It answers with the status 503."),
        (Answer(status=500), "UNKNOWN", "It answers with the status 500."),
        (Answer(breaks_off=True), "UNKNOWN", "The call broke off: RemoteProtocolError."),
    ],
)
async def test_what_a_program_answers_says_whether_it_took_it(
    office: Office, answer: Answer, state: str, error: str
) -> None:
    _, service = await office.provider(ProviderKind.WEBHOOK)
    execution = await office.told(service, answer)

    assert (execution.state, execution.last_error) == (state, error)
    assert (execution.next_attempt_at is not None) == (state == "QUEUED")
    # Called once, whatever it answered; never where it points.
    assert office.web.paths() == ["/hook"]
    if answer.status == 429:
        assert execution.next_attempt_at == office.clock.now() + timedelta(seconds=100)


async def test_a_program_that_is_not_there_is_called_again_later(office: Office) -> None:
    with deaf_port() as port:
        office.executor.guard = Guard(allowed={f"127.0.0.1:{port}"})
        async with open_client(office.executor.guard, seconds=PATIENCE_SECONDS) as client:
            office.client = client
            _, service = await office.provider(ProviderKind.WEBHOOK, url=f"http://127.0.0.1:{port}/")
            await office.execution(service)
            await office.work()

    execution = await office.one()
    assert (execution.state, execution.attempt_count) == (ExecutionState.QUEUED, 1)
    async with office.db.read() as session:
        (provider,) = await session.rows(select(Provider).where(col(Provider.kind) == ProviderKind.WEBHOOK))
    assert provider.last_error == "It cannot be reached: ConnectError."


async def test_a_program_in_a_network_of_our_own_is_not_called(office: Office) -> None:
    _, service = await office.provider(ProviderKind.WEBHOOK, url="http://127.0.0.1/")
    execution = await office.told(service, says())

    assert (execution.state, office.web.asked) == (ExecutionState.FAILED, [])


@pytest.mark.parametrize(("known", "state"), [(True, "COMPLETED"), (False, "COMPLETED")])
async def test_an_answer_that_was_lost_is_asked_after_and_the_call_is_not_made_twice(
    office: Office,
    known: bool,  # noqa: FBT001 -- a case
    state: str,
) -> None:
    submitted: list[str] = []

    def program(asked: Asked) -> Answer:
        told = orjson.loads(asked.body)
        if told["type"] == "execution.submit":
            submitted.append(told["execution"]["key"])
            # What it heard first, it lost where it does not know of it.
            return Answer(breaks_off=True) if len(submitted) == 1 else says(status="Completed")
        said = "Completed" if known else None
        return says(executions=[{"key": key, "status": said} for key in told["keys"]])

    _, service = await office.provider(ProviderKind.WEBHOOK, is_asked=True)
    assert (await office.told(service, program)).state is ExecutionState.UNKNOWN
    await office.work(after=timedelta(minutes=2))
    await office.work()

    assert (await office.one()).state == state
    # Under the same key, so that whoever heard it after all does it once.
    assert (len(submitted), len(set(submitted))) == (1 if known else 2, 1)


async def test_what_cannot_be_asked_after_stays_unknown(office: Office) -> None:
    _, service = await office.provider(ProviderKind.WEBHOOK)
    await office.told(service, Answer(breaks_off=True))
    await office.work(after=timedelta(days=1))

    assert (await office.one()).state is ExecutionState.UNKNOWN
    assert len(office.web.asked) == 1


async def test_executions_are_asked_after_together_and_what_is_wrong_with_one_hurts_no_other(office: Office) -> None:
    def program(asked: Asked) -> Answer:
        told = orjson.loads(asked.body)
        if told["type"] == "execution.submit":
            return says(status="Pending", reference="same")
        first, second, *_ = told["keys"]
        return says(executions=[{"key": first, "status": "Completed"}, 5, {"key": second, "status": ["x"]}])

    _, service = await office.provider(ProviderKind.WEBHOOK, is_asked=True)
    office.web.answers["/hook"] = program
    for _ in range(3):
        await office.execution(service)
    await office.work()
    await office.work(after=timedelta(minutes=1))

    made = await all_executions(office.db)
    assert sorted(one.state for one in made) == ["COMPLETED", "SUBMITTED", "SUBMITTED"]
    assert sorted(one.reference or "" for one in made) == ["", "", "same"]
    assert [orjson.loads(one.body)["type"] for one in office.web.asked].count("execution.status") == 1


# A channel of people


async def test_a_message_is_sent_as_discord_and_slack_take_it_and_pings_nobody(office: Office) -> None:
    _, service = await office.provider(ProviderKind.NOTIFY)
    execution = await office.told(service, Answer(status=204), parameters={"text": "@everyone New: {url}"})

    text = f"@everyone New: {execution.target_url}"
    assert orjson.loads(office.web.asked[0].body) == {
        "content": text,
        "text": text,
        "allowed_mentions": {"parse": []},
    }
    assert (execution.state, execution.charge) == (ExecutionState.COMPLETED, Decimal(0))


# The worker


async def test_the_worker_sends_what_is_queued_at_once_and_lets_triggers_fire(db: Database, clock: ManualClock) -> None:
    action = await make_action(db, await make_account(db))
    await make_trigger(db, action, TriggerKind.SCHEDULE, cron="* * * * *")
    executor = Executor(db, clock, limits=ExecutorLimits(look_seconds=0.02))
    running = asyncio.create_task(executor.run())
    await make_execution(db, action.owner_id, now=clock.now())

    await eventually(lambda: executor.sent == 1, "the first")
    clock.move(timedelta(minutes=1))
    await eventually(lambda: executor.sent == 2, "what the clock asked for")
    running.cancel()
    await asyncio.wait([running])
    assert executor.facts() == {"sent": 2, "lost": 0}


async def test_of_fifty_executors_at_once_each_execution_is_sent_by_one(db: Database, clock: ManualClock) -> None:
    user = await make_user(db)
    for _ in range(10):
        await make_execution(db, user.id, now=clock.now())
    crowd = [Executor(db, clock, limits=ExecutorLimits(at_once=3)) for _ in range(50)]
    async with open_client(Guard(), seconds=1) as client:
        await asyncio.gather(*(one.work(client) for one in crowd))

    async with db.read() as session:
        orders = await session.rows(select(SandboxOrder))
    assert [one.call_count for one in orders] == [1] * 10
    assert sum(one.sent for one in crowd) == 10


async def test_whom_to_trust_is_read_once_for_all_clients_and_each_asks_who_answers() -> None:
    guards = Guard(), Guard(allowed={"127.0.0.1:1"})
    opened = [open_client(one, seconds=1)._transport for one in guards]

    contexts = [one._pool._ssl_context for one in opened if isinstance(one, httpx.AsyncHTTPTransport)]
    trusted = contexts[0]
    assert trusted is not None
    assert [one is trusted for one in contexts] == [True, True]
    assert (trusted.verify_mode, trusted.check_hostname) == (ssl.CERT_REQUIRED, True)
    for one in opened:
        await one.aclose()


# What a program says by itself


async def test_a_program_tells_by_itself_how_it_goes(database_url: str) -> None:
    async with running_house(database_url, has_listener=False) as house:
        db = house.house.db
        async with db.transaction() as tx:
            changes = {"name": "Program", "url": "https://program.example/"}
            made = await providers.create_provider(tx, kind=ProviderKind.WEBHOOK, changes=changes, now=NOW)
            assert made.secret is not None
            # It is off, so that nobody calls it.
            await providers.enable_provider(tx, made.provider.id, is_enabled=False)
            service = await tx.row(select(Service).where(col(Service.provider_id) == made.provider.id))
        assert service is not None
        key = await _unsent(db, service)

        async def tell(body: bytes, secret: bytes | None = None) -> tuple[int, Any]:
            at = int(house.house.clock.now().timestamp())
            headers = {
                "webhook-id": "1",
                "webhook-timestamp": str(at),
                "webhook-signature": signature(secret or made.secret or b"", "1", at, body),
            }
            url = f"/hooks/provider/{encode_id('provider', made.provider.id)}"
            answer = await house.http.post(url, content=body, headers=headers)
            return answer.status_code, answer.json()

        body = orjson.dumps({"executions": [{"key": key, "status": "Completed", "charge": "1.5"}]})
        assert (await tell(body))[0] == 409
        async with db.transaction() as tx:
            await tx.execute(update(Execution).values(state=ExecutionState.SUBMITTED, next_attempt_at=None))
            await providers.enable_provider(tx, made.provider.id, is_enabled=True)
        assert (await tell(body, b"wrong"))[0] == 401
        assert (await tell(b"[]"))[0] == 400
        assert await tell(body) == (200, {"noted": 1})
        assert await tell(body) == (200, {"noted": 0})
        (execution,) = await all_executions(db)
        assert (execution.state, execution.charge) == (ExecutionState.COMPLETED, Decimal("1.5"))
        assert shown_secret(made.secret).startswith("whsec_")


async def _unsent(db: Database, service: Service) -> str:
    async with db.transaction() as tx:
        await providers.enable_provider(tx, service.provider_id, is_enabled=True)
    execution = await make_execution(db, (await make_user(db)).id, service)
    async with db.transaction() as tx:
        await tx.execute(update(Execution).values(state=ExecutionState.UNKNOWN, next_attempt_at=None))
        await providers.enable_provider(tx, service.provider_id, is_enabled=False)
    return str(execution.key)


# The end by force


@dataclass
class _Life:
    """One life of a process that reads a feed and carries out what that triggers, ended before a statement."""

    url: str
    feed: Feed
    ends_before: int | None
    clock: ManualClock = field(default_factory=ManualClock)

    async def run(self) -> Database:
        db = await connect(self.url, pool_size=2)
        statements = 0

        def heard(_: str) -> None:
            nonlocal statements
            statements += 1
            if statements == self.ends_before:
                os.kill(os.getpid(), signal.SIGKILL)

        db.on_statement = heard
        executor = Executor(db, self.clock)
        async with open_client(Guard(), seconds=1) as client:
            await poll(db, self.feed, found(entry("2"), entry("1"), entry("old")), at=self.clock.now())
            for _ in range(4):
                while await executor.work(client):
                    continue
                self.clock.move(timedelta(minutes=1))
        return db


async def _whole(life: _Life) -> None:
    await (await life.run()).close()


def _live(life: _Life) -> bool:
    """Live in a process of its own; say whether it came to its end."""
    process = os.fork()
    if process == 0:
        ended = 1
        try:
            with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
                runner.run(_whole(life))
            ended = 0
        finally:
            os._exit(ended)
    _, status = os.waitpid(process, 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0
    return os.WIFEXITED(status)


async def _prepared(url: str) -> Feed:
    db = await connect(url, pool_size=2)
    account = await make_account(db)
    await make_action(db, account)
    feed = (await poll(db, await make_feed(db, account), found(entry("old")))).feed
    await db.close()
    return feed


def test_the_end_at_any_step_loses_no_post_and_sends_nothing_twice(database_url: str) -> None:
    """A process that is killed before each of its statements in turn, and one after it that lives."""
    feed = asyncio.run(_prepared(database_url))
    # Every other statement, and on the other database those between them: it is the same work.
    step, clock = -1 if is_embedded(database_url) else 0, ManualClock()
    is_whole = False
    while not is_whole:
        step += 2
        # Later than any lease of the life before.
        clock.move(timedelta(hours=1))
        is_whole = _live(_Life(database_url, feed, step, _from(clock.now())))
        lives = _Life(database_url, feed, None, _from(clock.now() + timedelta(minutes=10)))
        found_now = asyncio.run(_afterwards(lives))
        assert found_now == [("1", "COMPLETED", 1), ("2", "COMPLETED", 1)], f"killed before statement {step}"
    assert step > 30


def _from(at: datetime) -> ManualClock:
    clock = ManualClock()
    clock.time = at
    return clock


async def _afterwards(life: _Life) -> list[tuple[str, str, int]]:
    """Live, and return of each post how its execution ended and how often it was sent; then let go of all of it."""
    db = await life.run()
    async with db.read() as session:
        calls = {one.key: one.call_count for one in await session.rows(select(SandboxOrder))}
    made = await all_executions(db)
    async with db.transaction() as tx:
        for table in (Execution, SandboxOrder):
            await tx.execute(delete(table))
        await tx.execute(delete(Post).where(col(Post.number) > 0))
    await db.close()
    assert set(calls) == {one.key for one in made}
    return sorted((one.target_url[-1], str(one.state), calls[one.key]) for one in made)
