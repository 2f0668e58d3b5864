"""What lists cost that have no pages: reckoned as trees where they are, and counted as they are read."""

# ruff: noqa: TC001 -- Strawberry reads annotations at run time

from __future__ import annotations

from dataclasses import replace

import pytest
import strawberry

from db.access.viewer import Role
from db.batches import Order, Pages, ToMany, ToOne
from db.database import Database
from db.matches.tables import Mat
from schema import Schema, build_schema
from schema.connections import Connection
from schema.context import Context, TooManyRows
from schema.engine.cost import Budgets, cost_without_plan
from schema.engine.executor import Asked
from schema.engine.limits import Limits
from schema.fields import Demand, Node, connection, lookup, node, to_many, to_one
from schema.ids import encode_id
from tests.conftest import ManualClock
from tests.support.graph import Graph
from tests.support.streaming import make_source, make_stream

_ORDER = Order(columns=("id",))
# Of any table: nothing of this is ever read.
twig_by_id = ToOne(model=Mat, visible=lambda _: None)
twigs_beside = Pages(model=Mat, by="id", orders={"ID": _ORDER}, visible=lambda _: None)
rings_of_twig = Pages(model=Mat, by="id", orders={"ID": _ORDER}, visible=lambda _: None, most=500)
twigs_by_parent = ToMany(model=Mat, by="id", order=_ORDER, visible=lambda _: None, tree=300)
leaves_by_twig = ToMany(model=Mat, by="id", order=_ORDER, visible=lambda _: None)


@node("twig", twig_by_id)
class Twig(Node):
    """A part of a tree."""

    parent: Twig = to_one("What it grows from.", twig_by_id, key="id")
    twigs: list[Twig] = to_many("What grows from it.", twigs_by_parent)
    leaves: list[Twig] = to_many("Its leaves, of which nobody knows how many there are.", leaves_by_twig)
    beside: Connection[Twig] = connection("What grows beside it.", twigs_beside)
    rings: Connection[Twig] = connection("Its rings, of which many come on a page.", rings_of_twig)


@strawberry.type(description="Everything that can be asked.")
class Query:
    """Everything that can be asked."""

    twig: Twig | None = lookup("One twig.", "twig", twig_by_id, demand=Demand(Role.VIEWER))


def nested(depth: int, field: str = "twigs", *, also: str = "id") -> str:
    return f"{also} {field} {{ " * depth + also + " }" * depth


def aliased(depth: int) -> str:
    return "id" if depth == 0 else f"a: twigs {{ {aliased(depth - 1)} }} b: twigs {{ {aliased(depth - 1)} }}"


@pytest.fixture(scope="module")
def trees() -> Schema:
    return Schema(query=Query, mutation=None, types=[Twig])


COSTS = [
    (nested(1), 1 + 10),
    (nested(2), 1 + 10 + 100),
    (nested(3), 1 + 10 + 100 + 300),
    (nested(5), 1 + 10 + 100 + 3 * 300),
    (nested(13), 1 + 10 + 100 + 11 * 300),
    (nested(3, also="leaves { id }"), 1 + 10 + (10 + 100 + 300) * 11),
    # What is not known to be a tree grows as it always did, and what leads back makes a tree of each row.
    (nested(3, "leaves"), 1 + 10 + 100 + 1000),
    ("twigs { twigs { parent { twigs { id } } } }", 1 + 10 + 100 + 100 + 100 * 10),
    (aliased(2), 1 + 2 * (10 + 2 * 100)),
]


@pytest.mark.parametrize(("selection", "cost"), COSTS)
def test_a_level_of_a_tree_is_not_reckoned_as_more_than_the_tree(trees: Schema, selection: str, cost: int) -> None:
    asked = Asked(f"query ($id: ID!) {{ twig(id: $id) {{ {selection} }} }}", None, {"id": "twig_" + "0" * 32})

    assert trees.engine.price(asked) == cost


@pytest.mark.parametrize(
    "selection",
    [
        nested(6, "leaves"),
        "beside(first: 100) { nodes { beside(first: 100) { nodes { twigs { id } } } } }",
        "beside(first: 100) { nodes { " + nested(5) + " } }",
        "twigs { parent { " * 4 + nested(2) + " } }" * 4,
    ],
)
def test_what_multiplies_is_still_too_much(trees: Schema, selection: str) -> None:
    asked = Asked(f"query ($id: ID!) {{ twig(id: $id) {{ {selection} }} }}", None, {"id": "twig_" + "0" * 32})

    price = trees.engine.price(asked)

    assert price is not None
    assert price > Limits().cost


