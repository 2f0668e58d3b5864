"""Executions: what holds them back, what they cost to the digit, and that none is sent twice whoever breaks off."""

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import update
from sqlmodel import col, select

from db.access.viewer import Role
from db.accounts import executions, operations, providers, working
from db.accounts.events import ExecutionChanged
from db.accounts.tables import Execution, ExecutionEvent, Provider, Service
from db.accounts.vocabulary import (
    ExecutionSkipReason,
    ExecutionState,
    ProviderKind,
)
from db.accounts.words import Report, state_of
from db.database import Database
from db.errors import Conflict, Invalid, NotFound
from db.ids import new_id
from tests.support.accounts import (
    NOW,
    WORK,
    all_executions,
    claim,
    entry,
    found,
    make_account,
    make_action,
    make_execution,
    make_feed,
    make_user,
    poll,
    sandbox,
    viewer_of,
)

LATER = NOW + timedelta(minutes=1)


OUTCOMES = ("COMPLETED", "PARTIAL", "FAILED", "CANCELED", "REFUSED", "LOST", "BUSY")


async def timeline(db: Database, execution: Execution) -> list[str]:
    async with db.read() as session:
        of_one = select(ExecutionEvent).where(col(ExecutionEvent.execution_id) == execution.id)
        rows = await session.rows(of_one.order_by(col(ExecutionEvent.revision)))
    assert [one.revision for one in rows] == list(range(len(rows)))
    return [one.state for one in rows]


async def one_of(db: Database, execution: Execution) -> Execution:
    (now,) = [one for one in await all_executions(db) if one.id == execution.id]
    return now


async def taken(db: Database, word: str = "Pending", **said: Any) -> tuple[Execution, UUID]:
    """An execution that a provider took."""
    await make_execution(db, (await make_user(db)).id)
    lease, (execution,) = await claim(db)
    async with db.transaction() as tx:
        noted = await working.note_taken(tx, execution.id, lease, Report(word=word, **said), rules=WORK, now=NOW)
    assert noted is not None
    return noted, lease


# What holds them back


@pytest.mark.parametrize("capped", ["account", "action", "provider"])
async def test_a_daily_limit_holds_however_many_come_at_once(db: Database, capped: str) -> None:
    service = (await sandbox(db))["stickers"]
    account = await make_account(db, daily_limit=7 if capped == "account" else None)
    action = await make_action(db, account, service, daily_limit=7 if capped == "action" else None)
    if capped == "provider":
        async with db.transaction() as tx:
            await providers.update_provider(tx, service.provider_id, {"daily_limit": 7})

    async def run() -> str:
        try:
            async with db.transaction() as tx:
                await executions.run_action(tx, action.id, viewer=None, may_repeat=True, now=NOW)
        except Conflict as refusal:
            return refusal.message
        return "queued"

    said = await asyncio.gather(*(run() for _ in range(50)))

    assert sorted(said) == ["No more may be carried out today."] * 43 + ["queued"] * 7
    assert len(await all_executions(db)) == 7
    async with db.transaction() as tx:
        # Another day, by UTC.
        await executions.run_action(tx, action.id, viewer=None, may_repeat=True, now=datetime(2026, 11, 22, tzinfo=UTC))


async def test_what_may_be_spent_is_spent_to_the_last_digit_and_no_digit_more(db: Database) -> None:
    cards = (await sandbox(db))["cards"]
    # Ten of it cost 0.1234567.
    account = await make_account(db, daily_spend_limit="0.8641969")

    async def order() -> str:
        try:
            await make_execution(db, account.owner_id, cards, account_id=account.id, quantity=10)
        except Conflict as refusal:
            return refusal.message
        return "queued"

    said = await asyncio.gather(*(order() for _ in range(50)))

    assert said.count("queued") == 7
    spent = sum((one.estimate or Decimal(0) for one in await all_executions(db)), Decimal(0))
    assert spent == Decimal("0.8641969")
    assert set(said) == {"queued", "No more may be spent today."}


async def test_what_was_charged_counts_where_it_is_known(db: Database) -> None:
    cards = (await sandbox(db))["cards"]
    account = await make_account(db, daily_spend_limit="0.2")
    first = await make_execution(db, account.owner_id, cards, account_id=account.id)
    with pytest.raises(Conflict, match="No more may be spent today"):
        await make_execution(db, account.owner_id, cards, account_id=account.id)

    lease, _ = await claim(db)
    async with db.transaction() as tx:
        report = Report(word="Partial", charge=Decimal("0.05"))
        await working.note_taken(tx, first.id, lease, report, rules=WORK, now=NOW)

    await make_execution(db, account.owner_id, cards, account_id=account.id)


