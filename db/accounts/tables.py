"""What is stored of accounts: feeds with their polls and posts, actions and triggers, providers, and executions."""

from decimal import Decimal
from typing import Any

from sqlalchemy import BigInteger, Index, LargeBinary, UniqueConstraint, text

from db.accounts.money import MoneyType
from db.accounts.vocabulary import (
    ConditionMetric,
    ExecutionCause,
    ExecutionSkipReason,
    ExecutionState,
    FeedFault,
    FeedKind,
    FeedState,
    PollState,
    PostOutcome,
    ProviderKind,
    ScreenshotMoment,
    ScreenshotState,
    ServiceKind,
    TriggerKind,
)
from db.base import IS_SECRET, UUID, Base, Field, JSONColumn, Stored, datetime, enum_type


def _some_of(*columns: str, where: str) -> Index:
    """Return an index of the rows that fit a condition."""
    return Index(None, *columns, sqlite_where=text(where), postgresql_where=text(where))


class Account(Stored, table=True):
    """Somebody's presence on a platform."""

    __tablename__ = "accounts"
    __table_args__ = (
        UniqueConstraint("owner_id", "platform", "username"),
        Index(None, "owner_id", "created_at", "id"),
    )

    owner_id: UUID = Field(foreign_key="users.id", ondelete="CASCADE")
    platform: str
    username: str
    display_name: str = ""
    url: str = ""
    is_enabled: bool = True
    # What may be queued for it in one day, by UTC; `None` is without limit.
    daily_limit: int | None = None
    daily_spend_limit: Decimal | None = Field(default=None, sa_type=MoneyType)
    # Numbers given to its polls and posts: whoever raises one is alone with the account until he commits.
    poll_count: int = Field(default=0, sa_type=BigInteger)
    post_count: int = Field(default=0, sa_type=BigInteger)
    revision: int = 0
    created_at: datetime
    changed_at: datetime


class Tag(Stored, table=True):
    """A word of its owner's to find accounts by."""

    __tablename__ = "tags"
    __table_args__ = (UniqueConstraint("owner_id", "name"),)

    owner_id: UUID = Field(foreign_key="users.id", ondelete="CASCADE")
    name: str
    color: str
    created_at: datetime


class AccountTag(Base, table=True):
    """An account that bears a tag."""

    __tablename__ = "account_tags"

    account_id: UUID = Field(foreign_key="accounts.id", ondelete="CASCADE", primary_key=True)
    tag_id: UUID = Field(foreign_key="tags.id", ondelete="CASCADE", primary_key=True, index=True)


class Feed(Stored, table=True):
    """A document that is read again and again, for what is new in it."""

    __tablename__ = "feeds"
    __table_args__ = (
        Index(None, "owner_id", "created_at", "id"),
        Index(None, "account_id", "created_at", "id"),
        _some_of("next_check_at", where="next_check_at IS NOT NULL"),
    )

    owner_id: UUID = Field(foreign_key="users.id", ondelete="CASCADE")
    account_id: UUID | None = Field(default=None, foreign_key="accounts.id", ondelete="CASCADE")
    kind: FeedKind = Field(sa_type=enum_type(FeedKind))
    # Titles without it are not for this feed; "" takes all.
    keyword: str = ""
    url: str
    # Where it is asked for: what lasting redirects and the page of the first address led to.
    effective_url: str
    title: str = ""
    is_enabled: bool = True
    state: FeedState = Field(sa_type=enum_type(FeedState))
    # Sent back as they were received.
    etag: str = ""
    last_modified: str = ""
    body_sha256: str = ""
    interval_seconds: int
    # When it is due; `None` is never.
    next_check_at: datetime | None = None
    lease_id: UUID | None = None
    lease_until: datetime | None = None
    error_count: int = 0
    last_fault: FeedFault | None = Field(default=None, sa_type=enum_type(FeedFault))
    last_error: str = ""
    last_status: int | None = None
    last_checked_at: datetime | None = None
    last_changed_at: datetime | None = None
    baseline_at: datetime | None = None
    gone_at: datetime | None = None
    # Where a chain of lasting redirects led to, and how often in a row.
    redirect_url: str = ""
    redirect_count: int = 0
    poll_count: int = Field(default=0, sa_type=BigInteger)
    post_count: int = Field(default=0, sa_type=BigInteger)
    revision: int = 0
    created_at: datetime
    changed_at: datetime


