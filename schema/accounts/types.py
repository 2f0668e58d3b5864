"""The types of accounts: feeds with polls and posts, actions with triggers, providers, executions."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import strawberry

from db.access.queries import user_by_id
from db.accounts import queries
from schema.access.types import User
from schema.accounts.arguments import (
    AccountFilter,
    ExecutionFilter,
    FeedFilter,
    PollFilter,
    PollOrder,
    PostFilter,
    ScreenshotFilter,
)
from schema.accounts.vocabulary import (
    AccountState,
    ConditionMetric,
    ExecutionCause,
    ExecutionSkipReason,
    ExecutionState,
    FeedFault,
    FeedKind,
    FeedState,
    ParameterKind,
    PollState,
    PostOutcome,
    ProviderKind,
    ScreenshotMoment,
    ScreenshotState,
    ServiceKind,
    TriggerKind,
)
from schema.connections import Connection, write_cursor
from schema.fields import Node, column, computed, connection, node, to_many, to_one, value
from schema.ids import encode_id
from schema.matches.arguments import NameOrder, NewestOrder
from schema.practice.arguments import OldestOrder


@strawberry.type(description="How an account is doing, by its feeds.")
class AccountHealth:
    """How an account is doing, by its feeds."""

    state: AccountState = column("How it is doing.")
    feed_count: int = column("How many feeds it has.")
    failing_feed_count: int = column("How many of them cannot be read.")
    polled_at: datetime | None = column("When one of them was last read. Null if none ever was.")
    post_seen_at: datetime | None = column("When a new post was last found. Null if none ever was.", "post_at")


@node("account", queries.account_by_id)
class Account(Node):
    """Somebody's presence on a platform."""

    platform: str = column("The platform, in lower case, such as `youtube`.")
    username: str = column("The name it has there.")
    display_name: str = column("What it is called here. Empty: nothing else than there.")
    url: str = column("Where it is. Empty if that was not said.")
    is_enabled: bool = column("Whether its feeds are read and its actions run by themselves.")
    daily_limit: int | None = column("How many executions may be queued for it in a day, by UTC. Null: any number.")
    daily_spend_limit: Decimal | None = column("What those may cost in a day, by UTC. Null: anything.")
    revision: int = column("Raised by one at every change of it: the higher is the newer.")
    created_at: datetime = column("When it was added.")
    changed_at: datetime = column("When it last changed.")
    owner: User = to_one("Whose it is.", user_by_id, key="owner_id")
    health: AccountHealth | None = to_one(
        "How it is doing, looked up now. Null if it was removed while this was answered.",
        queries.health_by_account,
        key="id",
    )
    tags: list[Tag] = to_many("The tags it bears, by name: 20 at most.", queries.tags_by_account)
    feeds: Connection[Feed] = connection(
        "Its feeds, newest first: 20 at most.", queries.feeds_by_account, order=NewestOrder, filter=FeedFilter
    )
    polls: Connection[Poll] = connection("When its feeds were read.", queries.polls_by_account, order=PollOrder)
    posts: Connection[Post] = connection(
        "The posts that were found after its feeds were first read.",
        queries.new_posts_by_account,
        order=PollOrder,
        filter=PostFilter,
    )
    actions: Connection[Action] = connection(
        "What is carried out for it, newest first: 100 at most.", queries.actions_by_account, order=NewestOrder
    )
    executions: Connection[Execution] = connection(
        "What was carried out for it, newest first.",
        queries.executions_by_account,
        order=NewestOrder,
        filter=ExecutionFilter,
    )
    screenshots: Connection[Screenshot] = connection(
        "Pictures of it, of its posts and of what was carried out for it, newest first.",
        queries.screenshots_by_account,
        order=NewestOrder,
        filter=ScreenshotFilter,
    )