async def test_the_same_target_is_served_once_in_a_day_however_many_ask_at_once(db: Database) -> None:
    user, service = await make_user(db), (await sandbox(db))["stickers"]

    async def ask() -> str:
        try:
            await make_execution(db, user.id, service, target_url="https://example.org/same")
        except Conflict as refusal:
            return refusal.message
        return "queued"

    said = await asyncio.gather(*(ask() for _ in range(50)))
    held = "The same service was asked for this target within the last 24 hours."
    assert sorted(said) == [held] * 49 + ["queued"]
    tomorrow = NOW + timedelta(hours=24)
    await make_execution(db, user.id, service, target_url="https://example.org/same", now=tomorrow)
    await make_execution(db, user.id, service, target_url="https://example.org/same", now=tomorrow, may_repeat=True)


async def test_a_dry_run_is_estimated_and_never_sent(db: Database) -> None:
    action = await make_action(db, await make_account(db, daily_limit=0), is_dry_run=True, quantity=1000)
    async with db.transaction() as tx:
        execution = await executions.run_action(tx, action.id, viewer=None, now=NOW)

    assert (execution.state, execution.skip_reason, execution.estimate) == (
        ExecutionState.SKIPPED,
        ExecutionSkipReason.DRY_RUN,
        Decimal("0.9"),
    )
    assert (await claim(db, at=LATER))[1] == []


async def test_without_an_address_there_is_nothing_to_be_done(db: Database) -> None:
    action = await make_action(db, await make_account(db, url=""))
    async with db.transaction() as tx:
        with pytest.raises(Conflict, match="no address"):
            await executions.run_action(tx, action.id, viewer=None, now=NOW)


async def test_a_text_is_filled_in_with_what_the_post_says_and_nothing_twice(db: Database) -> None:
    async with db.transaction() as tx:
        made = await providers.create_provider(
            tx, kind=ProviderKind.NOTIFY, changes={"name": "Team", "url": "https://example.org/x"}, now=NOW
        )
    async with db.read() as session:
        (service,) = await session.rows(_services_of(made.provider))
    account = await make_account(db, display_name="Ann")
    await make_action(db, account, service, parameters={"text": "{account} on {platform}: {title} {url} {nothing}"})
    feed = await make_feed(db, account)
    await poll(db, feed, found())
    await poll(db, feed, found(entry("1", title="{url} 🥋")), at=LATER)

    (execution,) = await all_executions(db)
    assert execution.parameters == {"text": "Ann on youtube: {url} 🥋 https://example.org/posts/1 {nothing}"}


def _services_of(provider: Provider) -> Any:
    return select(Service).where(col(Service.provider_id) == provider.id)


# How they are sent


async def test_of_fifty_who_would_send_an_execution_one_does(db: Database) -> None:
    user = await make_user(db)
    made = {(await make_execution(db, user.id)).id for _ in range(5)}

    claimed = await asyncio.gather(*(claim(db, limit=2) for _ in range(50)))

    sent = [one.id for _, rows in claimed for one in rows]
    assert (len(sent), set(sent)) == (5, made)


async def test_what_was_being_sent_when_somebody_broke_off_is_unknown_and_not_sent_again(db: Database) -> None:
    execution = await make_execution(db, (await make_user(db)).id)
    await claim(db)
    over = NOW + timedelta(seconds=WORK.lease)
    async with db.transaction() as tx:
        assert await working.give_up_lost(tx, rules=WORK, now=over - timedelta(microseconds=1)) == []
        (lost,) = await working.give_up_lost(tx, rules=WORK, now=over)

    assert (lost.state, lost.next_attempt_at) == (ExecutionState.UNKNOWN, None)
    assert (await claim(db, at=over + timedelta(days=1)))[1] == []
    assert await timeline(db, execution) == ["QUEUED", "SUBMITTING", "UNKNOWN"]


@pytest.mark.parametrize("word", [None, "In progress", "Completed"])
async def test_an_answer_that_was_lost_is_asked_after(db: Database, word: str | None) -> None:
    execution = await make_execution(db, (await make_user(db)).id)
    lease, _ = await claim(db)
    async with db.transaction() as tx:
        await working.note_lost(tx, execution.id, lease, "It hung up.", rules=WORK, now=NOW)
    at = NOW + timedelta(seconds=WORK.grace)
    report = None if word is None else Report(word=word, reference="7", charge=Decimal("0.0009"))
    async with db.transaction() as tx:
        look = new_id()
        (asked,) = await working.claim_looks(tx, lease_id=look, limit=9, rules=WORK, now=at)
        await working.note_report(tx, asked, look, report, rules=WORK, now=at)

    after = await one_of(db, execution)
    expected = {None: "QUEUED", "In progress": "IN_PROGRESS", "Completed": "COMPLETED"}[word]
    assert (after.state, after.key) == (expected, execution.key)
    assert (await claim(db, at=at))[1] == ([] if word else [await one_of(db, execution)])


