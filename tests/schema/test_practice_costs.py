"""What a whole file and statistics cost: so much before they are read, and what was read beyond that is owed."""

from dataclasses import replace

import pytest
from graphql import OperationDefinitionNode

from db.access.tables import User
from db.database import Database
from db.practice import sessions
from schema import build_schema
from schema.context import Context
from schema.engine.cost import Budgets, cost_without_plan
from schema.engine.executor import Asked
from schema.engine.limits import Limits
from tests.conftest import ManualClock
from tests.support.graph import Graph, the_schema
from tests.support.practice import LEVELS, make_goal, make_session, make_user, viewer_of

_STATISTICS = 'practiceStatistics(firstOn: "2026-11-01", lastOn: "2026-11-30") { streak { longest } }'


@pytest.fixture
async def member(db: Database) -> User:
    """Somebody with a goal for which he practised three times."""
    user = await make_user(db)
    goal = await make_goal(db, user.id, LEVELS[3])
    for _ in range(3):
        session = await make_session(db, goal)
        async with db.transaction() as tx:
            await sessions.start_session(tx, session.id, viewer=None, now=goal.created_at)
            await sessions.finish_session(tx, session.id, viewer=None, now=goal.created_at)
    return user


@pytest.mark.parametrize(
    ("selection", "cost"),
    [
        ("goalsExport", 1000),
        (_STATISTICS, 1000),
        ("a: goalsExport b: goalsExport", 2000),
        ('goalsImport(document: "[]") { report { made } }', 1000),
    ],
)
def test_what_a_resolver_reads_by_itself_is_reckoned_with(selection: str, cost: int) -> None:
    kind = "mutation" if "Import" in selection else "query"
    text = f"{kind} {{ {selection} }}"
    engine, schema = the_schema().engine, the_schema()._schema
    document = engine.documents.get(text)
    operation = document.operation(None)
    assert isinstance(operation, OperationDefinitionNode)
    root = schema.get_root_type(operation.operation)
    assert root is not None

    by_plan = engine.price(Asked(text, None, {}))
    by_types = cost_without_plan(schema, root, operation.selection_set, document.fragments).of({})

    # What is printed of it, and the field itself, are a few more.
    assert by_plan is not None
    assert cost <= by_plan <= cost + 5
    assert cost <= by_types <= cost + 5


@pytest.mark.parametrize(("selection", "rows"), [("goalsExport", 1 + 3 + 3), (_STATISTICS, 3)])
async def test_what_is_read_is_counted_and_beyond_the_cost_it_is_owed(
    db: Database, clock: ManualClock, member: User, selection: str, rows: int
) -> None:
    schema = build_schema()
    budgets = schema.engine.budgets = Budgets(most=5000, per_second=1)
    viewer = viewer_of(member)
    context = Context(db=db, clock=clock, asker=viewer)
    asked = Asked(f"{{ {selection} }}", None, {})
    cost = schema.engine.price(asked)
    assert cost is not None

    # As if more had been read before: what is read now is all beyond the cost.
    context.rows.note(cost)
    data = await schema.engine.answer(asked, context)

    assert data is not None
    assert context.rows.read == cost + rows
    assert budgets.left(viewer.token_id) == 5000 - cost - rows


@pytest.mark.parametrize("selection", ["goalsExport", _STATISTICS])
@pytest.mark.parametrize("may_plan", [True, False])
async def test_whoever_has_more_than_an_operation_may_read_is_told(
    db: Database, clock: ManualClock, member: User, selection: str, *, may_plan: bool
) -> None:
    schema = build_schema()
    schema.engine.documents.limits = replace(Limits(), cost=1003)
    context = Context(db=db, clock=clock, asker=viewer_of(member), may_plan=may_plan)
    context.rows.note(1001)

    result = await schema.execute(f"{{ {selection} }}", context_value=context)

    assert [error.message for error in result.errors or []] == [
        "This reads more than the 1003 rows that an operation may read. Ask for less inside lists, or smaller pages."
    ]


async def test_a_token_without_budget_gets_no_file(graph: Graph, clock: ManualClock) -> None:
    schema = build_schema()
    schema.engine.budgets = Budgets(most=1500, per_second=1)
    answers = []

    for _ in range(2):
        context = Context(db=graph.db, clock=clock, asker=graph.viewer)
        answers.append(await schema.execute("{ goalsExport }", context_value=context))

    first, second = answers
    assert (first.errors, first.data) == (None, {"goalsExport": "[]"})
    assert [(error.extensions or {})["code"] for error in second.errors or []] == ["RATE_LIMITED"]
