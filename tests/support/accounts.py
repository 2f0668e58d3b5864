"""Accounts with feeds, posts and executions to ask about and to change."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import insert, update
from sqlmodel import col, select

from db.access import operations as access
from db.access.tables import User
from db.access.viewer import Role, Viewer
from db.accounts import actions, executions, feed_leases, feeds, operations, providers, screenshots, working
from db.accounts.entries import Entry
from db.accounts.polling import Failed, Found, Polled, Read, Reading, record_reads
from db.accounts.schedule import PollRules
from db.accounts.screenshots import PictureRules
from db.accounts.tables import Account, Action, Execution, Feed, Provider, SandboxOrder, Screenshot, Service, Trigger
from db.accounts.vocabulary import (
    ConditionMetric,
    FeedFault,
    ProviderKind,
    TriggerKind,
)
from db.accounts.words import Report
from db.accounts.working import WorkRules
from db.database import Database
from db.ids import new_id
from db.session import Transaction
from schema.ids import encode_id
from tests.support.graph import Graph

NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
RULES = PollRules()
WORK = WorkRules()


async def make_user(db: Database, *, role: Role = Role.MEMBER) -> User:
    async with db.transaction() as tx:
        return await access.create_user(tx, name=f"User {new_id().hex[-12:]}", role=role, now=NOW)


def viewer_of(user: User, role: Role | None = None) -> Viewer:
    return Viewer(user_id=user.id, token_id=new_id(), role=role or user.role)


async def make_account(db: Database, owner_id: UUID | None = None, *, now: datetime = NOW, **changes: Any) -> Account:
    given = {
        "platform": "youtube",
        "username": f"name-{new_id().hex[-12:]}",
        "url": "https://example.org/channel",
        **changes,
    }
    owner = owner_id or (await make_user(db)).id
    async with db.transaction() as tx:
        return await operations.create_account(tx, owner_id=owner, changes=given, now=now)


async def make_feed(db: Database, account: Account, *, now: datetime = NOW, **changes: Any) -> Feed:
    given = {"url": "https://example.org/feed.xml", **changes}
    async with db.transaction() as tx:
        return await feeds.create_feed(
            tx, owner_id=account.owner_id, changes=given, account_id=account.id, viewer=None, now=now
        )


async def sandbox(db: Database, now: datetime = NOW) -> dict[str, Service]:
    """The services of the sandbox, by their keys."""
    async with db.transaction() as tx:
        await providers.ensure_sandbox(tx, now=now)
        provider = await tx.row(select(Provider).where(col(Provider.kind) == ProviderKind.SANDBOX))
        assert provider is not None
        found = await tx.rows(select(Service).where(col(Service.provider_id) == provider.id))
    return {one.key: one for one in found}


async def make_action(
    db: Database, account: Account, service: Service | None = None, *, now: datetime = NOW, **changes: Any
) -> Action:
    wanted = service or (await sandbox(db, now))["stickers"]
    async with db.transaction() as tx:
        return await actions.create_action(tx, account.id, wanted.id, changes, viewer=None, now=now)


async def make_trigger(
    db: Database, action: Action, kind: TriggerKind = TriggerKind.MANUAL, *, now: datetime = NOW, **changes: Any
) -> Trigger:
    async with db.transaction() as tx:
        return await actions.create_trigger(tx, action.id, kind=kind, changes=changes, viewer=None, now=now)


def entry(name: str, **more: Any) -> Entry:
    """An entry with an id of its own."""
    return Entry(**{"guid": name, "url": f"https://example.org/posts/{name}", "title": f"Post {name}", **more})


def found(*entries: Entry, at: datetime = NOW, **more: Any) -> Found:
    return Found(started_at=at, http_status=200, entries=entries, body_sha256=str(hash(entries)), **more)


def failed(fault: FeedFault, *, at: datetime = NOW, **more: Any) -> Failed:
    return Failed(started_at=at, fault=fault, error="It went wrong.", **more)


async def poll(
    db: Database, feed: Feed, read: Read, *, at: datetime = NOW, rules: PollRules = RULES, chance: float = 0.5
) -> Polled:
    """Read a feed, whether it is due or not."""
    async with db.transaction() as tx:
        await feeds.ask_for_poll(tx, feed.id, viewer=None, now=at)
        claimed = {one.id: one for one in await claim_feeds(tx, limit=1000, rules=rules, at=at)}
        await feed_leases.release(tx, [one for one in claimed.values() if one.id != feed.id])
    async with db.transaction() as tx:
        polled = await record(tx, claimed[feed.id], read, rules=rules, chance=chance, at=at)
    assert polled is not None
    return polled


async def claim_feeds(tx: Transaction, *, at: datetime, limit: int = 100, rules: PollRules = RULES) -> list[Feed]:
    """Take feeds that are due, under a lease of their own."""
    return await feed_leases.claim_due(tx, lease_id=new_id(), limit=limit, rules=rules, now=at)


async def record(
    tx: Transaction, feed: Feed, read: Read, *, at: datetime, rules: PollRules = RULES, chance: float = 0.0
) -> Polled | None:
    """Store what came of reading a feed that was claimed."""
    (polled,) = await record_reads(tx, [Reading(feed=feed, read=read, chance=chance)], rules=rules, now=at)
    return polled


async def all_executions(db: Database) -> list[Execution]:
    async with db.read() as session:
        return await session.rows(select(Execution).order_by(col(Execution.queued_at), col(Execution.id)))


async def claim(db: Database, *, at: datetime = NOW, limit: int = 100) -> tuple[UUID, Sequence[Execution]]:
    """Take what is to be sent, and the lease it was taken under."""
    lease = new_id()
    async with db.transaction() as tx:
        return lease, await working.claim(tx, lease_id=lease, limit=limit, rules=WORK, now=at)


async def make_execution(
    db: Database, owner_id: UUID, service: Service | None = None, *, now: datetime = NOW, **more: Any
) -> Execution:
    """Something to be carried out, for an address of its own."""
    wanted = service or (await sandbox(db, now))["stickers"]
    given = {"target_url": f"https://example.org/{new_id().hex}", "quantity": wanted.min_quantity, "parameters": {}}
    async with db.transaction() as tx:
        return await executions.create_execution(
            tx, owner_id=owner_id, service_id=wanted.id, viewer=None, now=now, **{**given, **more}
        )


async def fill(db: Database, owner_id: UUID, other_id: UUID) -> list[Account]:
    """Accounts of two people with everything that may be of them, in most of the states that there are."""
    services = await sandbox(db)
    first = await make_account(db, owner_id, username="Zürich 서울 🥋", daily_limit=40, daily_spend_limit="12.5")
    second = await make_account(db, owner_id, platform="x", username="b", url="")
    theirs = await make_account(db, other_id, username="theirs")
    async with db.transaction() as tx:
        made = [
            await operations.create_tag(tx, owner_id=owner_id, changes={"name": name}, now=NOW) for name in ("b", "ä")
        ]
        await operations.set_account_tags(tx, first.id, [tag.id for tag in made], viewer=None, now=NOW)
        hook = await providers.create_provider(
            tx,
            kind=ProviderKind.WEBHOOK,
            changes={"name": "Hook", "url": "https://example.org/hook?key=1", "is_asked": True},
            now=NOW,
        )
        await providers.note_trouble(tx, hook.provider.id, "It did not answer.", now=NOW)
    feed = await make_feed(db, first)
    await make_feed(db, second, url="https://example.org/second.xml", keyword="seoul")
    await make_feed(db, theirs)
    action = await make_action(db, first, services["cards"], quantity=10, parameters={"outcome": "PARTIAL"})
    await make_action(db, first, has_screenshots=True, daily_limit=2)
    await make_action(db, second, is_dry_run=True, name="Dry")
    await make_action(db, theirs)
    await make_trigger(db, action)
    await make_trigger(db, action, TriggerKind.SCHEDULE, cron="*/5 * * * *", time_zone="Asia/Seoul")
    await make_trigger(db, action, TriggerKind.CONDITION, metric=ConditionMetric.POSTS_TODAY, threshold=1)
    await poll(db, feed, found(entry("1"), entry("2", title="서울 🥋")))
    at = NOW + timedelta(minutes=1)
    await poll(db, feed, found(*(entry(str(number), published_at=NOW) for number in range(5, 0, -1)), at=at), at=at)
    await poll(db, feed, failed(FeedFault.TIMEOUT, at=at), at=at + timedelta(minutes=1))
    lease, taken = await claim(db, at=at, limit=4)
    async with db.transaction() as tx:
        asked: dict[str, Any] = {"rules": WORK, "now": at}
        # The fourth waits for its picture.
        one, two, three = taken
        await working.note_taken(tx, one.id, lease, Report(word="In progress", reference="1", answer="{}"), **asked)
        await working.note_lost(tx, two.id, lease, "It hung up.", **asked)
        await working.note_refused(tx, three.id, lease, "No.", now=at)
        await tx.execute(_sandbox_order())
        await tx.execute(_captured())
        await actions.fire_due(tx, (await actions.due_triggers(tx, now=at + timedelta(hours=1), limit=1))[0], now=at)
    await make_execution(db, other_id)
    async with db.transaction() as tx:
        await operations.enable_account(tx, second.id, is_enabled=False, viewer=None, now=at)
    return [first, second, theirs]


def _sandbox_order() -> Any:
    return insert(SandboxOrder).values(
        key=new_id(),
        reference="S-1",
        service_key="cards",
        target_url="https://example.org/",
        quantity=1,
        charge=Decimal(1),
        outcome="COMPLETED",
        call_count=1,
        submitted_at=NOW,
    )


def _captured() -> Any:
    shown = {
        "state": "COMPLETED",
        "width": 640,
        "height": 480,
        "byte_count": 1000,
        "duration_ms": 5,
        "sha256": "0" * 64,
    }
    return update(Screenshot).where(col(Screenshot.moment) == "AFTER").values(**shown, captured_at=NOW)


async def make_screenshot(db: Database, owner_id: UUID, now: datetime) -> Screenshot:
    async with db.transaction() as tx:
        return await screenshots.ask_for_screenshot(
            tx, owner_id=owner_id, url="https://example.org/", viewer=None, now=now
        )


async def account_variables(graph: Graph, owner: User) -> dict[str, dict[str, Any]]:
    """What the examples of accounts are asked with, by their names: each mutation has things of its own."""
    db, now = graph.db, graph.clock.now()
    services = await sandbox(db, now)
    account, other, gone = [await make_account(db, owner.id, now=now, username=name) for name in ("a", "b", "c")]
    async with db.transaction() as tx:
        tags = [
            await operations.create_tag(tx, owner_id=owner.id, changes={"name": name}, now=now) for name in ("x", "y")
        ]
        made = [
            (
                await providers.create_provider(
                    tx,
                    kind=ProviderKind.WEBHOOK,
                    changes={"name": name, "url": "https://example.org/hook"},
                    now=now,
                )
            ).provider
            for name in ("Hook", "Gone")
        ]
    feed, lost = [await make_feed(db, account, now=now) for _ in range(2)]
    action, spare = [await make_action(db, account, services["stickers"], now=now) for _ in range(2)]
    pulled, dropped = [await make_trigger(db, action, now=now) for _ in range(2)]
    done = [await make_execution(db, owner.id, now=now) for _ in range(3)]
    lease, _ = await claim(db, at=now)
    async with db.transaction() as tx:
        await working.note_lost(tx, done[0].id, lease, "It hung up.", rules=WORK, now=now)
        await working.note_refused(tx, done[1].id, lease, "No.", now=now)
    waiting = await make_execution(db, owner.id, now=now)
    for entries in ((entry("1"),), (entry("2"), entry("1"))):
        await poll(db, feed, found(*entries, at=now), at=now)
    shown, dull, failing = [await make_screenshot(db, owner.id, now) for _ in range(3)]
    async with db.transaction() as tx:
        lease = new_id()
        await screenshots.claim_screenshots(tx, lease_id=lease, limit=3, rules=PictureRules(), now=now)
        await screenshots.note_unavailable(tx, failing.id, lease, "There is no camera.")
    of_account = {"id": encode_id("account", account.id)}
    of_feed = {"id": encode_id("feed", feed.id)}
    of_action = {"id": encode_id("action", action.id)}
    of_trigger = {"id": encode_id("trigger", pulled.id)}
    of_provider = {"id": encode_id("provider", made[0].id)}
    watched = {"accountId": of_account["id"]}
    service = {"serviceId": encode_id("service", services["cards"].id)}
    return {
        "AccountInFull": of_account,
        "AddAccount": {"platform": "youtube", "username": "new"},
        "AddFeed": {**watched, "url": "https://example.org/new.xml"},
        "AddNotifications": {"name": "Team", "url": "https://example.org/team"},
        "AddWebhook": {"name": "Program", "url": "https://example.org/program"},
        "CancelExecution": {"id": encode_id("execution", waiting.id)},
        "ChangeAccount": {**of_account, "dailyLimit": 5, "dailySpendLimit": "2.50"},
        "ChangeAction": {**of_action, "quantity": 7},
        "ChangeFeed": {**of_feed, "title": "Videos"},
        "ChangeProvider": {**of_provider, "dailyLimit": 100},
        "ChangeTag": {"id": encode_id("tag", tags[0].id), "color": "#ff0000"},
        "DeleteAccount": {"id": encode_id("account", gone.id)},
        "DeleteAction": {"id": encode_id("action", spare.id)},
        "DeleteFeed": {"id": encode_id("feed", lost.id)},
        "DeleteProvider": {"id": encode_id("provider", made[1].id)},
        "DeleteScreenshot": {"id": encode_id("screenshot", dull.id)},
        "DeleteTag": {"id": encode_id("tag", tags[1].id)},
        "DeleteTrigger": {"id": encode_id("trigger", dropped.id)},
        "ExecutionInFull": {"id": encode_id("execution", done[0].id)},
        "FeedInFull": of_feed,
        "FollowPolls": {**watched},
        "FollowPosts": {**watched},
        "HaveSomethingDone": {**service, "targetUrl": "https://example.org/", "quantity": 10},
        "ImportOrders": {"document": '[{"id": 1, "quantity": 5, "status": "Completed", "cost": 0.015}]'},
        "MakeAction": {**watched, **service, "quantity": 10},
        "MakeTag": {"name": "clients"},
        "PullTrigger": of_trigger,
        "ReadFeedNow": of_feed,
        "ResolveExecution": {"id": encode_id("execution", done[0].id), "wasCarriedOut": True},
        "RetryScreenshot": {"id": encode_id("screenshot", failing.id)},
        "RetryExecution": {"id": encode_id("execution", done[1].id)},
        "RotateProviderSecret": of_provider,
        "RunAction": {"id": encode_id("action", (await make_action(db, other, now=now)).id)},
        "RunActionEveryEvening": {"actionId": of_action["id"], "cron": "30 18 * * *"},
        "ScreenshotInFull": {"id": encode_id("screenshot", shown.id)},
        "SpendingOfMonth": {"firstOn": "2026-11-01", "lastOn": "2026-11-30"},
        "SwitchAccountOff": {"id": encode_id("account", other.id)},
        "SwitchAccountOn": {"id": encode_id("account", other.id)},
        "SwitchActionOff": of_action,
        "SwitchActionOn": of_action,
        "SwitchFeedOff": of_feed,
        "SwitchFeedOn": of_feed,
        "SwitchProviderOff": of_provider,
        "SwitchProviderOn": of_provider,
        "SwitchTriggerOff": of_trigger,
        "SwitchTriggerOn": of_trigger,
        "TakeScreenshot": {"url": "https://example.org/"},
        "TagAccount": {**of_account, "tagIds": [encode_id("tag", tags[0].id)]},
        "WatchExecutions": {**watched},
        "WatchScreenshot": {"id": encode_id("screenshot", shown.id)},
        "WhatIsStuck": {"queuedBefore": "2030-01-01T00:00:00Z"},
    }