async def test_what_was_certainly_not_taken_is_tried_again_a_few_times(db: Database) -> None:
    execution = await make_execution(db, (await make_user(db)).id)
    at, waits = NOW, []
    for _ in range(WORK.most_attempts):
        lease, (row,) = await claim(db, at=at)
        async with db.transaction() as tx:
            noted = await working.note_not_sent(tx, row, lease, "Busy.", retry_after=None, rules=WORK, now=at)
        assert noted is not None
        if noted.next_attempt_at is not None:
            waits.append((noted.next_attempt_at - at).total_seconds())
            at = noted.next_attempt_at

    assert waits == [15, 30, 60, 120, 240, 480, 960]
    after = await one_of(db, execution)
    assert (after.state, after.last_error, after.attempt_count) == ("FAILED", "Busy.", WORK.most_attempts)


async def test_whoever_lost_his_lease_notes_nothing(db: Database) -> None:
    execution = await make_execution(db, (await make_user(db)).id)
    _, (row,) = await claim(db)
    stale = new_id()
    async with db.transaction() as tx:
        asked: dict[str, Any] = {"rules": WORK, "now": NOW}
        assert await working.note_taken(tx, row.id, stale, Report(word="Done"), **asked) is None
        assert await working.note_not_sent(tx, row, stale, "x", **asked) is None
        assert await working.note_refused(tx, row.id, stale, "x", now=NOW) is None
        assert await working.note_lost(tx, row.id, stale, "x", **asked) is None

    assert await timeline(db, execution) == ["QUEUED", "SUBMITTING"]


async def test_a_provider_that_is_off_is_sent_nothing(db: Database) -> None:
    execution = await make_execution(db, (await make_user(db)).id)
    assert execution.provider_id is not None
    async with db.transaction() as tx:
        await providers.enable_provider(tx, execution.provider_id, is_enabled=False)
    assert (await claim(db))[1] == []
    with pytest.raises(Conflict, match="The provider is switched off"):
        await make_execution(db, execution.owner_id)

    async with db.transaction() as tx:
        await providers.enable_provider(tx, execution.provider_id, is_enabled=True)
    assert len((await claim(db))[1]) == 1


# How they go on


async def test_a_report_changes_what_it_says_and_a_strange_word_changes_nothing_else(db: Database) -> None:
    execution, _ = await taken(db, reference="7")
    for word, state, remaining in (("In Progress", "IN_PROGRESS", 1), ("Frobnicated", "IN_PROGRESS", 1),
                                   ("Partial", "PARTIAL", 1)):  # fmt: skip
        at = LATER + timedelta(days=1)
        async with db.transaction() as tx:
            look = new_id()
            await tx.execute(update(Execution).values(next_status_at=NOW))
            (asked,) = await working.claim_looks(tx, lease_id=look, limit=9, rules=WORK, now=at)
            report = Report(word=word, charge=Decimal("0.00045"), remaining=remaining)
            await working.note_report(tx, asked, look, report, rules=WORK, now=at)
        after = await one_of(db, execution)
        assert (after.state, after.provider_word, after.reference) == (state, word, "7")

    assert (after.charge, after.remaining, after.finished_at) == (Decimal("0.00045"), 1, at)


async def test_a_report_that_says_nothing_new_is_no_change(db: Database) -> None:
    execution, _ = await taken(db)
    with db.bus.listen(execution.id, of=ExecutionChanged) as heard:
        async with db.transaction() as tx:
            look = new_id()
            (asked,) = await working.claim_looks(tx, lease_id=look, limit=9, rules=WORK, now=LATER)
            await working.note_report(tx, asked, look, Report(word="Pending"), rules=WORK, now=LATER)
        assert heard.take() == []

    after = await one_of(db, execution)
    assert (after.revision, after.lease_id) == (execution.revision, None)
    assert after.next_status_at is not None
    assert after.next_status_at > LATER


async def test_looks_come_the_later_the_older_and_cease_after_a_month(db: Database) -> None:
    execution, _ = await taken(db)
    waits = []
    for age in (timedelta(seconds=10), timedelta(hours=1), timedelta(days=29), timedelta(days=31)):
        at = NOW + age
        async with db.transaction() as tx:
            look = new_id()
            (asked,) = await working.claim_looks(tx, lease_id=look, limit=9, rules=WORK, now=at)
            await working.note_no_report(tx, asked, look, "Away.", rules=WORK, now=at)
        next_at = (await one_of(db, execution)).next_status_at
        waits.append(None if next_at is None else (next_at - at).total_seconds())

    assert waits == [10, 900, 3600, None]