@node("tag", queries.tag_by_id)
class Tag(Node):
    """A word to find accounts by."""

    name: str = column("The word. No two tags of an owner are alike.")
    color: str = column("The colour it is shown in, such as `#6B7280`.")
    created_at: datetime = column("When it was made.")
    owner: User = to_one("Whose it is.", user_by_id, key="owner_id")
    accounts: Connection[Account] = connection(
        "The accounts that bear it, newest first.", queries.accounts_by_tag, order=NewestOrder, filter=AccountFilter
    )


@node("feed", queries.feed_by_id)
class Feed(Node):
    """A document that is read again and again, for what is new in it: RSS, Atom, or JSON Feed."""

    kind: FeedKind = column("What it is about.")
    keyword: str = column("What a title must contain, in whatever case. Empty: titles do not matter.")
    url: str = column("Its address, as it was given.")
    effective_url: str = column(
        "Where it is asked for: what lasting redirects, or the page at its address, have led to."
    )
    title: str = column("What it is called. Empty before it was read, unless somebody named it.")
    is_enabled: bool = column("Whether it is switched on.")
    state: FeedState = column("How it is doing.")
    interval_seconds: int = column("How often it is read at present: the more news, the more often.")
    next_check_at: datetime | None = column("When it is due. Null: it is not read.")
    error_count: int = column("How often in a row it could not be read.")
    last_fault: FeedFault | None = column("Why it could not be read the last time. Null if it could.")
    last_error: str = column("What is wrong, in words, also where it could be read all the same. Empty if nothing is.")
    last_status: int | None = column("The HTTP status of the last answer. Null before the first, and where none came.")
    last_checked_at: datetime | None = column("When it was last read, or tried. Null before the first time.")
    last_changed_at: datetime | None = column("When there was last something new. Null before the first time.")
    baseline_at: datetime | None = column(
        "When it was first read with success: what stood in it then triggers nothing. Null before."
    )
    gone_at: datetime | None = column("When its server said that it is gone for good. Null if it did not.")
    post_count: int = column("How many posts were ever found in it.")
    poll_count: int = column("How often it was ever read, or tried.")
    revision: int = column("Raised by one at every change of it: the higher is the newer.")
    created_at: datetime = column("When it was added.")
    changed_at: datetime = column("When it last changed.")
    owner: User = to_one("Whose it is.", user_by_id, key="owner_id")
    account: Account | None = to_one(
        "The account it is for. Null: for none, and it triggers nothing.", queries.account_by_id, key="account_id"
    )
    polls: Connection[Poll] = connection("When it was read.", queries.polls_by_feed, order=PollOrder, filter=PollFilter)
    posts: Connection[Post] = connection(
        "What was found in it, newest first.", queries.posts_by_feed, order=NewestOrder, filter=PostFilter
    )


@node("poll", queries.poll_by_id)
class Poll(Node):
    """One reading of a feed. Polls are never changed."""

    state: PollState = column("What came of it.")
    started_at: datetime = column("When it began.")
    duration_ms: int = column("How long it took, in milliseconds.")
    http_status: int | None = column("The HTTP status of the answer. Null if none came.")
    found_count: int = column("How many entries the feed had.")
    new_count: int = column("How many of them were not known.")
    triggered_count: int = column("How many posts made actions run.")
    fault: FeedFault | None = column("Why it could not be read. Null if it could.")
    error: str = column("What was wrong, in words. Empty if nothing was.")
    cursor: str = computed(
        "Its place in the feed of its account: give it to `feedPolled(after:)` to go on from here.",
        ("number", "id"),
        lambda number, id: write_cursor((number, id)),
    )
    feed: Feed = to_one("The feed.", queries.feed_by_id, key="feed_id")


