"""What happened to accounts."""

from dataclasses import dataclass
from uuid import UUID

from db.accounts.tables import Execution, Feed, Poll, Post, Screenshot
from db.bus import Event

# Whoever reads all feeds watches this, whoever carries all executions out this, and whoever takes all pictures this.
ALL_FEEDS = UUID(int=0x4645_4544_53)
ALL_EXECUTIONS = UUID(int=0x4558_4543_53)
ALL_SCREENSHOTS = UUID(int=0x5348_4F54_53)


@dataclass(frozen=True, kw_only=True)
class FeedDue(Event):
    """A feed may be due now that was not before: it was added, changed, or somebody asked."""

    feed_id: UUID

    @property
    def topics(self) -> tuple[UUID, ...]:
        """All feeds."""
        return (ALL_FEEDS,)


@dataclass(frozen=True, kw_only=True)
class FeedPolled(Event):
    """A feed was read, with success or without."""

    feed: Feed
    poll: Poll

    @property
    def topics(self) -> tuple[UUID, ...]:
        """The feed, and the account it is for."""
        return (self.feed.id,) if self.feed.account_id is None else (self.feed.id, self.feed.account_id)


@dataclass(frozen=True, kw_only=True)
class PostsSeen(Event):
    """New posts were found for an account, in the order of their numbers."""

    account_id: UUID
    posts: tuple[Post, ...]

    @property
    def topics(self) -> tuple[UUID, ...]:
        """The account."""
        return (self.account_id,)


@dataclass(frozen=True, kw_only=True)
class ExecutionChanged(Event):
    """An execution was queued, or changed."""

    execution: Execution

    @property
    def topics(self) -> tuple[UUID, ...]:
        """The execution, and the account it is for."""
        account_id = self.execution.account_id
        return (self.execution.id,) if account_id is None else (self.execution.id, account_id)


@dataclass(frozen=True, kw_only=True)
class ExecutionsWaiting(Event):
    """There is something to be carried out, or to be asked about, now."""

    @property
    def topics(self) -> tuple[UUID, ...]:
        """All executions."""
        return (ALL_EXECUTIONS,)


@dataclass(frozen=True, kw_only=True)
class ScreenshotChanged(Event):
    """A picture was asked for, or stands elsewhere than before."""

    screenshot: Screenshot

    @property
    def topics(self) -> tuple[UUID, ...]:
        """The picture."""
        return (self.screenshot.id,)


@dataclass(frozen=True, kw_only=True)
class ScreenshotsWaiting(Event):
    """There is a picture to be taken now."""

    @property
    def topics(self) -> tuple[UUID, ...]:
        """All pictures."""
        return (ALL_SCREENSHOTS,)
