"""The graph: the domains joined into one schema."""

from collections.abc import Iterable
from copy import copy
from functools import cache

import strawberry
from graphql import GraphQLError, lexicographic_sort_schema, print_schema
from strawberry.extensions.runner import SchemaExtensionsRunner
from strawberry.schema.config import StrawberryConfig
from strawberry.schema.exceptions import InvalidOperationTypeError
from strawberry.types import ExecutionContext
from strawberry.types.execution import PreExecutionError

from schema.access.mutations import AccessMutations
from schema.access.queries import AccessQueries, NodeQueries
from schema.access.types import Token, User
from schema.accounts.action_mutations import ActionMutations
from schema.accounts.execution_mutations import ExecutionMutations
from schema.accounts.mutations import AccountMutations, FeedMutations
from schema.accounts.provider_mutations import ProviderMutations
from schema.accounts.queries import AccountQueries
from schema.accounts.screenshot_mutations import ScreenshotMutations
from schema.accounts.statistics import ExecutionStatisticsQueries
from schema.accounts.subscriptions import AccountSubscriptions
from schema.accounts.types import (
    Account,
    Action,
    Execution,
    Feed,
    Poll,
    Post,
    Provider,
    Screenshot,
    Service,
    Tag,
    Trigger,
)
from schema.backups.mutations import BackupMutations
from schema.backups.queries import BackupQueries
from schema.backups.subscriptions import BackupSubscriptions
from schema.backups.types import BackupJob
from schema.engine.executor import Engine, executor_for
from schema.errors import SafeErrors
from schema.flags.mutations import FlagMutations
from schema.flags.queries import FlagQueries
from schema.flags.types import Flag, FlagMapping, RecognitionAttempt
from schema.housekeeping.mutations import HousekeepingMutations
from schema.housekeeping.queries import HousekeepingQueries
from schema.importing import ImportMutations
from schema.leases.queries import LeaseQueries
from schema.matches.mutations import MatchMutations
from schema.matches.operator_mutations import OperatorMutations
from schema.matches.planned_types import PlannedMatch, TournamentDay
from schema.matches.queries import MatchQueries
from schema.matches.queue_mutations import MatchQueueMutations
from schema.matches.subscriptions import MatchSubscriptions
from schema.matches.told_types import Challenge, EventType, Penalty, Point, UnknownMessage
from schema.matches.tournament_mutations import TournamentMutations
from schema.matches.types import Athlete, Mat, Match, MatchEvent, MatchSide, Round, Tournament
from schema.network.mutations import NetworkMutations
from schema.network.queries import NetworkQueries
from schema.network.subscriptions import NetworkSubscriptions
from schema.network.types import ListenerSession, Sender, UDPListener
from schema.practice.goal_mutations import GoalMutations
from schema.practice.queries import PracticeQueries
from schema.practice.session_mutations import PracticeSessionMutations
from schema.practice.statistics import PracticeStatisticsQueries
from schema.practice.subscriptions import PracticeSubscriptions
from schema.practice.template_mutations import SessionTemplateMutations
from schema.practice.transfer import GoalTransferMutations, GoalTransferQueries
from schema.practice.types import Goal, PracticeSession, SessionTemplate
from schema.recordings.mutations import BookmarkMutations, RecordingMutations
from schema.recordings.obs_mutations import OBSMutations
from schema.recordings.queries import RecordingQueries
from schema.recordings.subscriptions import RecordingSubscriptions
from schema.recordings.types import Bookmark, OBSCommand, OBSMachine, Recording
from schema.scalars import SCALARS
from schema.settings.mutations import SettingMutations
from schema.settings.queries import SettingQueries
from schema.settings.subscriptions import SettingSubscriptions
from schema.settings.types import Setting, SettingChange
from schema.social.mutations import SocialMutations
from schema.social.queries import SocialQueries
from schema.social.subscriptions import SocialSubscriptions
from schema.social.types import Entry
from schema.streams.goal_mutations import StreamGoalMutations
from schema.streams.mutations import StreamMutations
from schema.streams.queries import StreamQueries
from schema.streams.source_mutations import StreamSourceMutations
from schema.streams.subscriptions import StreamSubscriptions
from schema.streams.types import Stream, StreamGoal, StreamGoalChange, StreamSession, StreamSource


@strawberry.type(description="Everything that can be asked.")
class Query(
    MatchQueries,
    RecordingQueries,
    NetworkQueries,
    FlagQueries,
    StreamQueries,
    SocialQueries,
    PracticeQueries,
    PracticeStatisticsQueries,
    GoalTransferQueries,
    SettingQueries,
    BackupQueries,
    HousekeepingQueries,
    LeaseQueries,
    AccountQueries,
    ExecutionStatisticsQueries,
    AccessQueries,
    NodeQueries,
):
    """Everything that can be asked."""


