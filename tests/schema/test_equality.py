"""Both paths answer alike: operations that nobody thought of, by plan and by graphql-core, compared byte by byte.

Each database is filled once; what is asked about it, hypothesis writes (`tests.support.operations`). More than in CI:

    uv run pytest tests/schema/test_equality.py --operations 100000
"""

import asyncio
import gc
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import aclosing, contextmanager
from dataclasses import dataclass, field, fields, replace
from datetime import timedelta
from functools import cached_property, partial
from itertools import count
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import orjson
import pytest
from graphql import GraphQLSchema, OperationType
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, update
from sqlmodel import col, select

from api.collector import spare_the_collector
from db.access.viewer import Viewer
from db.base import Base
from db.bus import Bus
from db.connecting import connect
from db.database import Database
from db.errors import Unauthenticated
from db.matches.queueing import touch_queue
from db.matches.tables import Mat, Match, Round, Scoreboard
from db.matches.vocabulary import MatchState
from db.practice import sessions
from db.practice.tables import Goal, PracticeSession
from db.practice.vocabulary import GoalLevel
from db.recordings import operations as recordings
from db.settings import operations as configuring
from db.streams import operations as streams
from db.streams.tables import StreamGoal
from db.urls import sqlite_path
from schema.connections import write_cursor
from schema.context import Context
from schema.engine import reading
from schema.engine.executor import Asked
from schema.engine.limits import Limits
from schema.ids import encode_id
from schema.live.group import Over
from schema.live.groups import Groups
from schema.scalars import print_answer
from tests.support.competition import say
from tests.support.graph import the_schema
from tests.support.house import PATIENCE_SECONDS
from tests.support.operations import Operation, Things, one_of, operations
from tests.support.recordings import make_recording
from tests.support.world import BEGINNING, World, make_world, numbered_ids

if TYPE_CHECKING:
    from tests.support.postgresql import Server

# What hypothesis remembers of the operations it wrote grows with them, so it is asked for so many at a time.
_AT_A_TIME = 1000
_NO_LIMITS = Limits(**{limit.name: 10**9 for limit in fields(Limits)})
_PLANNED_AT_LEAST = 0.8
_EVENTS_LOOKED_AT = 3
_TRIES = 20
_STATES = (
    "scoreboardChanged",
    "streamGoalChanged",
    "goalTreeChanged",
    "practiceSessionChanged",
    "recordingChanged",
    "settingChanged",
    "matQueueChanged",
    "matStatusChanged",
    "goalChanged",
    "executionChanged",
    "listenerStatusChanged",
)

# graphql-core lets go of what it has not begun when a field beside it fails at once, and Python warns of that.
# Where the collector comes by while a named tuple is made, Python cannot even do that: that function has no built-ins.
pytestmark = [
    pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning"),
    pytest.mark.filterwarnings(
        r"ignore:(?s)Exception ignored in. <coroutine object .*\nKeyError. '__import__'"
        ":pytest.PytestUnraisableExceptionWarning"
    ),
]


@dataclass
class House:
    """Filled databases of one engine, and the loop that they live on."""

    runner: asyncio.Runner
    copy: Callable[[], str]
    # Whose database is closed: it is copied.
    filled: World
    made: list[Database] = field(default_factory=list)

    @cached_property
    def world(self) -> World:
        """The one that is asked and not changed."""
        return self.make()

    def run(self, work: Any) -> Any:
        return self.runner.get_loop().run_until_complete(work)

    def make(self) -> World:
        """Make a filled database, which is exactly like every other one."""
        db = self.run(connect(self.copy(), pool_size=4))
        self.made.append(db)
        return replace(self.filled, db=db)