class Poll(Stored, table=True):
    """One reading of a feed."""

    __tablename__ = "polls"
    __table_args__ = (
        Index(None, "account_id", "number", "id"),
        Index(None, "feed_id", "number", "id"),
        Index(None, "started_at"),
    )

    feed_id: UUID = Field(foreign_key="feeds.id", ondelete="CASCADE")
    account_id: UUID | None = Field(default=None, foreign_key="accounts.id", ondelete="CASCADE")
    # Of the account's polls; of the feed's where there is no account.
    number: int = Field(sa_type=BigInteger)
    state: PollState = Field(sa_type=enum_type(PollState))
    started_at: datetime
    duration_ms: int
    http_status: int | None = None
    found_count: int = 0
    new_count: int = 0
    triggered_count: int = 0
    fault: FeedFault | None = Field(default=None, sa_type=enum_type(FeedFault))
    error: str = ""


class Post(Stored, table=True):
    """An entry that was found in a feed. It is kept for ever: what is forgotten would be new again."""

    __tablename__ = "posts"
    __table_args__ = (
        UniqueConstraint("feed_id", "entry_key"),
        Index(None, "feed_id", "seen_at", "id"),
        Index(None, "account_id", "number", "id"),
    )

    feed_id: UUID = Field(foreign_key="feeds.id", ondelete="CASCADE")
    account_id: UUID | None = Field(default=None, foreign_key="accounts.id", ondelete="CASCADE")
    # Of the account's posts; 0 for those of a baseline, which nobody is told of.
    number: int = Field(default=0, sa_type=BigInteger)
    entry_key: str
    url: str = ""
    title: str = ""
    published_at: datetime | None = None
    seen_at: datetime
    outcome: PostOutcome = Field(sa_type=enum_type(PostOutcome))


class Provider(Stored, table=True):
    """Somebody who carries executions out."""

    __tablename__ = "providers"
    __table_args__ = (UniqueConstraint("name"),)

    kind: ProviderKind = Field(sa_type=enum_type(ProviderKind))
    name: str
    # Where he is told; of some, a secret by itself. `None`: a backup has not kept it.
    url: str | None = Field(default="", sa_column_kwargs={"info": IS_SECRET})
    # The machine of it, which is none.
    host: str = ""
    # What calls to him, and of his, are signed with. It must be known to sign, so it is no hash. Shown once.
    secret: bytes | None = Field(default=None, sa_type=LargeBinary, sa_column_kwargs={"info": IS_SECRET})
    is_enabled: bool = True
    # Whether he may be asked how executions go.
    is_asked: bool = False
    currency: str = "USD"
    daily_limit: int | None = None
    daily_spend_limit: Decimal | None = Field(default=None, sa_type=MoneyType)
    last_error: str = ""
    last_error_at: datetime | None = None
    revision: int = 0
    created_at: datetime


class Service(Stored, table=True):
    """Something that a provider does."""

    __tablename__ = "services"
    __table_args__ = (UniqueConstraint("provider_id", "key"),)

    provider_id: UUID = Field(foreign_key="providers.id", ondelete="CASCADE")
    # What the provider calls it.
    key: str
    kind: ServiceKind = Field(sa_type=enum_type(ServiceKind))
    name: str
    category: str = ""
    price_per_thousand: Decimal = Field(sa_type=MoneyType)
    currency: str
    min_quantity: int
    max_quantity: int
    # What it may be told beside quantity and target: see `db.accounts.catalogue`.
    parameters: list[Any] = Field(sa_type=JSONColumn)
    can_be_canceled: bool = False
    fetched_at: datetime
    removed_at: datetime | None = None