@node("post", queries.post_by_id)
class Post(Node):
    """An entry that was found in a feed."""

    url: str = column("Where it is. Empty if the feed does not say.")
    title: str = column("Its title, cut to 500 characters. Empty if it has none.")
    published_at: datetime | None = column("When it was published. Null if the feed does not say.")
    seen_at: datetime = column("When it was found.")
    outcome: PostOutcome = column("What was done about it.")
    cursor: str = computed(
        "Its place in the feed of its account: give it to `postSeen(after:)` to go on from here.",
        ("number", "id"),
        lambda number, id: write_cursor((number, id)),
    )
    feed: Feed = to_one("Where it was found.", queries.feed_by_id, key="feed_id")
    executions: Connection[Execution] = connection(
        "What it made run.", queries.executions_by_post, order=NewestOrder, filter=ExecutionFilter
    )


@value
class ServiceParameter:
    """Something that a service may be told."""

    name: str = strawberry.field(description="What it is called.")
    kind: ParameterKind = strawberry.field(description="What it is.")
    description: str = strawberry.field(description="What it means.")
    is_required: bool = strawberry.field(description="Whether the service does nothing without it.")
    choices: list[str] = strawberry.field(description="The words of a CHOICE. Empty for others.")


@value
class Parameter:
    """Something that a service is told."""

    name: str = strawberry.field(description="What it is called.")
    value: str = strawberry.field(description="What it is, as text.")


def _service_parameters(record: list[dict[str, Any]]) -> list[ServiceParameter]:
    return [
        ServiceParameter(
            name=one["name"],
            kind=ParameterKind(one["kind"]),
            description=one["description"],
            is_required=one["is_required"],
            choices=one.get("choices", []),
        )
        for one in record
    ]


def _parameters(record: dict[str, Any]) -> list[Parameter]:
    return [Parameter(name=name, value=str(given)) for name, given in sorted(record.items())]


@node("provider", queries.provider_by_id)
class Provider(Node):
    """Somebody who carries executions out."""

    kind: ProviderKind = column("What it is, and how it is told.")
    name: str = column("What it is called. No two are alike.")
    host: str = column(
        "The machine that is called. Empty if none is. The whole address may be a secret, and is not shown."
    )
    is_enabled: bool = column("Whether it is switched on. What is queued waits until it is.")
    is_asked: bool = column("Whether it can be asked how executions go.")
    daily_limit: int | None = column("How many executions it may be sent in a day, by UTC. Null: any number.")
    daily_spend_limit: Decimal | None = column("What those may cost in a day, by UTC. Null: anything.")
    last_error: str = column("What last went wrong with it. Empty if nothing ever did.")
    last_error_at: datetime | None = column("When that was. Null if nothing ever did.")
    created_at: datetime = column("When it was added.")
    services: Connection[Service] = connection("What it does, by name.", queries.services_by_provider, order=NameOrder)


@node("service", queries.service_by_id)
class Service(Node):
    """Something that a provider does."""

    key: str = column("What the provider calls it.")
    kind: ServiceKind = column("What it does.")
    name: str = column("What it is called.")
    category: str = column("What it is of. Empty if that goes without saying.")
    price_per_thousand: Decimal = column("What a thousand of it cost.")
    currency: str = column("In which currency, such as `USD`.")
    min_quantity: int = column("The least that can be asked for.")
    max_quantity: int = column("The most that can be asked for.")
    parameters: list[ServiceParameter] = computed(
        "What it may be told, beside target and quantity.", ("parameters",), _service_parameters
    )
    can_be_canceled: bool = column("Whether it can be canceled after the provider took it.")
    removed_at: datetime | None = column("When the provider ceased to offer it. Null while it is offered.")
    provider: Provider = to_one("Who does it.", queries.provider_by_id, key="provider_id")


