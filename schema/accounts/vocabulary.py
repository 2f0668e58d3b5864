"""The words of accounts as the graph shows them: each enum and each of its values described."""

from db.accounts.vocabulary import (
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
from schema.fields import enum

__all__ = [
    "AccountState",
    "ConditionMetric",
    "ExecutionCause",
    "ExecutionSkipReason",
    "ExecutionState",
    "FeedFault",
    "FeedKind",
    "FeedState",
    "ParameterKind",
    "PollState",
    "PostOutcome",
    "ProviderKind",
    "ScreenshotMoment",
    "ScreenshotState",
    "ServiceKind",
    "TriggerKind",
]

enum(
    FeedKind,
    "What a feed is about.",
    ACCOUNT="What an account posts.",
    KEYWORD="Only entries with a keyword in their title.",
    GENERAL="Anything, for no account.",
)
enum(
    FeedState,
    "How a feed is doing.",
    PENDING="It was never read with success, so nothing in it is known to be old yet.",
    ACTIVE="It was read with success.",
    FAILING="It could not be read, and is tried again, each time later.",
    GONE="Its server says that it is gone for good. It is not read any more.",
    STOPPED="It was not found ten times in a row. It is not read any more.",
    DISABLED="It was switched off.",
)
enum(
    FeedFault,
    "Why a feed could not be read.",
    BAD_ADDRESS="Its address cannot be asked for.",
    FORBIDDEN_ADDRESS="It lies in a network that this server does not ask in.",
    UNREACHABLE="Nobody answers there: no such name, no connection, or a broken one.",
    TIMEOUT="The answer took too long.",
    TOO_MANY_REDIRECTS="It leads from address to address without an end.",
    TOO_LARGE="It is larger than a feed may be, as it comes or unpacked.",
    EMPTY="The answer is empty.",
    NOT_A_FEED="What is there is no feed, and does not point at one.",
    HOSTILE="It is made so that reading it never ends, or fills the memory.",
    DENIED="It is not for everybody.",
    CHALLENGED="It wants a person to prove to be one.",
    NOT_FOUND="There is nothing at its address.",
    GONE="Its server says that it is gone for good.",
    THROTTLED="Its server wants to be asked less.",
    SERVER_ERROR="Its server has trouble of its own.",
    BAD_STATUS="Its server answers with a status that means nothing here.",
)
enum(
    PollState,
    "What came of reading a feed.",
    BASELINE="It was read for the first time: all that stood in it is old.",
    CHANGED="There were new posts.",
    UNCHANGED="There was nothing new.",
    FAILED="It could not be read.",
)
enum(
    PostOutcome,
    "What was done about a post.",
    BASELINE="Nothing: it stood in the feed before that was first read.",
    TRIGGERED="It made actions run.",
    UNTRIGGERED="Nothing: no action waited for it.",
    TOO_OLD="Nothing: it was published too long ago.",
    TOO_MANY="Nothing: too many came at once, and this was not among the newest.",
)
enum(
    AccountState,
    "How an account is doing.",
    DISABLED="It was switched off.",
    NO_FEED="It has no feed.",
    PENDING="One of its feeds was never read yet.",
    FAILING="One of its feeds cannot be read.",
    WELL="All its feeds are read.",
)
enum(
    ProviderKind,
    "Who carries executions out.",
    SANDBOX="Nobody: a company that exists in this server alone, to try things out.",
    WEBHOOK="Whoever answers at an address, told by signed calls.",
    NOTIFY="A channel of people, told by messages as Discord and Slack take them.",
)
enum(
    ServiceKind,
    "What a service does.",
    ORDER="It delivers a quantity of something.",
    CALL="It calls a program.",
    MESSAGE="It tells people.",
)
enum(
    ParameterKind,
    "What a parameter is.",
    INTEGER="A whole number.",
    TEXT="A text.",
    CHOICE="One of a few words.",
)
enum(
    ExecutionCause,
    "Why something is carried out.",
    INSTANT="Somebody asked for it, for an address.",
    POST="A new post.",
    SCHEDULE="The time had come.",
    CONDITION="A condition began to hold.",
    MANUAL="Somebody ran an action by hand.",
)
enum(
    ExecutionState,
    "Where an execution stands.",
    QUEUED="It waits to be sent.",
    SUBMITTING="It is being sent.",
    SUBMITTED="The provider took it.",
    IN_PROGRESS="The provider is at it.",
    COMPLETED="It is done.",
    PARTIAL="It ended with a part of it done.",
    CANCELED="It was canceled.",
    FAILED="It was refused, or could not be done.",
    UNKNOWN="The provider's answer was lost: it may have been carried out. It is never sent again by itself.",
    SKIPPED="A guard held it back: nothing was sent.",
)
enum(
    ExecutionSkipReason,
    "Which guard held an execution back.",
    DRY_RUN="Its action only tries out what it would do.",
    REPEAT="The same service was asked for the same address within 24 hours.",
    DAILY_LIMIT="The account, the action or the provider may do no more today.",
    SPEND_LIMIT="The account or the provider may cost no more today.",
    NO_TARGET="Neither the post nor the account has an address.",
    PROVIDER_DISABLED="The provider is switched off.",
)
enum(
    TriggerKind,
    "What makes an action run, beside posts.",
    MANUAL="Somebody who pulls it.",
    SCHEDULE="The clock.",
    CONDITION="A number that reaches a threshold.",
)
enum(
    ConditionMetric,
    "What a condition looks at, once a minute, of the action's account. Days begin at midnight by UTC.",
    POSTS_TODAY="How many new posts were found today.",
    EXECUTIONS_TODAY="How many executions were queued today.",
    FEED_ERRORS="How often in a row its worst feed could not be read.",
)
enum(
    ScreenshotMoment,
    "When a picture is taken.",
    BEFORE="Before the execution is sent.",
    AFTER="After it is done.",
    ASKED="When somebody asked for it: it belongs to no execution.",
)
enum(
    ScreenshotState,
    "Where a picture stands.",
    PENDING="It is to be taken.",
    CAPTURING="It is being taken.",
    COMPLETED="It was taken.",
    FAILED="It could not be taken.",
    UNAVAILABLE="This server cannot take pictures: `error` says what it lacks.",
)