class Action(Stored, table=True):
    """What is to be carried out for an account, again and again."""

    __tablename__ = "actions"
    __table_args__ = (Index(None, "account_id", "created_at", "id"), Index(None, "owner_id", "created_at", "id"))

    owner_id: UUID = Field(foreign_key="users.id", ondelete="CASCADE")
    account_id: UUID = Field(foreign_key="accounts.id", ondelete="CASCADE")
    service_id: UUID = Field(foreign_key="services.id", ondelete="CASCADE", index=True)
    kind: ServiceKind = Field(sa_type=enum_type(ServiceKind))
    name: str
    quantity: int
    parameters: dict[str, Any] = Field(sa_type=JSONColumn)
    is_active: bool = True
    # Whether each new post makes it run.
    is_for_posts: bool = True
    is_dry_run: bool = False
    has_screenshots: bool = False
    daily_limit: int | None = None
    revision: int = 0
    created_at: datetime
    changed_at: datetime


class Trigger(Stored, table=True):
    """What makes an action run, beside posts."""

    __tablename__ = "triggers"
    __table_args__ = (
        Index(None, "action_id", "created_at", "id"),
        _some_of("next_at", where="next_at IS NOT NULL"),
    )

    action_id: UUID = Field(foreign_key="actions.id", ondelete="CASCADE")
    kind: TriggerKind = Field(sa_type=enum_type(TriggerKind))
    is_active: bool = True
    # Of a schedule: minute, hour, day, month and weekday, by the clocks of a time zone.
    cron: str = ""
    time_zone: str = "UTC"
    # Of a condition: it holds while the metric is at least the threshold, and triggers whenever it begins to.
    metric: ConditionMetric | None = Field(default=None, sa_type=enum_type(ConditionMetric))
    threshold: int | None = None
    is_met: bool = False
    next_at: datetime | None = None
    last_executed_at: datetime | None = None
    execution_count: int = Field(default=0, sa_type=BigInteger)
    created_at: datetime


class Execution(Stored, table=True):
    """Something that is carried out once."""

    __tablename__ = "executions"
    __table_args__ = (
        UniqueConstraint("post_id", "action_id"),
        UniqueConstraint("trigger_id", "occurrence"),
        UniqueConstraint("provider_id", "reference"),
        UniqueConstraint("owner_id", "legacy_key"),
        UniqueConstraint("key"),
        Index(None, "owner_id", "queued_at", "id"),
        Index(None, "account_id", "queued_at", "id"),
        Index(None, "action_id", "queued_at", "id"),
        Index(None, "provider_id", "queued_at"),
        _some_of("next_attempt_at", where="state = 'QUEUED'"),
        _some_of("next_status_at", where="next_status_at IS NOT NULL"),
        _some_of("lease_until", where="lease_until IS NOT NULL"),
    )

    owner_id: UUID = Field(foreign_key="users.id", ondelete="CASCADE")
    account_id: UUID | None = Field(default=None, foreign_key="accounts.id", ondelete="SET NULL")
    action_id: UUID | None = Field(default=None, foreign_key="actions.id", ondelete="SET NULL")
    post_id: UUID | None = Field(default=None, foreign_key="posts.id", ondelete="SET NULL")
    trigger_id: UUID | None = Field(default=None, foreign_key="triggers.id", ondelete="SET NULL")
    # Which time of its trigger it is of.
    occurrence: str | None = None
    provider_id: UUID | None = Field(default=None, foreign_key="providers.id", ondelete="SET NULL")
    service_id: UUID | None = Field(default=None, foreign_key="services.id", ondelete="SET NULL")
    # Under which the provider knows it: told twice, it is the same. Another one is a new order.
    key: UUID
    cause: ExecutionCause = Field(sa_type=enum_type(ExecutionCause))
    # As they were called when it was queued.
    platform: str = ""
    provider_name: str
    service_key: str
    service_name: str
    target_url: str
    quantity: int
    parameters: dict[str, Any] = Field(sa_type=JSONColumn)
    estimate: Decimal | None = Field(default=None, sa_type=MoneyType)
    charge: Decimal | None = Field(default=None, sa_type=MoneyType)
    currency: str
    state: ExecutionState = Field(sa_type=enum_type(ExecutionState))
    skip_reason: ExecutionSkipReason | None = Field(default=None, sa_type=enum_type(ExecutionSkipReason))
    # What the provider calls it, and its own word for how it stands.
    reference: str | None = None
    provider_word: str = ""
    start_count: int | None = Field(default=None, sa_type=BigInteger)
    remaining: int | None = None
    last_answer: str = ""
    last_error: str = ""
    attempt_count: int = 0
    status_count: int = 0
    next_attempt_at: datetime | None = None
    next_status_at: datetime | None = None
    lease_id: UUID | None = None
    lease_until: datetime | None = None
    is_cancel_wanted: bool = False
    # Where it was imported from, and what it was there.
    legacy_key: str | None = None
    queued_at: datetime
    submitted_at: datetime | None = None
    finished_at: datetime | None = None
    revision: int = 0
    changed_at: datetime