@node("action", queries.action_by_id)
class Action(Node):
    """What is carried out for an account, again and again."""

    name: str = column("What it is called.")
    kind: ServiceKind = column("What it does.")
    quantity: int = column("How much of it, each time.")
    parameters: list[Parameter] = computed("What the service is told beside that.", ("parameters",), _parameters)
    is_active: bool = column("Whether it runs by itself. By hand it runs all the same.")
    is_for_posts: bool = column("Whether each new post makes it run.")
    is_dry_run: bool = column("Whether it only tries out what it would do: nothing is sent.")
    has_screenshots: bool = column(
        "Whether pictures are taken before and after. The one before is waited for, two minutes at most."
    )
    daily_limit: int | None = column("How often it may run in a day, by UTC. Null: any number.")
    revision: int = column("Raised by one at every change of it: the higher is the newer.")
    created_at: datetime = column("When it was made.")
    changed_at: datetime = column("When it last changed.")
    owner: User = to_one("Whose it is.", user_by_id, key="owner_id")
    account: Account = to_one("The account it is for.", queries.account_by_id, key="account_id")
    service: Service = to_one("What it runs.", queries.service_by_id, key="service_id")
    triggers: list[Trigger] = to_many(
        "What makes it run, beside posts: 20 at most, the oldest first.", queries.triggers_by_action
    )
    executions: Connection[Execution] = connection(
        "What it carried out, newest first.", queries.executions_by_action, order=NewestOrder, filter=ExecutionFilter
    )


@node("trigger", queries.trigger_by_id)
class Trigger(Node):
    """What makes an action run, beside posts."""

    kind: TriggerKind = column("What it is.")
    is_active: bool = column("Whether it is switched on.")
    cron: str = column("The minutes, hours, days, months and weekdays of a schedule. Empty for others.")
    time_zone: str = column("By whose clocks a schedule goes.")
    metric: ConditionMetric | None = column("What a condition looks at. Null for others.")
    threshold: int | None = column("From where on a condition holds. Null for others.")
    is_met: bool = column("Whether a condition held when it was last looked at.")
    next_at: datetime | None = column("When it is looked at next. Null: the clock does not decide that.")
    last_executed_at: datetime | None = column("When it last made its action run. Null if it never did.")
    execution_count: int = column("How often it did.")
    created_at: datetime = column("When it was made.")
    action: Action = to_one("The action.", queries.action_by_id, key="action_id")


@strawberry.type(description="An entry of an execution's timeline. Entries are never changed.")
class ExecutionEvent:
    """An entry of an execution's timeline."""

    revision: int = column("The execution's revision that it led to.")
    state: ExecutionState = column("Where the execution stood then.")
    note: str = column("What happened, in words.")
    happened_at: datetime = column("When it happened.")


