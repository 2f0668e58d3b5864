"""The engine: what a plan reads, for whom it was made, and that each run of it is alone."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import aclosing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import literal_column, update
from sqlmodel import col, select

from db.access.viewer import Role, Viewer
from db.connecting import connect
from db.database import Database
from db.ids import new_id
from db.matches.operations import create_tournament
from db.matches.tables import Mat, Match, Scoreboard
from schema import Schema, build_schema
from schema.context import Context
from schema.engine import documents, executor
from schema.engine.executor import Asked
from schema.ids import encode_id
from tests.conftest import ManualClock
from tests.support.competition import Competition, begun_fight, hold
from tests.support.graph import Graph, printed, the_schema
from tests.support.postgresql import Server

NAMES = "{ mats { nodes { name } } }"
FLAGGED = """
query ($all: Boolean!, $none: Boolean! = false) {
  mats(first: 1) { nodes { name lastSeq @include(if: $all) ...More @skip(if: $none) } }
}
fragment More on Mat { tournament { name } }
"""


@pytest.fixture
async def competition(db: Database, clock: ManualClock) -> Competition:
    return await hold(db, clock.now())


class Paths:
    """Executes on one schema, and says which path each answer took."""

    def __init__(self, schema: Schema, graph: Graph) -> None:
        self.schema = schema
        self.graph = graph

    def on(self, db: Database) -> "Paths":
        return Paths(self.schema, Graph(db, self.graph.clock, self.graph.viewer))

    async def execute(
        self, operation: str, viewer: Viewer | None = None, /, **variables: Any
    ) -> tuple[str | None, dict[str, Any] | None]:
        """Return the path and the data, as a door would answer."""
        context = Context(db=self.graph.db, clock=self.graph.clock, asker=viewer or self.graph.viewer)
        data = await self.schema.engine.answer(Asked(operation, None, variables), context)
        if data is not None:
            return context.path, printed(data)
        result = await self.schema.execute(operation, variable_values=variables, context_value=context)
        assert not hasattr(result, "__aiter__")
        return context.path, getattr(result, "data", None)


@pytest.fixture
def paths(graph: Graph) -> Paths:
    """A schema of its own, with nothing planned yet."""
    return Paths(build_schema(), graph)


def overlay(*nodes: UUID) -> Viewer:
    return Viewer(user_id=new_id(), token_id=new_id(), role=Role.ADMIN, nodes=frozenset(nodes))


# What a plan prints


async def test_an_instant_is_printed_with_six_decimals_however_few_it_has(db: Database, graph: Graph) -> None:
    whole = datetime(2026, 11, 21, 9, 30, 59, tzinfo=UTC)
    instants = [whole, *(whole.replace(microsecond=123456 // 10**cut * 10**cut) for cut in range(6))]
    for number, at in enumerate(instants):
        await create_tournament(db, name=f"Cup {number}", now=at)
    operation = "{ tournaments(first: 20) { nodes { createdAt } } }"

    answers = [await one.execute(operation) for one in (graph, graph.on_graphql_core())]

    printed_instants = sorted(node["createdAt"] for node in answers[0]["tournaments"]["nodes"])
    assert printed_instants == [
        f"2026-11-21T09:30:59.{decimals}Z"
        for decimals in ("000000", "100000", "120000", "123000", "123400", "123450", "123456")
    ]
    assert answers[0] == answers[1]


# What a plan reads

# Each operation with its levels: a connection's count is one beside its page.
_LEVELS = [
    ("{ __typename }", 0),
    ("{ viewer { isOverlay role __typename } }", 1),
    ("{ viewer { user { name tokens { nodes { label user { name } } totalCount } } } }", 3),
    ("{ mats { nodes { id } } }", 1),
    ("{ mats { __typename } }", 0),
    ("{ mats { totalCount } }", 1),
    ("{ mats { totalCount pageInfo { endCursor } } }", 2),
    ("{ mats { nodes { tournament { name } } edges { node { name } cursor } } }", 2),
    ("{ mats { nodes { currentMatch { sides { athlete { sides { nodes { match { mat { name } } } } } } } } } }", 7),
    ("{ mats { nodes { currentMatch { sides { id } rounds { id } scoreboard { revision } mat { id } } } } }", 6),
    ("{ matches { nodes { scoreboard { clock { asOf } blue { name } injury { clock { state } } } } } }", 2),
    ("{ matches { nodes { a: sides { side } b: sides { score } ...S } } } fragment S on Match { sides { id } }", 2),
    ("{ matches { nodes { events(first: 2) { totalCount edges { node { match { id } } } } } } }", 4),
    ("{ matches { nodes { mat @skip(if: true) { id } rounds @include(if: false) { id } } } }", 1),
    ("query ($id: ID!) { match(id: $id) { number } }", 1),
    ("query ($id: ID!) { match(id: $id) { mat { name } sides { athlete { name } } } }", 4),
    ("query ($id: ID!) { node(id: $id) { id } }", 1),
    ("query ($id: ID!) { node(id: $id) { ... on Match { mat { name } } ... on Mat { tournament { name } } } }", 2),
    ("query ($id: ID!) { nodes(ids: [$id, $id]) { id ... on Match { rounds { number } } } }", 2),
    ("query ($id: ID!) { scoreboard(matchId: $id) { revision match { mat { name } } } }", 3),
]


@pytest.mark.usefixtures("level_by_level")
async def test_an_operation_costs_a_statement_for_each_level(paths: Paths, competition: Competition) -> None:
    fight = encode_id("match", await fight_on(paths.graph.db, competition.mats[0]))
    for operation, levels in _LEVELS:
        with paths.graph.statements() as heard:
            path, data = await paths.execute(operation, **({"id": fight} if "$id" in operation else {}))

        assert (path, len(heard)) == ("planned", levels), "\n\n".join([operation, *heard])
        assert data is not None


async def test_what_nobody_is_related_to_is_not_read(paths: Paths, db: Database, clock: ManualClock) -> None:
    await hold(db, clock.now(), tournaments=1, mats=1, fights=0)

    with paths.graph.statements() as heard:
        await paths.execute("{ mats { nodes { currentMatch { sides { athlete { name } } } } } }")

    assert len(heard) == 1


async def test_only_the_columns_that_are_asked_are_read(paths: Paths, competition: Competition) -> None:
    with paths.graph.statements() as heard:
        await paths.execute("{ matches { nodes { number scoreboard { revision } } } }")

    assert competition.mats
    assert "phase" not in heard[0]
    assert "board" not in heard[1].replace("scoreboards", "")


# For whom a plan is


async def test_a_document_is_planned_for_each_choice_of_its_conditions(paths: Paths, competition: Competition) -> None:
    for _ in range(2):
        answers = [
            await paths.execute(FLAGGED, all=True),
            await paths.execute(FLAGGED, all=False),
            await paths.execute(FLAGGED, all=False, none=True),
        ]

        whole = {"name": "Mat 00", "lastSeq": len(begun_fight("0.0")), "tournament": {"name": "Open 0"}}
        assert answers == [
            ("planned", {"mats": {"nodes": [whole]}}),
            ("planned", {"mats": {"nodes": [{"name": "Mat 00", "tournament": {"name": "Open 0"}}]}}),
            ("planned", {"mats": {"nodes": [{"name": "Mat 00"}]}}),
        ]
    assert paths.schema.engine.plan_count == 3
    assert competition.mats


async def test_a_condition_that_is_null_is_left_to_graphql_core(paths: Paths, competition: Competition) -> None:
    path, data = await paths.execute(
        "query ($all: Boolean = true) { mats { nodes { name @skip(if: $all) } } }", all=None
    )

    assert (path, data) == ("unplanned", None)
    assert paths.schema.engine.counts == {"unplanned": 1}
    assert competition.mats


async def test_skip_is_decided_before_include(paths: Paths, competition: Competition) -> None:
    """As in graphql-core: a condition that is null does no harm behind a `@skip` that holds, and always in it."""
    asked = "query ($null: Boolean = true) {{ viewer {{ __typename role {} {} }} }}"
    conditions = ["@skip(if: true)", "@include(if: $null)"], ["@include(if: false)", "@skip(if: $null)"]

    harmless = [await paths.execute(asked.format(*order), null=None) for order in (conditions[0], conditions[0][::-1])]
    harmful = [await paths.execute(asked.format(*order), null=None) for order in (conditions[1], conditions[1][::-1])]

    assert harmless == [("planned", {"viewer": {"__typename": "Viewer"}})] * 2
    assert harmful == [("unplanned", None)] * 2
    assert competition.mats


@pytest.mark.parametrize("overlay_comes_first", [True, False])
async def test_a_plan_shows_each_viewer_his_own(
    paths: Paths, competition: Competition, *, overlay_comes_first: bool
) -> None:
    bound = competition.mats[3]
    everybody = [overlay(bound.id), None]
    operation = "{ mats { nodes { name tournament { mats { nodes { name } totalCount } } } totalCount } }"

    for viewer in [*(everybody if overlay_comes_first else reversed(everybody)), *everybody]:
        path, data = await paths.execute(operation, viewer)

        assert path == "planned"
        assert data is not None
        seen = [bound.name] if viewer else [mat.name for mat in competition.mats]
        assert [mat["name"] for mat in data["mats"]["nodes"]] == seen
        of_tournament = [one["name"] for one in data["mats"]["nodes"][-1]["tournament"]["mats"]["nodes"]]
        assert of_tournament == ([bound.name] if viewer else ["Mat 01", "Mat 03", "Mat 05"])
        assert data["mats"]["totalCount"] == len(seen)
    assert paths.schema.engine.plan_count == 1


async def test_a_role_is_demanded_at_each_run(paths: Paths, competition: Competition) -> None:
    rename = 'mutation ($id: ID!) { matRename(id: $id, name: "New") { mat { name } } }'
    mat = encode_id("mat", competition.mats[0].id)
    reader = Viewer(user_id=new_id(), token_id=new_id(), role=Role.VIEWER)

    answers = [
        await paths.execute(rename, id=mat),
        await paths.execute(rename, reader, id=mat),
        await paths.execute(rename, overlay(competition.mats[0].id), id=mat),
        await paths.execute(rename, id=mat),
    ]

    renamed = ("planned", {"matRename": {"mat": {"name": "New"}}})
    assert answers == [renamed, ("abandoned", None), ("abandoned", None), renamed]


# Runs do not meet


async def test_fifty_runs_of_a_plan_at_once_do_not_mix(paths: Paths, competition: Competition) -> None:
    operation = """query ($id: ID!, $first: Int!) {
      mat(id: $id) { name matches(first: $first) { nodes { number sides { athlete { name } } } } }
    }"""
    everybody: list[Viewer | None] = [None, *(overlay(mat.id) for mat in competition.mats)]
    asked = [(everybody[number % 7], competition.mats[number % 6], number % 3) for number in range(50)]

    answers = await asyncio.gather(
        *(paths.execute(operation, viewer, id=encode_id("mat", mat.id), first=first) for viewer, mat, first in asked)
    )

    for (viewer, mat, first), (path, data) in zip(asked, answers, strict=True):
        sides = [{"athlete": {"name": f"{colour} {mat.name[-1]}.0"}} for colour in ("Blue", "Red")]
        fights = [{"number": f"{mat.name[-1]}.0", "sides": sides}][:first]
        is_seen = viewer is None or mat.id in (viewer.nodes or ())
        assert data == {"mat": {"name": mat.name, "matches": {"nodes": fights}} if is_seen else None}
        assert path == "planned"
    assert paths.schema.engine.plan_count == 1


@pytest.fixture
async def on_both(
    tmp_path: Path, migrated_file: Path, postgresql_server: Server, migrated_template: str
) -> AsyncIterator[list[Database]]:
    """A database on each engine."""
    shutil.copy(migrated_file, tmp_path / "other.db")
    name = f"ringside_test_{uuid4().hex[:12]}"
    await asyncio.to_thread(postgresql_server.create, name, template=migrated_template)
    opened = [await connect(f"sqlite:///{tmp_path / 'other.db'}"), await connect(postgresql_server.url(name))]
    yield opened
    for database in opened:
        await database.close()
    await asyncio.to_thread(postgresql_server.drop, name)


@pytest.mark.postgresql
async def test_a_plan_runs_on_both_databases_in_one_process(on_both: list[Database]) -> None:
    clock = ManualClock()
    asker = Viewer(user_id=new_id(), token_id=new_id(), role=Role.ADMIN)
    operation = """{
      mats { totalCount nodes {
        name createdAt tournament { createdAt }
        matches(first: 1) { totalCount nodes { state loadedAt scoreboard { changedAt clock { asOf } } } }
        currentMatch { sides { side athlete { name } } events(last: 2) { nodes { raw receivedAt isValid } } }
      } }
    }"""
    for database in on_both:
        await hold(database, clock.now())
    paths = Paths(build_schema(), Graph(on_both[0], clock, asker))

    answers = await asyncio.gather(*(paths.on(database).execute(operation) for database in on_both * 10))

    assert answers[0][1] is not None
    assert answers == [("planned", answers[0][1])] * 20
    assert paths.schema.engine.plan_count == 1


# What is kept


async def test_plans_and_documents_are_kept_within_bounds(
    paths: Paths, competition: Competition, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(executor, "_OPERATIONS_KEPT", 3)
    monkeypatch.setattr(documents, "DOCUMENTS_KEPT", 4)
    engine = paths.schema.engine

    for number in [*range(10), 0, 9, 8]:
        path, data = await paths.execute(f"{{ mats {{ nodes {{ a{number}: name }} }} }}")

        assert (path, data) == ("planned", {"mats": {"nodes": [{f"a{number}": mat.name} for mat in competition.mats]}})
    assert (len(engine._known), engine.plan_count, len(engine.documents)) == (3, 3, 4)


async def test_long_documents_are_kept_within_bounds(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documents, "CHARACTERS_KEPT", 200)

    for number in range(10):
        await paths.execute(f"{{ a{number}: __typename }} # {'x' * 60}")

    assert len(paths.schema.engine.documents) == 2


# Which path answered


async def test_each_answer_is_counted_by_its_path(paths: Paths, competition: Competition) -> None:
    engine = paths.schema.engine

    assert (await paths.execute(NAMES))[0] == "planned"
    assert (await paths.execute("{ mats(first: 101) { nodes { name } } }"))[0] == "abandoned"
    await paths.execute("{ __schema { queryType { name } } }")
    await paths.execute("{ nonsense }")
    await paths.execute("query ($id: ID!) { mat(id: $id) { name } }")

    assert engine.counts == {"planned": 1, "abandoned": 1, "unplanned": 1}
    assert competition.mats


async def test_nobody_is_answered_without_a_plan(graph: Graph) -> None:
    counted = the_schema().engine.counts.copy()

    result = await graph.as_viewer(None).result(NAMES)

    assert [error.extensions for error in result.errors or ()] == [{"code": "UNAUTHENTICATED"}]
    assert the_schema().engine.counts == counted


# What goes wrong


async def test_a_mutation_whose_payload_cannot_be_printed_is_made_once(paths: Paths, competition: Competition) -> None:
    tournament = encode_id("tournament", competition.tournaments[0].id)

    path, data = await paths.execute(
        """mutation ($id: ID!) {
          a: matCreate(input: {name: "New 1", tournamentId: $id}) { mat { name } errors { code } }
          b: matCreate(input: {name: "New 2", tournamentId: $id}) {
            mat { name tournament { mats(first: 101) { totalCount } } } errors { code }
          }
          c: matCreate(input: {name: "New 3", tournamentId: $id}) { mat { name } errors { code } }
        }""",
        id=tournament,
    )

    assert path == "abandoned"
    assert data == {
        "a": {"mat": {"name": "New 1"}, "errors": []},
        "b": {"mat": {"name": "New 2", "tournament": None}, "errors": []},
        "c": {"mat": {"name": "New 3"}, "errors": []},
    }
    names = [mat["name"] for mat in (await paths.graph.execute(NAMES))["mats"]["nodes"]]
    assert names[-3:] == ["New 1", "New 2", "New 3"]


async def test_a_column_that_cannot_be_read_harms_only_who_asks_it(paths: Paths, competition: Competition) -> None:
    fight = await fight_on(paths.graph.db, competition.mats[0])
    async with paths.graph.db.transaction() as tx:
        await tx.execute(update(Match).where(col(Match.id) == fight).values(outcome=literal_column("'NOBODY'")))
    asked = {"id": encode_id("match", fight)}

    untouched = await paths.execute("query ($id: ID!) { match(id: $id) { number } }", **asked)
    touched = await paths.execute("query ($id: ID!) { match(id: $id) { outcome } viewer { isOverlay } }", **asked)

    assert untouched == ("planned", {"match": {"number": "0.0"}})
    assert touched == ("abandoned", {"match": None, "viewer": {"isOverlay": False}})


async def test_a_subscription_goes_on_behind_an_event_that_cannot_be_printed(
    graph: Graph, competition: Competition
) -> None:
    fight = await fight_on(graph.db, competition.mats[0])
    async with graph.db.transaction() as tx:
        await tx.execute(update(Scoreboard).where(col(Scoreboard.match_id) == fight).values(board={}))
    context = Context(db=graph.db, clock=graph.clock, asker=graph.viewer)
    stream = await the_schema().subscribe(
        """subscription ($id: ID!) {
          matchEvents(matchId: $id) { event { seq match { scoreboard { number } } } }
        }""",
        variable_values={"id": encode_id("match", fight)},
        context_value=context,
    )

    async with aclosing(stream) as results:
        seen = [await anext(results) for _ in range(3)]

    assert [(one.data, [error.path for error in one.errors or ()]) for one in seen] == [
        (
            {"matchEvents": {"event": {"seq": seq, "match": None}}},
            [["matchEvents", "event", "match", "scoreboard", "number"]],
        )
        for seq in (1, 2, 3)
    ]


async def fight_on(db: Database, mat: Mat) -> UUID:
    async with db.read() as session:
        found = await session.row(select(Mat).where(col(Mat.id) == mat.id))
    assert found is not None
    assert found.current_match_id is not None
    return found.current_match_id