@pytest.mark.parametrize(
    ("word", "state"),
    [
        ("in progress", "IN_PROGRESS"),
        ("In_Progress", "IN_PROGRESS"),
        ("CANCELLED", "CANCELED"),
        ("Completed", "COMPLETED"),
        ("Partial", "PARTIAL"),
        ("", "UNKNOWN"),
        ("weird", "UNKNOWN"),
    ],
)
def test_the_words_of_providers_are_known(word: str, state: str) -> None:
    assert state_of(word) == state


async def test_a_provider_may_say_by_himself_and_only_of_his_own_what_is_not_over(db: Database) -> None:
    execution, _ = await taken(db)
    assert execution.provider_id is not None
    asked: dict[str, Any] = {"rules": WORK, "now": LATER}
    async with db.transaction() as tx:
        done = Report(word="Completed", charge=Decimal("0.5"))
        assert await working.take_callback(tx, new_id(), execution.key, done, **asked) is None
        assert await working.take_callback(tx, execution.provider_id, new_id(), done, **asked) is None
        noted = await working.take_callback(tx, execution.provider_id, execution.key, done, **asked)
        assert await working.take_callback(
            tx, execution.provider_id, execution.key, Report(word="Failed"), **asked
        ) is None  # fmt: skip

    assert noted is not None
    assert (noted.state, noted.charge) == (ExecutionState.COMPLETED, Decimal("0.5"))


# What their owner may do


async def test_what_was_not_sent_is_canceled_at_once(db: Database) -> None:
    execution = await make_execution(db, (await make_user(db)).id)
    async with db.transaction() as tx:
        await executions.cancel_execution(tx, execution.id, viewer=None, now=LATER)

    assert await timeline(db, execution) == ["QUEUED", "CANCELED"]
    assert (await claim(db, at=LATER))[1] == []


async def test_of_cancelling_and_sending_at_once_one_comes_first(db: Database) -> None:
    user = await make_user(db)
    for _ in range(5):
        execution = await make_execution(db, user.id)

        async def cancel(execution_id: UUID = execution.id) -> bool:
            try:
                async with db.transaction() as tx:
                    await executions.cancel_execution(tx, execution_id, viewer=None, now=NOW)
            except Conflict:
                return False
            return True

        (_, sent), was_canceled = await asyncio.gather(claim(db), cancel())

        assert (len(sent) == 1) != was_canceled


async def test_what_was_taken_is_canceled_by_the_provider_where_he_can(db: Database) -> None:
    user, services = await make_user(db), await sandbox(db)
    cards = await make_execution(db, user.id, services["cards"])
    stickers = await make_execution(db, user.id, services["stickers"])
    lease, rows = await claim(db)
    async with db.transaction() as tx:
        for row in rows:
            with pytest.raises(Conflict, match="The execution is SUBMITTING"):
                await executions.cancel_execution(tx, row.id, viewer=None, now=NOW)
            await working.note_taken(tx, row.id, lease, Report(word="Pending"), rules=WORK, now=NOW)
        wanted = await executions.cancel_execution(tx, cards.id, viewer=None, now=LATER)
        with pytest.raises(Conflict, match="cannot cancel what it has taken"):
            await executions.cancel_execution(tx, stickers.id, viewer=None, now=LATER)

    assert (wanted.state, wanted.is_cancel_wanted, wanted.next_status_at) == (ExecutionState.SUBMITTED, True, LATER)


async def test_what_failed_is_sent_again_under_another_key(db: Database) -> None:
    execution = await make_execution(db, (await make_user(db)).id)
    lease, _ = await claim(db)
    async with db.transaction() as tx:
        await working.note_refused(tx, execution.id, lease, "No.", now=NOW)
        again = await executions.retry_execution(tx, execution.id, viewer=None, now=LATER)
        with pytest.raises(Conflict, match="The execution is QUEUED: there is nothing to retry"):
            await executions.retry_execution(tx, execution.id, viewer=None, now=LATER)

    assert again.key != execution.key
    assert await timeline(db, execution) == ["QUEUED", "SUBMITTING", "FAILED", "QUEUED"]
    assert len((await claim(db, at=LATER))[1]) == 1