@node("execution", queries.execution_by_id)
class Execution(Node):
    """Something that is carried out once."""

    cause: ExecutionCause = column("Why.")
    state: ExecutionState = column("Where it stands.")
    skip_reason: ExecutionSkipReason | None = column("Which guard held it back. Null if none did.")
    platform: str = column("The platform of the account it is for. Empty if it is for none.")
    provider_name: str = column("Who was to do it, as that was called when it was queued.")
    service_name: str = column("What was to be done, as that was called when it was queued.")
    target_url: str = column("The address it is about. Empty if there was none.")
    quantity: int = column("How much of it.")
    parameters: list[Parameter] = computed(
        "What the service is told beside that, places filled in.", ("parameters",), _parameters
    )
    estimate: Decimal | None = column("What it was to cost, to the digit. Null if that was not known.")
    charge: Decimal | None = column("What the provider charged. Null if he did not say yet.")
    currency: str = column("The currency of both, such as `USD`.")
    reference: str | None = column("What the provider calls it. Null if he did not say yet.")
    provider_word: str = column("The provider's own word for how it stands. Empty if he said none.")
    start_count: int | None = column("What was counted at its target before. Null if the provider does not say.")
    remaining: int | None = column("How much of the quantity is missing. Null if the provider does not say.")
    last_answer: str = column("All that the provider last said, cut to 4,000 characters. Empty if nothing.")
    last_error: str = column("What last went wrong. Empty if nothing did.")
    attempt_count: int = column("How often it was sent, or tried to be, since it was queued.")
    next_attempt_at: datetime | None = column("When it is to be sent. Null: it is not waiting for that.")
    next_status_at: datetime | None = column("When the provider is asked about it. Null: it is not.")
    queued_at: datetime = column("When it was queued.")
    submitted_at: datetime | None = column("When the provider took it. Null if that is not known.")
    finished_at: datetime | None = column("When it ended. Null until then.")
    revision: int = column("Raised by one at every change of it: the higher is the newer.")
    changed_at: datetime = column("When it last changed.")
    owner: User = to_one("Whose it is.", user_by_id, key="owner_id")
    account: Account | None = to_one(
        "The account it is for. Null: for none, or that was removed.", queries.account_by_id, key="account_id"
    )
    action: Action | None = to_one(
        "The action that it is a run of. Null: of none, or that was removed.", queries.action_by_id, key="action_id"
    )
    post: Post | None = to_one(
        "The post that it is about. Null: about none, or that was removed.", queries.post_by_id, key="post_id"
    )
    trigger: Trigger | None = to_one(
        "The trigger that made it. Null: none did, or that was removed.", queries.trigger_by_id, key="trigger_id"
    )
    provider: Provider | None = to_one(
        "Who does it. Null: that was removed, or it was taken in from elsewhere.",
        queries.provider_by_id,
        key="provider_id",
    )
    service: Service | None = to_one(
        "What is done. Null: that was removed, or it was taken in from elsewhere.",
        queries.service_by_id,
        key="service_id",
    )
    timeline: Connection[ExecutionEvent] = connection(
        "All that happened to it, in order.", queries.timeline_by_execution, order=OldestOrder
    )
    screenshots: list[Screenshot] = to_many(
        "Pictures of its target: none, or one before and one after.", queries.screenshots_by_execution
    )


def _picture_path(id: UUID, state: ScreenshotState) -> str | None:
    return f"/screenshots/{encode_id('screenshot', id)}" if state == ScreenshotState.COMPLETED else None


@node("screenshot", queries.screenshot_by_id)
class Screenshot(Node):
    """A picture of an address as a browser without log-ins shows it."""

    moment: ScreenshotMoment = column("When it is taken.")
    state: ScreenshotState = column("Where it stands.")
    url: str = column("What it shows.")
    path: str | None = computed(
        "Where this server has its file, for whoever may see it and sends his token. Null until it was taken.",
        ("id", "state"),
        _picture_path,
    )
    width: int | None = column("How wide it is, in pixels. Null until it was taken.")
    height: int | None = column("How high it is, in pixels. Null until it was taken.")
    byte_count: int | None = column("How large its file is. Null until it was taken.")
    duration_ms: int | None = column("How long it took to take, in milliseconds. Null until it was taken.")
    sha256: str = column("The hash of its file, which is also the file's name. Empty until it was taken.")
    error: str = column("Why it could not be taken, the last time. Empty if nothing went wrong.")
    retry_count: int = column("How often it was tried again.")
    next_attempt_at: datetime | None = column("When it is to be taken. Null: it waits for its execution, or is over.")
    captured_at: datetime | None = column("When it was taken. Null until then.")
    revision: int = column("Raised by one at every change of it: the higher is the newer.")
    created_at: datetime = column("When it was asked for.")
    owner: User | None = to_one(
        "Whose it is. Null: the version of this server before did not say.", user_by_id, key="owner_id"
    )
    account: Account | None = to_one(
        "The account it is about. Null: about none, or that was removed.", queries.account_by_id, key="account_id"
    )
    post: Post | None = to_one(
        "The post it is about. Null: about none, or that was removed.", queries.post_by_id, key="post_id"
    )
    execution: Execution | None = to_one(
        "The execution it belongs to. Null: to none, somebody asked for it.",
        queries.execution_by_id,
        key="execution_id",
    )
