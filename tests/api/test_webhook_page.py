"""The page about webhooks: each of its examples is what is really sent, or is really understood."""

import json
import re
from collections.abc import AsyncIterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import update
from sqlmodel import col, select

from api.outbound import Guard, open_client
from api.providers.webhook import read_callback
from api.workers.executions import Executor
from db.accounts import executions, providers
from db.accounts.signing import shown_secret
from db.accounts.tables import Execution, Service
from db.accounts.vocabulary import ExecutionCause, ExecutionState, ProviderKind
from db.accounts.words import state_of
from db.accounts.working import WorkRules, take_callback
from db.database import Database
from tests.conftest import ManualClock
from tests.support.accounts import all_executions, make_execution, make_user
from tests.support.web import Answer, Asked, Web, web

PAGE = (Path(__file__).parents[2] / "docs" / "webhooks.md").read_text()
RULES = WorkRules()


def examples(heading: str) -> list[dict[str, Any]]:
    """The JSON that stands below a heading."""
    _, _, rest = PAGE.partition(f"\n## {heading}\n")
    assert rest, heading
    section = re.split(r"^## ", rest, maxsplit=1, flags=re.MULTILINE)[0]
    return [json.loads(found) for found in re.findall(r"```json\n(.*?)```", section, re.DOTALL)]


(SUBMIT,) = examples("`execution.submit`")
ASK, ANSWER = examples("`execution.status`")
(CANCEL,) = examples("`execution.cancel`")
(REPORT,) = examples("A report")
(TOLD,) = examples("What you tell by yourself")
(MESSAGE,) = examples("A channel of people")


@pytest.fixture
async def program() -> AsyncIterator[Web]:
    async with web() as served:
        yield served


async def provide(db: Database, kind: ProviderKind, served: Web, clock: ManualClock) -> providers.MadeProvider:
    changes = {"name": "Printer", "url": served.url("/"), "is_asked": kind is ProviderKind.WEBHOOK}
    async with db.transaction() as tx:
        return await providers.create_provider(tx, kind=kind, changes=changes, now=clock.now())


async def queue_as_shown(db: Database, provider_id: UUID, clock: ManualClock) -> Execution:
    """Queue the execution of the page, under the page's key."""
    shown = SUBMIT["execution"]
    async with db.read() as session:
        service = await session.row(select(Service).where(col(Service.provider_id) == provider_id))
    made = await make_execution(
        db,
        (await make_user(db)).id,
        service,
        now=clock.now(),
        target_url=shown["target_url"],
        quantity=shown["quantity"],
        parameters={"text": "New: {url}"},
    )
    as_shown = {"key": UUID(shown["key"]), "cause": ExecutionCause(shown["cause"]), "platform": shown["platform"]}
    async with db.transaction() as tx:
        await tx.execute(update(Execution).where(col(Execution.id) == made.id).values(**as_shown))
    return made


async def work(db: Database, served: Web, clock: ManualClock) -> None:
    guard = Guard(allowed={served.host})
    executor = Executor(db, clock, guard, chance=lambda: 0.0)
    async with open_client(guard, seconds=5) as client:
        while await executor.work(client):
            continue


def calls(served: Web) -> list[dict[str, Any]]:
    return [json.loads(one.body) for one in served.asked]


async def test_what_is_sent_is_what_the_page_says_and_its_check_of_signatures_holds(
    db: Database, program: Web, clock: ManualClock
) -> None:
    made = await provide(db, ProviderKind.WEBHOOK, program, clock)
    execution = await queue_as_shown(db, made.provider.id, clock)

    def answer(asked: Asked) -> Answer:
        kind = json.loads(asked.body)["type"]
        said = {"execution.submit": {"status": "accepted"}, "execution.status": ANSWER}.get(kind, {})
        return Answer(body=json.dumps(said).encode())

    program.answers["/"] = answer
    await work(db, program, clock)
    clock.move(timedelta(seconds=RULES.first_look))
    async with db.transaction() as tx:
        await executions.cancel_execution(tx, execution.id, viewer=None, now=clock.now())
    await work(db, program, clock)

    assert calls(program) == [SUBMIT, CANCEL, ASK]
    (after,) = await all_executions(db)
    assert (after.state, after.remaining) == (ExecutionState.IN_PROGRESS, 1)
    submitted = program.asked[0].headers
    assert (submitted["webhook-id"], submitted["idempotency-key"]) == (SUBMIT["execution"]["key"],) * 2
    assert len({one.headers["webhook-id"] for one in program.asked}) == 3
    shown = re.findall(r"^\| `([A-Z][\w-]+)` \|", PAGE, re.MULTILINE)
    assert [name for name in shown if name.lower() not in submitted] == []
    assert submitted["user-agent"] in PAGE
    check = _the_pages_check()
    now = clock.now().timestamp()
    secret = shown_secret(made.secret or b"")
    for asked in program.asked:
        assert check(secret, asked.headers, asked.body, now - 10)
        assert not check(secret, asked.headers, asked.body + b" ", now)
        assert not check(secret, asked.headers, asked.body, now + 1000)
        assert not check(shown_secret(b"another"), asked.headers, asked.body, now)