class ExecutionEvent(Stored, table=True):
    """An entry of an execution's timeline: append-only."""

    __tablename__ = "execution_events"
    __table_args__ = (UniqueConstraint("execution_id", "revision"),)

    execution_id: UUID = Field(foreign_key="executions.id", ondelete="CASCADE")
    # The execution's revision that it led to.
    revision: int
    state: ExecutionState = Field(sa_type=enum_type(ExecutionState))
    note: str = ""
    happened_at: datetime


class Screenshot(Stored, table=True):
    """A picture of an address: before or after an execution, or when somebody asked. Its file is called by its hash."""

    __tablename__ = "screenshots"
    __table_args__ = (
        UniqueConstraint("execution_id", "moment"),
        Index(None, "owner_id", "created_at", "id"),
        Index(None, "account_id", "created_at", "id"),
        Index(None, "created_at"),
        _some_of("next_attempt_at", where="next_attempt_at IS NOT NULL"),
        _some_of("sha256", where="sha256 <> ''"),
    )

    # `None` where the version before has asked for it.
    owner_id: UUID | None = Field(default=None, foreign_key="users.id", ondelete="CASCADE")
    execution_id: UUID | None = Field(default=None, foreign_key="executions.id", ondelete="CASCADE")
    account_id: UUID | None = Field(default=None, foreign_key="accounts.id", ondelete="SET NULL")
    post_id: UUID | None = Field(default=None, foreign_key="posts.id", ondelete="SET NULL", index=True)
    moment: ScreenshotMoment = Field(sa_type=enum_type(ScreenshotMoment))
    url: str
    state: ScreenshotState = Field(sa_type=enum_type(ScreenshotState))
    width: int | None = None
    height: int | None = None
    byte_count: int | None = None
    duration_ms: int | None = None
    sha256: str = ""
    error: str = ""
    retry_count: int = 0
    # When it is to be taken; `None` is never, or not yet.
    next_attempt_at: datetime | None = None
    lease_id: UUID | None = None
    lease_until: datetime | None = None
    captured_at: datetime | None = None
    revision: int = 0
    created_at: datetime


class SandboxOrder(Base, table=True):
    """What the sandbox was told. It stands for another company's books: no execution points at it."""

    __tablename__ = "sandbox_orders"

    key: UUID = Field(primary_key=True)
    reference: str = Field(unique=True)
    service_key: str
    target_url: str
    quantity: int
    charge: Decimal = Field(sa_type=MoneyType)
    outcome: str
    # How often it was told: once, if all goes well.
    call_count: int = 1
    submitted_at: datetime
    canceled_at: datetime | None = None
