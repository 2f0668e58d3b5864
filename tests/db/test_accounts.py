"""Accounts, their tags and providers, the orders of the older dashboard, and what executions come to."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import orjson
import pytest
from sqlmodel import col, select

from db.access import operations as access
from db.access.tables import User
from db.access.viewer import Role
from db.accounts import actions, importing, operations, providers, working
from db.accounts.statistics import read_statistics
from db.accounts.tables import Account, AccountTag, Provider, Trigger
from db.accounts.vocabulary import (
    ExecutionCause,
    ProviderKind,
)
from db.accounts.words import Report
from db.connecting import connect
from db.database import Database
from db.errors import Conflict, Invalid, NotFound, Refusal
from db.resealing import seal_secrets
from db.sealing import Sealer
from db.session import Transaction
from tests.support.accounts import (
    NOW,
    WORK,
    all_executions,
    claim,
    make_account,
    make_action,
    make_execution,
    make_trigger,
    make_user,
    sandbox,
    viewer_of,
)


async def test_accounts_and_tags_of_an_owner_are_each_there_once(db: Database) -> None:
    account = await make_account(db, username="a")
    other = await make_account(db, account.owner_id, username="b")
    refused: list[Refusal] = []
    same = {"platform": "YouTube", "username": "a"}
    async with db.transaction() as tx:
        for change in (
            operations.create_account(tx, owner_id=account.owner_id, changes=same, now=NOW),
            operations.update_account(tx, other.id, {"username": "a"}, viewer=None, now=NOW),
        ):
            with pytest.raises(Conflict) as refusal:
                await change
            refused.append(refusal.value)

    assert {one.message for one in refused} == {"You have this account of this platform already."}


async def test_an_account_bears_the_tags_that_were_last_said_and_only_its_owners(db: Database) -> None:
    account = await make_account(db)
    async with db.transaction() as tx:
        made = [
            (await operations.create_tag(tx, owner_id=account.owner_id, changes={"name": name}, now=NOW)).id
            for name in "ab"
        ]
        theirs = await operations.create_tag(tx, owner_id=(await _somebody(tx)).id, changes={"name": "a"}, now=NOW)
    for wanted in (made, made[1:], []):
        async with db.transaction() as tx:
            await operations.set_account_tags(tx, account.id, wanted, viewer=None, now=NOW)
            borne = await tx.rows(select(AccountTag).where(col(AccountTag.account_id) == account.id))
        assert {one.tag_id for one in borne} == set(wanted)
    async with db.transaction() as tx:
        with pytest.raises(NotFound, match="There is no such tag"):
            await operations.set_account_tags(tx, account.id, [theirs.id], viewer=None, now=NOW)


async def _somebody(tx: Transaction) -> User:
    return await access.create_user(tx, name="somebody", role=Role.MEMBER, now=NOW)


async def test_a_provider_at_another_address_has_another_secret(db: Database) -> None:
    changes = {"name": "Program", "url": "https://example.org/a"}
    async with db.transaction() as tx:
        made = await providers.create_provider(tx, kind=ProviderKind.WEBHOOK, changes=changes, now=NOW)
        renamed = await providers.update_provider(tx, made.provider.id, {"name": "P", "url": changes["url"]})
        moved = await providers.update_provider(tx, made.provider.id, {"url": "https://example.org/b"})
        with pytest.raises(Conflict, match="There is a provider of this name"):
            await providers.create_provider(tx, kind=ProviderKind.WEBHOOK, changes={**changes, "name": "P"}, now=NOW)

    assert (made.secret is None, renamed.secret, moved.secret is None) == (False, None, False)
    assert moved.secret != made.secret


async def test_what_is_secret_of_a_provider_is_sealed_where_there_is_a_key(database_url: str) -> None:
    db = await connect(database_url, pool_size=1, sealer=Sealer("key"))
    async with db.transaction() as tx:
        changes = {"name": "Program", "url": "https://example.org/CANARY"}
        made = await providers.create_provider(tx, kind=ProviderKind.WEBHOOK, changes=changes, now=NOW)
        await seal_secrets(tx)
    async with db.read() as session:
        stored = await session.row(select(Provider))
        opened = await providers.find_provider(session, made.provider.id)
    await db.close()
    assert stored is not None
    assert opened is not None
    assert "CANARY" not in str(stored)
    assert (stored.host, opened.url, opened.secret) == ("example.org", changes["url"], made.secret)

    other = await connect(database_url, pool_size=1, sealer=Sealer("another"))
    async with other.read() as session:
        assert await providers.find_provider(session, made.provider.id) is None
    await other.close()


async def test_a_provider_that_is_used_stays(db: Database) -> None:
    action = await make_action(db, await make_account(db))
    service = next(one for one in (await sandbox(db)).values() if one.id == action.service_id)
    async with db.transaction() as tx:
        with pytest.raises(Conflict, match="Actions use this provider"):
            await providers.delete_provider(tx, service.provider_id)
        await actions.delete_action(tx, action.id, viewer=None)
        await providers.delete_provider(tx, service.provider_id)


# The older dashboard


ROWS = [
    {"id": 1, "action_id": 3, "jap_order_id": "77", "status": "In progress", "quantity": 1000, "cost": 0.1,
     "created_at": "2025-03-01 10:00:00", "updated_at": None},
    {"id": 1, "jap_order_id": "FAILED_1740823200", "execution_type": "rss_trigger", "platform": "X", "cost": None,
     "target_url": "https://x.com/1", "service_id": 5, "service_name": "Cards", "quantity": 5, "status": "completed",
     "account_username": "Ann", "created_at": "2025-03-01T10:00:00+01:00"},
]  # fmt: skip


async def test_orders_of_the_older_dashboard_are_taken_in_once(db: Database) -> None:
    account = await make_account(db, platform="x", username="ann")
    document = orjson.dumps(ROWS).decode()
    async with db.transaction() as tx:
        first = await importing.import_orders(tx, owner_id=account.owner_id, document=document, now=NOW)
    async with db.transaction() as tx:
        again = await importing.import_orders(tx, owner_id=account.owner_id, document=document, now=NOW)

    assert (first.imported, first.existing, again.imported, again.existing) == (2, 0, 0, 2)
    made = await all_executions(db)
    assert [(one.cause, one.state, one.charge, one.account_id, one.queued_at) for one in made] == [
        (ExecutionCause.POST, "COMPLETED", None, account.id, datetime(2025, 3, 1, 9, tzinfo=UTC)),
        (ExecutionCause.INSTANT, "UNKNOWN", Decimal("0.1"), None, datetime(2025, 3, 1, 10, tzinfo=UTC)),
    ]
    assert (await claim(db))[1] == []


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ("[", "This is not JSON"),
        ("{}", "A document is a list of 5,000 rows at most."),
        ('[{"id": 1, "quantity": 1}, 5]', "Row 2 cannot be taken in: it is no object. Nothing was."),
        ('[{"id": "x"}]', "Row 1 cannot be taken in: its `id` is no number. Nothing was."),
        ('[{"id": 1, "quantity": -1}]', "Row 1 cannot be taken in: its `quantity` is no whole number. Nothing was."),
        ('[{"id": 1, "quantity": 1, "cost": "NaN"}]', "its `cost` is no amount"),
        ('[{"id": 1, "quantity": 1, "created_at": "yesterday"}]', "its `created_at` is no time"),
    ],
)
async def test_a_document_that_cannot_be_read_leaves_everything_as_it_is(
    db: Database, document: str, said: str
) -> None:
    user = await make_user(db)
    with pytest.raises(Invalid) as refusal:
        async with db.transaction() as tx:
            await importing.import_orders(tx, owner_id=user.id, document=document, now=NOW)

    assert said in refusal.value.message
    assert await all_executions(db) == []


# What they come to


async def test_sums_are_exact_and_of_what_the_viewer_sees(db: Database) -> None:
    user, cards = await make_user(db), (await sandbox(db))["cards"]
    account = await make_account(db, user.id)
    for number in range(3):
        await make_execution(db, user.id, cards, account_id=account.id, quantity=10, now=NOW + timedelta(days=number))
    await make_execution(db, (await make_user(db)).id, cards)
    lease, (first, *_) = await claim(db, at=NOW + timedelta(days=3))
    async with db.transaction() as tx:
        report = Report(word="Completed", charge=Decimal("0.10000001"))
        await working.note_taken(tx, first.id, lease, report, rules=WORK, now=NOW)

    async with db.read() as session:
        asked = {"first": date(2026, 11, 21), "last": date(2026, 11, 22)}
        mine = await read_statistics(session, viewer_of(user), **asked)
        everybodys = await read_statistics(session, viewer_of(user, Role.ADMIN), **asked)
        with pytest.raises(Invalid, match="366 days in all at most"):
            await read_statistics(session, viewer_of(user), first=date(2020, 1, 1), last=date(2026, 1, 1))

    assert (mine.total, everybodys.total) == (2, 3)
    assert mine.days == {date(2026, 11, 21): 1, date(2026, 11, 22): 1}
    assert mine.platforms == {"youtube": 2}
    assert mine.spent["USD"].estimate == Decimal("0.2469134")
    assert mine.spent["USD"].charge == Decimal("0.10000001")


async def test_no_trigger_of_a_stranger_can_be_seen_to_exist(db: Database) -> None:
    trigger = await make_trigger(db, await make_action(db, await make_account(db)))
    viewer = viewer_of(await make_user(db))
    async with db.transaction() as tx:
        with pytest.raises(NotFound, match="There is no such trigger"):
            await actions.delete_trigger(tx, trigger.id, viewer=viewer)
    async with db.read() as session:
        assert len(await session.rows(select(Trigger))) == 1
        assert len(await session.rows(select(Account))) == 1