@pytest.fixture(scope="session", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def house(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    places = _files(request, tmp_path_factory) if request.param == "sqlite" else _databases(request)
    with places as copy_of, asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
        first = copy_of(None)
        opened = House(runner, partial(copy_of, first), runner.run(_filled(first)))
        yield opened
        for db in opened.made:
            opened.run(db.close())


async def _filled(url: str) -> World:
    """Fill a database, and close it."""
    world = await make_world(await connect(url, pool_size=4))
    await world.db.close()
    return world


@contextmanager
def _files(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[str | None], str]]:
    """Give who copies a SQLite database, or the empty one."""

    def copy_of(url: str | None) -> str:
        path = tmp_path_factory.mktemp("equality") / "ringside.db"
        shutil.copy(request.getfixturevalue("migrated_file") if url is None else sqlite_path(url), path)
        return f"sqlite:///{path}"

    yield copy_of


@contextmanager
def _databases(request: pytest.FixtureRequest) -> Iterator[Callable[[str | None], str]]:
    """Give who copies a PostgreSQL database, or the empty one."""
    server: Server = request.getfixturevalue("postgresql_server")
    template: str = request.getfixturevalue("migrated_template")
    names: list[str] = []

    def copy_of(url: str | None) -> str:
        names.append(f"ringside_test_{uuid4().hex[:12]}")
        server.create(names[-1], template=template if url is None else url.rpartition("/")[2])
        return server.url(names[-1])

    yield copy_of
    for name in names:
        server.drop(name)


@pytest.fixture(scope="module", autouse=True)
def _without_limits() -> Iterator[None]:
    """Take any document, the longer the better."""
    documents = the_schema().engine.documents
    # What a test leaves behind is looked for after each: the schema is not among it.
    spare_the_collector()
    kept, documents.limits = documents.limits, _NO_LIMITS
    yield
    documents.limits = kept


@pytest.fixture(scope="module", autouse=True)
def _in_blocks_soon() -> Iterator[None]:
    """Have rows come in blocks from a few on: there are not many here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reading, "_MANY_ROWS", 4)
        patch.setattr(reading, "_MANY_LISTS", 2)
        yield


@pytest.fixture(scope="module", autouse=True)
def _let_go() -> Iterator[None]:
    """Let what graphql-core left behind go now, not in somebody else's test."""
    yield
    gc.collect()


@pytest.fixture(scope="session")
def wanted(request: pytest.FixtureRequest) -> int:
    """How many operations each test of each database compares."""
    number: int = request.config.getoption("--operations")
    return number


def _schema() -> GraphQLSchema:
    return the_schema()._schema


# Queries


def test_queries_are_answered_alike(house: House, wanted: int) -> None:
    world = house.world
    paths: Counter[str | None] = Counter()

    def check(operation: Operation, name: str, is_short: bool) -> None:  # noqa: FBT001 -- hypothesis calls it
        viewer = world.viewers[name]
        planned, stock = house.run(both(world, viewer, operation, is_short=is_short))

        assert planned.printed == stock.printed
        # A plan gives up over an error alone.
        assert planned.path != "abandoned" or stock.has_errors
        if viewer is not None and not stock.has_errors:
            paths[planned.path] += 1

    compare(check, wanted, operations(_schema(), world.things), viewers(world), one_of([False, True]))

    assert paths["planned"] > _PLANNED_AT_LEAST * paths.total(), paths


def test_queries_are_answered_alike_where_rows_are_broken(house: House, wanted: int) -> None:
    """What should not be is said in graphql-core's words, at the place where it is."""
    world = house.make()
    house.run(break_rows(world.db))

    def check(operation: Operation, name: str, is_short: bool) -> None:  # noqa: FBT001 -- as above
        viewer = world.viewers[name]
        planned, stock = house.run(both(world, viewer, operation, is_short=is_short))

        assert planned.printed == stock.printed

    compare(check, wanted // 5, operations(_schema(), world.things), viewers(world), one_of([False, True]))


# Mutations


def test_mutations_are_answered_alike(house: House, wanted: int) -> None:
    """On two databases that were always alike and are told the same, one by plan and one by graphql-core."""
    one, other = house.make(), house.make()
    paths: Counter[str | None] = Counter()
    numbers = count(1_000_000, 1000)

    def check(operation: Operation, name: str, is_short: bool) -> None:  # noqa: FBT001 -- as above
        viewer = one.viewers[name]
        first = next(numbers)
        with numbered_ids(first):
            planned = house.run(by_plan(one, viewer, operation, is_short=is_short))
        with numbered_ids(first):
            stock = house.run(on_graphql_core(other, viewer, operation))

        if planned.path == "planned" or not stock.has_errors:
            assert planned.printed == stock.printed
        # Which of several errors is told may be another each time: see `both`. A change is not made again to find out.
        assert print_answer(planned.data) == print_answer(stock.data)
        if not stock.has_errors:
            paths[planned.path] += 1

    written = operations(_schema(), one.things, OperationType.MUTATION)
    compare(check, wanted // 5, written, viewers(one), one_of([False, True]))

    assert house.run(all_rows(one.db)) == house.run(all_rows(other.db))
    assert paths["planned"] > _PLANNED_AT_LEAST * paths.total(), paths


# Subscriptions


def test_subscriptions_are_answered_alike(house: House, wanted: int) -> None:
    world = house.make()

    def check(operation: Operation, name: str) -> None:
        viewer = world.viewers[name]
        planned = house.run(heard(world, viewer, operation, may_plan=True))
        stock = house.run(heard(world, viewer, operation, may_plan=False))
        shared = house.run(heard_in_a_group(world, viewer, operation))

        assert planned == stock
        assert shared is None or shared == planned[: len(shared)]

    written = operations(_schema(), world.things, OperationType.SUBSCRIPTION)
    compare(check, wanted // 10, written, viewers(world))


def test_news_is_answered_alike(house: House, wanted: int) -> None:
    """What happens while somebody watches: rows as an operation left them, printed by plan and by graphql-core."""
    world = house.make()
    fight = house.run(live_fight(world))
    numbers = count(1)

    def check(operation: Operation, name: str) -> None:
        # What is told here are points and gifts: whoever waits for something else waits for ever.
        others = ("entryAdded", "listenerStatusChanged", "feedPolled", "postSeen", "backupProgress")
        assume(not any(name in operation.text for name in others))
        # One setting is set: who watches those of a category may wait for another.
        assume("settingChanged" not in operation.text or "category" not in operation.text)
        # Whoever is bound to the fight alone hears nothing of how its mat is recorded.
        assume(name != "overlay of several" or "recordingChanged" not in operation.text)
        planned, stock = house.run(news(world, world.viewers[name], fight, next(numbers), operation))

        assert planned == stock

    written = operations(_schema(), fight.things, OperationType.SUBSCRIPTION)
    compare(check, wanted // 20, written, viewers_told(world))


# How an operation is run


@dataclass(frozen=True)
class Answered:
    """An answer as it is printed, and which path gave it."""

    answer: dict[str, Any]
    path: str | None

    @property
    def printed(self) -> bytes:
        return printed(self.answer)

    @property
    def data(self) -> Any:
        return self.answer["data"]

    @property
    def has_errors(self) -> bool:
        return self.answer["errors"] is not None


async def both(
    world: World, viewer: Viewer | None, operation: Operation, *, is_short: bool
) -> tuple[Answered, Answered]:
    """Answer by plan and on graphql-core.

    Of several errors that take away the same part of an answer, graphql-core tells the one that came first, which may
    be another each time. So where it is graphql-core that told of errors on either path, each may try again.
    """
    for _ in range(_TRIES):
        planned = await by_plan(world, viewer, operation, is_short=is_short)
        stock = await on_graphql_core(world, viewer, operation)
        if planned.path == "planned" or planned.printed == stock.printed:
            break
    return planned, stock


async def by_plan(world: World, viewer: Viewer | None, operation: Operation, *, is_short: bool) -> Answered:
    """Answer by plan: the short way, as the HTTP door does, or inside graphql-core's executor."""
    context = Context(db=world.db, clock=world.clock, asker=viewer, trace=[])
    engine = the_schema().engine
    assert engine.documents.get(operation.text).errors == (), "this is not valid"
    before = engine.counts.copy()
    if is_short:
        data = await engine.answer(Asked(operation.text, None, operation.variables), context)
        if data is not None:
            # It was charged for whatever it read.
            assert sum(one.rows for one in context.trace or ()) <= (context.cost or 0)
            return Answered({"data": data, "errors": None}, context.path)
    answer = await executed(operation, context)
    paths = engine.counts - before
    # Tried once at most, whichever way.
    assert paths.total() <= 1
    return Answered(answer, next(iter(paths), None))


async def on_graphql_core(world: World, viewer: Viewer | None, operation: Operation) -> Answered:
    """Answer on graphql-core and the dataloaders."""
    context = Context(db=world.db, clock=world.clock, asker=viewer, may_plan=False)
    return Answered(await executed(operation, context), context.path)


async def executed(operation: Operation, context: Context) -> dict[str, Any]:
    result = await the_schema().execute(operation.text, variable_values=operation.variables, context_value=context)
    return answer_of(result)


async def heard(world: World, viewer: Viewer | None, operation: Operation, *, may_plan: bool) -> list[bytes]:
    """Return the first answers of a subscription that nobody publishes to: it ends with what is there."""
    world.db.bus = Bus()
    world.db.bus.close()
    context = Context(db=world.db, clock=world.clock, asker=viewer, may_plan=may_plan)
    stream = await the_schema().subscribe(operation.text, variable_values=operation.variables, context_value=context)
    answers: list[bytes] = []
    async with aclosing(stream) as results:
        async for result in results:
            answers.append(printed(answer_of(result)))
            if len(answers) == _EVENTS_LOOKED_AT:
                break
    return answers


async def heard_in_a_group(world: World, viewer: Viewer | None, operation: Operation) -> list[bytes] | None:
    """Return the first answers as they are printed for all who ask the same; `None` where it is refused."""
    world.db.bus = Bus()
    world.db.bus.close()
    context = Context(db=world.db, clock=world.clock, asker=viewer)
    asked = Asked(operation.text, None, operation.variables)
    answers: list[bytes] = []
    try:
        reader = Groups(the_schema()).enter(asked, context, lambda _: True, lambda _: None)
        async with aclosing(reader.start()) as payloads:
            async for payload in payloads:
                answers.append(printed({"data": None, "errors": None, **orjson.loads(payload.data)}))
                if len(answers) == _EVENTS_LOOKED_AT:
                    break
    except (Over, Unauthenticated):
        return None
    reader.leave()
    return answers


def answer_of(result: Any) -> dict[str, Any]:
    errors = None if not result.errors else [error.formatted for error in result.errors]
    return {"data": getattr(result, "data", None), "errors": errors}


def printed(answer: dict[str, Any]) -> bytes:
    """Print an answer as the doors do. The id of a masked error is its own each time."""
    for error in answer["errors"] or ():
        if error["extensions"].get("id"):
            error["extensions"]["id"] = "masked"
    return print_answer(answer)


def viewers_told(world: World) -> st.SearchStrategy[str]:
    """Everybody who hears of the fight that is told on, and those who may not ask for it."""
    return one_of([name for name in world.viewers if name != "overlay of a fight"])


def compare(check: Callable[..., None], wanted: int, *written: st.SearchStrategy[Any]) -> None:
    """Check so many generated operations, some at a time."""
    for begun in range(0, wanted, _AT_A_TIME):
        chosen = settings(
            max_examples=min(_AT_A_TIME, wanted - begun),
            suppress_health_check=list(HealthCheck),
            phases=[Phase.generate, Phase.shrink],
            database=None,
            deadline=None,
        )
        chosen(given(*written)(check))()


def viewers(world: World) -> st.SearchStrategy[str]:
    # Those who see more are asked more.
    return one_of([*world.viewers, "admin", "admin", "admin", "operator", "member", "overlay of a mat"])


async def all_rows(db: Database) -> dict[str, list[str]]:
    async with db.read() as session:
        return {
            name: sorted(repr(row) for row in await session.rows(table.select()))
            for name, table in Base.metadata.tables.items()
        }


async def break_rows(db: Database) -> None:
    """Make the database hold what no operation would leave there, and what can be read but not be shown.

    What cannot even be read is not among it: the loaders read whole rows, a plan the columns that are asked.
    """
    async with db.read() as session:
        fights = await session.rows(select(Match).order_by(col(Match.loaded_at), col(Match.id)))
        mats = await session.rows(select(Mat).order_by(col(Mat.id)))
    async with db.transaction() as tx:
        await tx.execute(delete(Scoreboard).where(col(Scoreboard.match_id) == fights[0].id))
        for fight, board in ((fights[1], {}), (fights[2], {"clock": None, "blue": 1, "state": "LOST"})):
            await tx.execute(update(Scoreboard).where(col(Scoreboard.match_id) == fight.id).values(board=board))
        await tx.execute(update(Mat).where(col(Mat.id) == mats[0].id).values(current_match_id=UUID(int=1)))
        if tx.dialect == "sqlite":
            # PostgreSQL keeps to the sizes that are declared.
            await tx.execute(update(Round).where(col(Round.number) == 2).values(blue_score=1 << 40))
            await tx.execute(update(Mat).where(col(Mat.id) == mats[1].id).values(last_seq=-(1 << 31) - 1))


@dataclass(frozen=True)
class _LiveFight:
    """The fight, the stream's goal, the practice session and the recording that are told on."""

    mat_id: UUID
    goal_id: UUID
    practised_id: UUID
    recording_id: UUID
    things: Things


async def live_fight(world: World) -> _LiveFight:
    async with world.db.read() as session:
        fight = await session.row(select(Match).where(col(Match.state) == MatchState.LIVE))
        assert fight is not None
        last = (await session.rows(select(Mat).where(col(Mat.id) == fight.mat_id)))[0].last_seq
        # A goal that an overlay is bound to as well.
        goal = await session.row(select(StreamGoal).where(col(StreamGoal.name) == "Fixed"))
        assert goal is not None
        practised = await session.row(select(PracticeSession).where(col(PracticeSession.running_since).is_not(None)))
        assert practised is not None
        root = await session.row(select(Goal).where(col(Goal.level) == GoalLevel.ULTIMATE))
        assert root is not None
    recording = await make_recording(world.db, fight.mat_id, BEGINNING)
    ids = {
        "mat": [encode_id("mat", fight.mat_id)],
        "match": [encode_id("match", fight.id)],
        "stream": [encode_id("stream", goal.stream_id)],
        "streamgoal": [encode_id("streamgoal", goal.id)],
        "goal": [encode_id("goal", root.id)],
        "practicesession": [encode_id("practicesession", practised.id)],
    }
    return _LiveFight(
        fight.mat_id,
        goal.id,
        practised.id,
        recording.id,
        Things(ids=ids, cursors={"log": [write_cursor((last,)), write_cursor((last - 2,))]}),
    )


async def news(
    world: World, viewer: Viewer | None, fight: _LiveFight, number: int, operation: Operation
) -> list[list[Any]]:
    """Return what a subscription says by plan and what it says on graphql-core while points and gifts are given."""
    contexts = [Context(db=world.db, clock=world.clock, asker=viewer, may_plan=may_plan) for may_plan in (True, False)]
    watching = [
        await the_schema().subscribe(operation.text, variable_values=operation.variables, context_value=context)
        for context in contexts
    ]
    told: list[list[Any]] = [[], []]
    async with asyncio.timeout(PATIENCE_SECONDS), aclosing(watching[0]), aclosing(watching[1]):
        # A state says first how things stand; a feed may have nothing to say before something happens.
        if any(name in operation.text for name in _STATES):
            await _listen(watching, told)
        for point in (1, 2):
            score = number * 2 + point
            async with world.db.transaction() as tx:
                at = BEGINNING + timedelta(hours=2, seconds=score)
                await say(tx, fight.mat_id, at, f"sc1;{score % 100};sc2;{score // 100}", "pt1;1", "pt1;?")
                await touch_queue(tx, fight.mat_id)
                await streams.add_progress(tx, fight.goal_id, score, viewer=None, now=at)
                await sessions.interrupt_session(tx, fight.practised_id, viewer=None, now=at)
                await recordings.update_recording(tx, fight.recording_id, {"name": f"{score}"}, now=at)
                days = 1 + score % 2
                await configuring.set_setting(tx, "practice.planned_days", days, reason="", viewer=None, now=at)
            await _listen(watching, told)
    return told


async def _listen(watching: Sequence[Any], told: list[list[Any]]) -> None:
    results = await asyncio.gather(*(anext(stream, None) for stream in watching))
    for result, heard_before in zip(results, told, strict=True):
        heard_before.append(None if result is None else printed(answer_of(result)))