async def test_what_may_have_been_carried_out_is_sent_again_only_when_somebody_says_so(db: Database) -> None:
    execution = await make_execution(db, (await make_user(db)).id)
    lease, _ = await claim(db)
    async with db.transaction() as tx:
        await working.note_lost(tx, execution.id, lease, "It hung up.", rules=WORK, now=NOW)
        with pytest.raises(Conflict, match="it may have been carried out"):
            await executions.retry_execution(tx, execution.id, viewer=None, now=LATER)
        await executions.retry_execution(tx, execution.id, viewer=None, may_repeat=True, now=LATER)

    assert len((await claim(db, at=LATER))[1]) == 1


@pytest.mark.parametrize(("was_done", "state"), [(True, "COMPLETED"), (False, "FAILED")])
async def test_what_became_of_it_may_be_said_by_hand(db: Database, was_done: bool, state: str) -> None:  # noqa: FBT001 -- a case
    execution = await make_execution(db, (await make_user(db)).id)
    asked: dict[str, Any] = {"was_carried_out": was_done, "viewer": None, "now": LATER}
    lease, _ = await claim(db)
    async with db.transaction() as tx:
        with pytest.raises(Conflict, match="what became of it is known"):
            await executions.resolve_execution(tx, execution.id, **asked)
        await working.note_lost(tx, execution.id, lease, "It hung up.", rules=WORK, now=NOW)
        said = await executions.resolve_execution(tx, execution.id, **asked)

    assert (said.state, said.charge) == (state, execution.estimate if was_done else None)


async def test_a_guard_is_asked_again_when_somebody_retries(db: Database) -> None:
    account = await make_account(db, daily_limit=1)
    action = await make_action(db, account)
    feed = await make_feed(db, account)
    await poll(db, feed, found())
    await poll(db, feed, found(entry("2"), entry("1")), at=LATER)
    (held,) = [one for one in await all_executions(db) if one.skip_reason]
    assert held.skip_reason is ExecutionSkipReason.DAILY_LIMIT

    async with db.transaction() as tx:
        with pytest.raises(Conflict, match="No more may be carried out today"):
            await executions.retry_execution(tx, held.id, viewer=None, now=LATER)
        await operations.update_account(tx, account.id, {"daily_limit": 2}, viewer=None, now=LATER)
        again = await executions.retry_execution(tx, held.id, viewer=None, now=LATER)
    assert (again.state, again.skip_reason, again.action_id) == (ExecutionState.QUEUED, None, action.id)


async def test_somebody_elses_execution_is_not_there(db: Database) -> None:
    execution = await make_execution(db, (await make_user(db)).id)
    asked: dict[str, Any] = {"viewer": viewer_of(await make_user(db, role=Role.OPERATOR)), "now": NOW}
    async with db.transaction() as tx:
        for refused in (
            executions.cancel_execution(tx, execution.id, **asked),
            executions.retry_execution(tx, execution.id, **asked),
            executions.resolve_execution(tx, execution.id, was_carried_out=True, **asked),
        ):
            with pytest.raises(NotFound):
                await refused


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"quantity": 9}, "Printed cards comes in quantities of 10 to 100,000."),
        ({"parameters": {"color": "red"}}, "This service takes no parameter 'color'. It takes: outcome."),
        (
            {"parameters": {"outcome": "x"}},
            f"outcome is one of {', '.join(OUTCOMES)}.",
        ),
        ({"target_url": "nowhere"}, "An address looks like https://example.org/feed.xml; this one does not."),
    ],
)
async def test_what_a_service_does_not_take_is_refused(db: Database, given: dict[str, Any], said: str) -> None:
    user, cards = await make_user(db), (await sandbox(db))["cards"]
    with pytest.raises(Invalid) as refusal:
        await make_execution(db, user.id, cards, **given)

    assert (refusal.value.message, refusal.value.field) == (said, next(iter(given)))


async def test_a_rollback_keeps_an_execution_silent(db: Database) -> None:
    account, services = await make_account(db), await sandbox(db)
    with db.bus.listen(account.id, of=ExecutionChanged) as heard:
        with pytest.raises(LookupError):  # noqa: PT012 -- it ends a transaction
            async with db.transaction() as tx:
                await executions.create_execution(
                    tx,
                    owner_id=account.owner_id,
                    service_id=services["test"].id,
                    target_url="https://example.org/",
                    quantity=1,
                    parameters={},
                    account_id=account.id,
                    viewer=None,
                    now=NOW,
                )
                raise LookupError
        assert heard.take() == []
        await make_execution(db, account.owner_id, services["test"], account_id=account.id)
        assert [event.execution.state for event in heard.take()] == ["QUEUED"]
    assert len(await all_executions(db)) == 1
