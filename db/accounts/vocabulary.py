"""The words of accounts: each enum's value is its name, in the database, in JSON and in the graph."""

from enum import StrEnum


class FeedKind(StrEnum):
    """What a feed is about."""

    ACCOUNT = "ACCOUNT"
    KEYWORD = "KEYWORD"
    GENERAL = "GENERAL"


class FeedState(StrEnum):
    """How a feed is doing."""

    # It was never read with success: there is no baseline yet.
    PENDING = "PENDING"
    ACTIVE = "ACTIVE"
    FAILING = "FAILING"
    # Its server says that it is gone for good.
    GONE = "GONE"
    # It was not found too often, and is not asked any more.
    STOPPED = "STOPPED"
    DISABLED = "DISABLED"


class FeedFault(StrEnum):
    """Why a feed could not be read."""

    BAD_ADDRESS = "BAD_ADDRESS"
    FORBIDDEN_ADDRESS = "FORBIDDEN_ADDRESS"
    UNREACHABLE = "UNREACHABLE"
    TIMEOUT = "TIMEOUT"
    TOO_MANY_REDIRECTS = "TOO_MANY_REDIRECTS"
    TOO_LARGE = "TOO_LARGE"
    EMPTY = "EMPTY"
    NOT_A_FEED = "NOT_A_FEED"
    # It was made to hurt whoever reads it: entities, nesting, endless work.
    HOSTILE = "HOSTILE"
    DENIED = "DENIED"
    CHALLENGED = "CHALLENGED"
    NOT_FOUND = "NOT_FOUND"
    GONE = "GONE"
    THROTTLED = "THROTTLED"
    SERVER_ERROR = "SERVER_ERROR"
    BAD_STATUS = "BAD_STATUS"


class PollState(StrEnum):
    """What came of a poll."""

    BASELINE = "BASELINE"
    CHANGED = "CHANGED"
    UNCHANGED = "UNCHANGED"
    FAILED = "FAILED"


class PostOutcome(StrEnum):
    """What was done about a post."""

    BASELINE = "BASELINE"
    TRIGGERED = "TRIGGERED"
    UNTRIGGERED = "UNTRIGGERED"
    TOO_OLD = "TOO_OLD"
    TOO_MANY = "TOO_MANY"


class AccountState(StrEnum):
    """How an account is doing, by its feeds."""

    DISABLED = "DISABLED"
    NO_FEED = "NO_FEED"
    PENDING = "PENDING"
    FAILING = "FAILING"
    WELL = "WELL"


class ProviderKind(StrEnum):
    """Who carries executions out, and how he is told."""

    SANDBOX = "SANDBOX"
    WEBHOOK = "WEBHOOK"
    NOTIFY = "NOTIFY"


class ServiceKind(StrEnum):
    """What a service does."""

    ORDER = "ORDER"
    CALL = "CALL"
    MESSAGE = "MESSAGE"


class ParameterKind(StrEnum):
    """What a parameter of a service is."""

    INTEGER = "INTEGER"
    TEXT = "TEXT"
    CHOICE = "CHOICE"


class ExecutionCause(StrEnum):
    """Why something is carried out."""

    INSTANT = "INSTANT"
    POST = "POST"
    SCHEDULE = "SCHEDULE"
    CONDITION = "CONDITION"
    MANUAL = "MANUAL"


class ExecutionState(StrEnum):
    """Where an execution stands."""

    QUEUED = "QUEUED"
    SUBMITTING = "SUBMITTING"
    SUBMITTED = "SUBMITTED"
    IN_PROGRESS = "IN_PROGRESS"
    COMPLETED = "COMPLETED"
    PARTIAL = "PARTIAL"
    CANCELED = "CANCELED"
    FAILED = "FAILED"
    # The provider's answer was lost: nobody knows whether it was taken.
    UNKNOWN = "UNKNOWN"
    # A guard held it back: nothing was sent.
    SKIPPED = "SKIPPED"


class ExecutionSkipReason(StrEnum):
    """Which guard held an execution back."""

    DRY_RUN = "DRY_RUN"
    REPEAT = "REPEAT"
    DAILY_LIMIT = "DAILY_LIMIT"
    SPEND_LIMIT = "SPEND_LIMIT"
    NO_TARGET = "NO_TARGET"
    PROVIDER_DISABLED = "PROVIDER_DISABLED"


class TriggerKind(StrEnum):
    """What makes an action run, beside posts."""

    MANUAL = "MANUAL"
    SCHEDULE = "SCHEDULE"
    CONDITION = "CONDITION"


class ConditionMetric(StrEnum):
    """What a condition looks at, of the action's account."""

    POSTS_TODAY = "POSTS_TODAY"
    EXECUTIONS_TODAY = "EXECUTIONS_TODAY"
    FEED_ERRORS = "FEED_ERRORS"


class ScreenshotMoment(StrEnum):
    """When a picture is taken."""

    BEFORE = "BEFORE"
    AFTER = "AFTER"
    # Of no execution: somebody wanted one.
    ASKED = "ASKED"


class ScreenshotState(StrEnum):
    """Where a picture stands."""

    PENDING = "PENDING"
    CAPTURING = "CAPTURING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    # There is nothing here that could take it.
    UNAVAILABLE = "UNAVAILABLE"


# Those that nothing more happens to by itself.
FINAL_STATES = (
    ExecutionState.COMPLETED,
    ExecutionState.PARTIAL,
    ExecutionState.CANCELED,
    ExecutionState.FAILED,
    ExecutionState.SKIPPED,
)