@pytest.mark.parametrize(
    ("selection", "size", "pages", "rows"),
    [
        ("rings(first: 300) { nodes { id } }", None, 1, 300),
        ("rings(first: $size) { nodes { id } }", 500, 1, 500),
        ("rings(last: $size) { nodes { parent { id } } }", 500, 1, 500 * 2),
        # A size out of bounds is refused before it is read.
        ("rings(first: $size) { nodes { id } }", 501, 1, 500),
        ("beside(first: $size) { nodes { rings(first: $size) { nodes { id } } } }", 300, 1 + 100, 100 * (1 + 300)),
    ],
)
def test_a_page_costs_as_much_as_it_may_have(
    trees: Schema, selection: str, size: int | None, pages: int, rows: int
) -> None:
    declared = "" if size is None else ", $size: Int"
    text = f"query ($id: ID!{declared}) {{ twig(id: $id) {{ {selection} }} }}"
    variables = {"id": "twig_" + "0" * 32, "size": size}
    document = trees.engine.documents.get(text)
    operation = document.operation(None)
    assert operation is not None

    root = trees._schema.query_type
    assert root is not None
    without_plan = cost_without_plan(trees._schema, root, operation.selection_set, document.fragments)
    # A plan counts the row that tells of a next page as well.
    assert trees.engine.price(Asked(text, None, variables)) == 1 + pages + rows
    assert without_plan.of(variables) == 1 + rows


# What is counted as it is read

SOURCES = "query ($id: ID!) { stream(id: $id) { sources { name stream { name } } } }"


@pytest.fixture
async def stream(db: Database, clock: ManualClock) -> str:
    """A stream with a list that is longer than it was reckoned."""
    made = await make_stream(db, clock.now())
    for number in range(13):
        await make_source(db, made, clock.now(), name=f"Source {number}", url=f"ws://127.0.0.1:{9000 + number}")
    return encode_id("stream", made.id)


def context_of(graph: Graph, *, may_plan: bool = True) -> Context:
    return Context(db=graph.db, clock=graph.clock, asker=graph.viewer, may_plan=may_plan)


@pytest.mark.parametrize("may_plan", [True, False])
async def test_whoever_reads_more_than_he_may_is_stopped_there(graph: Graph, stream: str, *, may_plan: bool) -> None:
    schema = build_schema()
    schema.engine.documents.limits = replace(Limits(), cost=21)
    schema.engine.budgets = Budgets(most=100, per_second=1)
    text = SOURCES.replace("stream { name }", "id")
    context = context_of(graph, may_plan=may_plan)
    within = await schema.execute(text, variable_values={"id": stream}, context_value=context)
    schema.engine.documents.limits = replace(Limits(), cost=12)

    context = context_of(graph, may_plan=may_plan)
    with graph.statements() as heard:
        beyond = await schema.execute(text, variable_values={"id": stream}, context_value=context)

    assert within.errors is None
    assert [(error.message, error.extensions) for error in beyond.errors or []] == [
        (
            "This reads more than the 12 rows that an operation may read. Ask for less inside lists, or smaller pages.",
            {"code": "BAD_USER_INPUT"},
        )
    ]
    # Answered a second time only as far as the first row.
    assert len(heard) <= 3


async def test_what_was_read_beyond_the_cost_is_owed(graph: Graph, stream: str, clock: ManualClock) -> None:
    schema = build_schema()
    budgets = schema.engine.budgets = Budgets(most=22, per_second=1)
    viewer = context_of(graph).viewer
    asked = Asked(SOURCES, None, {"id": stream})
    context = context_of(graph)

    data = await schema.engine.answer(asked, context)
    again = await schema.execute(asked.text, variable_values=asked.variables, context_value=context_of(graph))

    assert data is not None
    # One stream, its thirteen sources and their one stream; ten sources were reckoned, and a stream for each.
    assert (context.cost, context.rows.read) == (21, 15)
    assert [error.extensions for error in again.errors or []] == [
        {"code": "RATE_LIMITED", "cost": 21, "left": 1, "most": 22, "retryAfterSeconds": 20}
    ]
    assert budgets.left(viewer.token_id) == 1
    budgets.owe(viewer.token_id, 30, clock)
    assert budgets.left(viewer.token_id) == -29


async def test_each_event_of_a_subscription_is_counted_apart(graph: Graph) -> None:
    context = context_of(graph)
    context.rows.most = 5

    for _ in range(3):
        context.for_one_execution().rows.note(5)
        context.rows.note(5)
        context.renew_loaders()

    with pytest.raises(TooManyRows):
        context.rows.note(6)