def _the_pages_check() -> Any:
    (source,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    found: dict[str, Any] = {}
    exec(source, found)  # noqa: S102 -- it is our own page that is tried
    return found["is_from_ringside"]


async def test_what_the_page_lets_a_program_say_is_understood(db: Database, program: Web, clock: ManualClock) -> None:
    made = await provide(db, ProviderKind.WEBHOOK, program, clock)
    await queue_as_shown(db, made.provider.id, clock)
    program.answers["/"] = Answer(body=json.dumps({**REPORT, "status": "accepted"}).encode())
    await work(db, program, clock)
    (taken,) = await all_executions(db)
    ((key, report),) = read_callback(json.dumps(TOLD).encode())
    async with db.transaction() as tx:
        noted = await take_callback(tx, made.provider.id, key, report, rules=RULES, now=clock.now())

    assert noted is not None
    assert (taken.reference, taken.charge, taken.start_count, taken.remaining, taken.last_error) == (
        REPORT["reference"],
        Decimal(REPORT["charge"]),
        REPORT["start_count"],
        REPORT["remaining"],
        REPORT["error"],
    )
    assert (noted.state, noted.charge) == (ExecutionState.COMPLETED, Decimal(TOLD["executions"][0]["charge"]))


def test_the_page_says_every_word_of_a_report_and_its_fields() -> None:
    section = PAGE.partition("\n## A report\n")[2].partition("\n## ")[0]
    row = next(line for line in section.splitlines() if line.startswith("| `status` |"))
    words = [word for word in re.findall(r"`([a-z]+(?: [a-z]+)?)`", row) if word != "status"]

    assert {state_of(word) for word in words} == {
        ExecutionState.SUBMITTED,
        ExecutionState.IN_PROGRESS,
        ExecutionState.COMPLETED,
        ExecutionState.PARTIAL,
        ExecutionState.CANCELED,
        ExecutionState.FAILED,
    }
    assert state_of(REPORT["status"]) is ExecutionState.PARTIAL
    assert {name for name in REPORT if f"`{name}`" not in section} == set()
    submit = PAGE.partition("\n## `execution.submit`\n")[2].partition("\n## ")[0]
    assert re.findall(r"^\| `([a-z_]+)` \|", submit, re.MULTILINE) == list(SUBMIT["execution"])
    assert [one for one in ExecutionCause if f"`{one}`" not in submit] == []


async def test_a_channel_is_told_what_the_page_says(db: Database, program: Web, clock: ManualClock) -> None:
    made = await provide(db, ProviderKind.NOTIFY, program, clock)
    await queue_as_shown(db, made.provider.id, clock)
    program.answers["/"] = Answer(status=204)
    await work(db, program, clock)

    assert calls(program) == [MESSAGE]
    assert [name for name in program.asked[0].headers if name.startswith(("webhook", "idempotency"))] == []


async def test_the_pauses_that_the_page_names_are_those_that_are_made(
    db: Database, program: Web, clock: ManualClock
) -> None:
    made = await provide(db, ProviderKind.WEBHOOK, program, clock)
    await queue_as_shown(db, made.provider.id, clock)
    program.answers["/"] = Answer(status=503)
    waits = []
    for _ in range(RULES.most_attempts - 1):
        await work(db, program, clock)
        (execution,) = await all_executions(db)
        assert execution.next_attempt_at is not None
        waits.append(int((execution.next_attempt_at - clock.now()).total_seconds()))
        clock.move(execution.next_attempt_at - clock.now())
    await work(db, program, clock)

    (execution,) = await all_executions(db)
    assert (waits[:3], execution.state, len(program.asked)) == ([15, 30, 60], ExecutionState.FAILED, 8)
    assert len({one.headers["idempotency-key"] for one in program.asked}) == 1
    assert {"after `Retry-After` or 15 seconds", "After eight tries"} <= set(
        re.findall(r"after `Retry-After` or 15 seconds|After eight tries", PAGE)
    )
    assert (RULES.longest_pause, RULES.first_look, RULES.grace, RULES.patience) == (3600, 10, 60, timedelta(days=30))


async def test_a_program_that_cannot_be_asked_cannot_be_asked_to_stop(
    db: Database, program: Web, clock: ManualClock
) -> None:
    made = await provide(db, ProviderKind.WEBHOOK, program, clock)
    of_provider = select(col(Service.can_be_canceled)).where(col(Service.provider_id) == made.provider.id)
    async with db.transaction() as tx:
        before = await tx.scalar(of_provider)
        await providers.update_provider(tx, made.provider.id, {"is_asked": False})
        after = await tx.scalar(of_provider)

    assert (bool(before), bool(after)) == (True, False)