@strawberry.type(description="Everything that can be changed.")
class Mutation(
    MatchMutations,
    OperatorMutations,
    RecordingMutations,
    BookmarkMutations,
    OBSMutations,
    TournamentMutations,
    MatchQueueMutations,
    NetworkMutations,
    FlagMutations,
    StreamMutations,
    StreamGoalMutations,
    StreamSourceMutations,
    GoalMutations,
    PracticeSessionMutations,
    SessionTemplateMutations,
    GoalTransferMutations,
    AccountMutations,
    FeedMutations,
    ActionMutations,
    ExecutionMutations,
    ProviderMutations,
    ScreenshotMutations,
    SocialMutations,
    SettingMutations,
    BackupMutations,
    HousekeepingMutations,
    ImportMutations,
    AccessMutations,
):
    """Everything that can be changed."""


@strawberry.type(description="Everything that can be watched.")
class Subscription(
    MatchSubscriptions,
    NetworkSubscriptions,
    RecordingSubscriptions,
    StreamSubscriptions,
    SocialSubscriptions,
    PracticeSubscriptions,
    AccountSubscriptions,
    SettingSubscriptions,
    BackupSubscriptions,
):
    """Everything that can be watched."""


class Schema(strawberry.Schema):
    """A schema as Ringside runs it: errors made safe, documents kept, operations planned."""

    def __init__(
        self, *, query: type, mutation: type | None, subscription: type | None = None, types: Iterable[type] = ()
    ) -> None:
        super().__init__(
            query=query,
            mutation=mutation,
            subscription=subscription,
            types=types,
            extensions=[SafeErrors],
            config=StrawberryConfig(scalar_map=SCALARS),
        )
        self._begin()

    def anew(self) -> "Schema":
        """Return the same graph with an engine of its own: it knows no documents yet, and has no budgets."""
        other = copy(self)
        other._begin()  # noqa: SLF001 -- one of ours
        return other

    def _begin(self) -> None:
        self.engine = Engine(self)
        self.execution_context_class = executor_for(self.engine)

    async def _prepare_operation_async(
        self,
        context: ExecutionContext,
        extensions_runner: SchemaExtensionsRunner,  # noqa: ARG002 -- Strawberry's signature
    ) -> PreExecutionError | None:
        """Take the document as it is kept: parsed, measured and validated, with what is wrong with it.

        Every way into the schema comes by here, so that none is without limits.
        """
        # An empty name is none. The public property would guess the first of several operations.
        name = context._provided_operation_name = context._provided_operation_name or None  # noqa: SLF001
        document = self.engine.documents.get(context.query or "")
        if document.node is None or document.operation(name) is None:
            context.pre_execution_errors = document.errors_for(name)
            return PreExecutionError(data=None, errors=context.pre_execution_errors)
        context.graphql_document = document.node
        if context.operation_type not in context.allowed_operations:
            raise InvalidOperationTypeError(context.operation_type)
        return None

    def process_errors(self, errors: list[GraphQLError], execution_context: ExecutionContext | None = None) -> None:
        """Log nothing: errors are logged where they are masked, in one line each."""


def build_schema() -> Schema:
    """Return the graph, with nothing known yet. Joining the domains takes a tenth of a second, and is done once."""
    return _joined().anew()


@cache
def _joined() -> Schema:
    return Schema(
        query=Query,
        mutation=Mutation,
        subscription=Subscription,
        types=[
            *(Recording, Bookmark, OBSMachine, OBSCommand),
            *(Tournament, TournamentDay, Mat, PlannedMatch, Match, MatchSide, Round, MatchEvent, Athlete),
            *(Point, Penalty, Challenge, EventType, UnknownMessage),
            *(UDPListener, ListenerSession, Sender),
            *(Flag, FlagMapping, RecognitionAttempt),
            *(Stream, StreamSession, StreamGoal, StreamGoalChange, StreamSource),
            *(User, Token, Entry),
            *(Goal, PracticeSession, SessionTemplate),
            *(Setting, SettingChange, BackupJob),
            *(Account, Tag, Feed, Poll, Post, Action, Trigger, Provider, Service, Execution, Screenshot),
        ],
    )


def print_contract() -> str:
    """Print the schema in its definition language, sorted, so that a change of it shows as a change of its own."""
    return print_schema(lexicographic_sort_schema(build_schema()._schema)) + "\n"  # noqa: SLF001 -- graphql-core's schema has no public name
