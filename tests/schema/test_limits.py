"""Limits before work: what a document may hold, what an operation may cost, and how soon too much is refused."""

from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from graphql import get_introspection_query, parse

from db.access.viewer import Role, Viewer
from db.ids import new_id
from schema import Schema, build_schema
from schema.context import Context
from schema.engine.cost import Budgets
from schema.engine.documents import Document, Documents
from schema.engine.executor import Asked
from schema.engine.limits import Limits
from tests.conftest import ManualClock
from tests.support.graph import Graph, the_schema
from tests.support.hostile import TOO_MUCH, many
from tests.support.work import calls_of

# Calls: these take 10 ms on a slow machine. `benchmarks.doors` says how long it takes by the clock.
_AT_ONCE = 45_000


def documents(**limits: int) -> Documents:
    """Nothing known yet."""
    kept = Documents(the_schema()._schema)
    kept.limits = replace(Limits(), **limits)
    return kept


def refusal(document: Document) -> dict[str, Any]:
    (error,) = document.errors
    return {"message": error.message, **(error.extensions or {})}


# What is refused


@pytest.mark.parametrize(
    ("text", "limit", "found", "most"), [one[1:] for one in TOO_MUCH], ids=[one[0] for one in TOO_MUCH]
)
def test_a_hostile_document_is_refused_at_once_with_the_numbers(text: str, limit: str, found: int, most: int) -> None:
    kept = documents(fields=200)

    calls = calls_of(lambda: kept.get(text))
    document = kept.get(text)
    refused = refusal(document)

    assert {**refused, "message": ""} == {
        "message": "",
        "code": "BAD_USER_INPUT",
        "limit": limit,
        "found": found,
        "most": most,
    }
    assert str(most) in refused["message"]
    assert calls < _AT_ONCE
    assert document.node is None, "what is refused is not kept parsed"


def test_a_text_that_is_too_long_is_not_looked_at() -> None:
    calls = [calls_of(partial(documents().get, "\n" * length)) for length in (65_537, 1_000_000)]

    assert calls[0] == calls[1]


@pytest.mark.parametrize(
    "text",
    [
        "{ " + "[" * 900,
        "{ a(b: " + "[" * 400 + "]" * 400 + ") }",
        "{ a(b: " + "{ c: " * 240 + "1" + " }" * 240 + ") }",
        '{ a(b: "' + "x" * 60_000 + '") }',
        "{ ...F } fragment F on Query { ...F }",
        "{ ...A } fragment A on Query { ...B } fragment B on Query { ...A }",
        "{ __typename } fragment F on Query { " + "mats { nodes { id } } " * 100 + "}",
        "{ ...Nobody }",
        "fragment F on Query { __typename }",
        "",
        " ",
    ],
)
def test_a_document_that_cannot_be_is_refused_soon(text: str) -> None:
    kept = documents()

    calls = calls_of(lambda: kept.get(text))

    document = kept.get(text)
    assert document.errors or document.errors_for(None)
    assert calls < 2 * _AT_ONCE


def test_no_document_within_the_limits_is_much_work_to_validate() -> None:
    """The worst that is known, each of which would take a second or more if it were twice as large."""
    worst = [
        "{ mats { nodes { " + "id " * 98 + "} } }",
        "{ " + " ".join(f"...F{one}" for one in range(19)) + " } "
        + " ".join(f"fragment F{one} on Query {{ mats {{ nodes {{ id name lastSeq }} }} }}" for one in range(19)),
        "{ mats { nodes { " + " ".join(f"...F{one}" for one in range(90)) + " } } } "
        + " ".join(f"fragment F{one} on Mat {{ id name }}" for one in range(90)),
        "{ mats { nodes { " + " ".join(f"f{one}" for one in range(480)) + " } } }",
    ]  # fmt: skip

    calls = {text[:30]: calls_of(partial(documents().get, text)) for text in worst}

    assert {text: one for text, one in calls.items() if one > 4 * _AT_ONCE} == {}


def test_an_introspection_is_within_the_limits() -> None:
    whole = get_introspection_query(
        specified_by_url=True, directive_is_repeatable=True, schema_description=True, input_value_deprecation=True
    )

    assert documents().get(whole).errors == ()


def test_what_is_wrong_is_kept_and_told_again() -> None:
    kept = documents()
    text = "{ " + many(31) + " }"

    first, again = kept.get(text), kept.get(text)

    assert first is again
    assert len(kept) == 1


def test_parsed_documents_are_kept_within_bounds_of_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("schema.engine.documents.TOKENS_KEPT", 100)
    kept = documents()

    for number in range(20):
        kept.get(f"{{ a{number}: __typename mats {{ nodes {{ id name createdAt }} }} }}")

    tokens = len(parse_tokens("{ a1: __typename mats { nodes { id name createdAt } } }"))
    assert len(kept) == 100 // tokens


def parse_tokens(text: str) -> list[object]:
    found: list[object] = []
    location = parse(text).loc
    token = None if location is None else location.start_token
    while token is not None:
        found.append(token)
        token = token.next
    return found


def test_at_most_five_errors_are_told() -> None:
    assert len(documents().get("{ " + " ".join(f"no{one}" for one in range(15)) + " }").errors) == 5


HINTED = [
    ("{ matz { nodes { id } } }", {}, "matz"),
    ("{ mats(frist: 1) { nodes { id } } }", {}, "frist"),
    ("query ($n: Itn) { mats(first: $n) { nodes { id } } }", {}, "Itn"),
    ("query ($order: NameOrder) { mats(orderBy: $order) { nodes { id } } }", {"order": "NAMES"}, "NAMES"),
    ("{ mats(orderBy: NAMES) { nodes { id } } }", {}, "NAMES"),
    ('mutation { matCreate(input: {nane: "x"}) { mat { id } } }', {}, "nane"),
    (
        "mutation ($input: MatInput!) { matCreate(input: $input) { mat { id } } }",
        {"input": {"name": "x", "tournamentld": 1}},
        "tournamentld",
    ),
]


@pytest.mark.parametrize(("text", "variables", "mistake"), HINTED)
async def test_hints_are_given_where_they_are_wanted_alone(
    graph: Graph, text: str, variables: dict[str, Any], mistake: str
) -> None:
    told = []
    for gives_hints in (False, True):
        schema = build_schema()
        schema.engine.documents.gives_hints = gives_hints
        context = Context(db=graph.db, clock=graph.clock, asker=graph.viewer)
        result = await schema.execute(text, variable_values=variables, context_value=context)
        told.append(" ".join(error.message for error in result.errors or []))

    assert all(mistake in one for one in told)
    assert ["Did you mean" in one for one in told] == [False, True]


async def test_at_most_five_errors_are_told_of_an_answer(graph: Graph) -> None:
    text = "{ " + " ".join(f'a{one}: mat(id: "x") {{ id }}' for one in range(8)) + " }"

    assert len(await graph.refused(text)) == 5


# Which operation is run

TWO = "query A { a: __typename } query B { b: __typename }"


@pytest.mark.parametrize(
    ("text", "name", "told"),
    [
        (TWO, None, "This document has several operations: say in `operationName` which one is to run."),
        (TWO, "", "This document has several operations: say in `operationName` which one is to run."),
        (TWO, "C", "This document has no operation named 'C'."),
        ("{ __typename }", "C", "This document has no operation named 'C'."),
        ("", None, "Syntax Error: Unexpected <EOF>."),
    ],
)
async def test_no_operation_is_guessed(graph: Graph, text: str, name: str | None, told: str) -> None:
    context = Context(db=graph.db, clock=graph.clock, asker=graph.viewer)

    result = await the_schema().execute(text, operation_name=name, context_value=context)
    short = await the_schema().engine.answer(Asked(text, name, {}), context)

    assert [error.message for error in result.errors or []] == [told]
    assert (result.data, short) == (None, None)


@pytest.mark.parametrize(("name", "answer"), [("A", {"a": "Query"}), ("B", {"b": "Query"})])
async def test_the_operation_that_was_named_is_run(graph: Graph, name: str, answer: dict[str, str]) -> None:
    context = Context(db=graph.db, clock=graph.clock, asker=graph.viewer)

    result = await the_schema().execute(TWO, operation_name=name, context_value=context)
    short = await the_schema().engine.answer(Asked(TWO, name, {}), context)

    assert (result.errors, result.data, short) == (None, answer, answer)


# What an operation costs

COSTS: list[tuple[str, dict[str, Any], int]] = [
    ("{ __typename }", {}, 1),
    ("{ viewer { role } }", {}, 1),
    ("query ($id: ID!) { mat(id: $id) { name } }", {"id": "mat_00000000000000000000000000000000"}, 1),
    ("query ($id: ID!) { mat(id: $id) { tournament { name } } }", {"id": "mat_00000000000000000000000000000000"}, 2),
    ("{ mats { nodes { id } } }", {}, 21),
    ("{ mats(first: 5) { nodes { id } edges { cursor } } }", {}, 6),
    ("{ mats(last: 5) { nodes { id tournament { name } } } }", {}, 11),
    ("{ mats { totalCount } }", {}, 10),
    ("{ mats(first: 5) { nodes { matches(first: 10) { nodes { id } } } } }", {}, 61),
    ("query ($n: Int) { mats(first: $n) { nodes { matches(first: $n) { nodes { id } } } } }", {"n": 7}, 64),
    ("query ($n: Int) { mats(first: $n) { nodes { matches(first: $n) { nodes { id } } } } }", {}, 441),
    ("query ($n: Int = 2) { mats(first: $n) { nodes { id } } }", {}, 3),
    ("query ($n: Int) { mats(first: $n) { nodes { id } } }", {"n": 1_000_000}, 101),
    ("query ($n: Int) { mats(first: $n) { nodes { id } } }", {"n": -5}, 1),
    ("{ matches(first: 2) { nodes { sides { athlete { name } } } } }", {}, 43),
    ("{ mats(first: 2) { nodes { id } } mats(first: 2) { nodes { name } } }", {}, 3),
    ("{ mats(first: 2) @skip(if: true) { nodes { id } } __typename }", {}, 1),
    ("query ($ids: [ID!]!) { nodes(ids: $ids) { id } }", {"ids": []}, 1),
    ("query ($ids: [ID!]!) { nodes(ids: $ids) { id } }", {"ids": ["mat_00000000000000000000000000000000"] * 3}, 3),
    # Without a plan, because the schema is asked for beside it.
    ("{ __schema { queryType { name } } }", {}, 10),
    ("{ __schema { queryType { name } } mats(first: 5) { nodes { tournament { name } } } }", {}, 20),
    ("query ($n: Int) { __schema { queryType { name } } mats(first: $n) { edges { node { id } } } }", {"n": 50}, 60),
]  # fmt: skip


@pytest.mark.parametrize(("text", "variables", "cost"), COSTS)
def test_an_operation_costs_the_rows_it_may_read(text: str, variables: dict[str, Any], cost: int) -> None:
    assert the_schema().engine.price(Asked(text, None, variables)) == cost


NESTED = "{ mats(first: 100) { nodes { matches(first: 100) { nodes { events(first: 100) { nodes { id } } } } } } }"


async def test_pages_inside_pages_are_refused_before_they_are_read(graph: Graph) -> None:
    nested = [NESTED, NESTED.replace("{ mats", "{ __schema { queryType { name } } mats"), NESTED.replace("100", "1000")]

    with graph.statements() as heard:
        refused = [await graph.refused(text) for text in nested]

    assert [[(error["code"], error["limit"], error["most"]) for error in errors] for errors in refused] == [
        [("BAD_USER_INPUT", "cost", 20_000)]
    ] * 3
    assert refused[0][0]["message"] == (
        "This may read 1020201 rows; an operation may read 20000. Ask for smaller pages, or for fewer inside pages."
    )
    assert heard == []


# A token's budget


@pytest.fixture
def spending() -> Schema:
    """A schema of its own, in which a token may spend 50, and 10 more each second."""
    schema = build_schema()
    schema.engine.budgets = Budgets(most=50, per_second=10)
    return schema


async def test_a_budget_is_spent_refused_and_refilled(graph: Graph, clock: ManualClock, spending: Schema) -> None:
    viewer = Viewer(user_id=new_id(), token_id=new_id(), role=Role.MEMBER)

    async def ask(viewer: Viewer) -> tuple[bool, list[Any]]:
        context = Context(db=graph.db, clock=clock, asker=viewer)
        asked = Asked("{ mats { nodes { id } } }", None, {})
        data = await spending.engine.answer(asked, context)
        if data is not None:
            return True, []
        result = await spending.execute(asked.text, context_value=context)
        return result.data is not None, [error.extensions for error in result.errors or []]

    answers = [await ask(viewer) for _ in range(3)]
    other = await ask(Viewer(user_id=viewer.user_id, token_id=new_id(), role=Role.MEMBER))
    clock.move(timedelta(seconds=2))
    refilled = await ask(viewer)

    numbers = {"code": "RATE_LIMITED", "cost": 21, "left": 8, "most": 50, "retryAfterSeconds": 2}
    assert answers == [(True, []), (True, []), (False, [numbers])]
    assert other == (True, [])
    assert refilled == (True, [])


async def test_an_abandoned_plan_is_charged_once(graph: Graph, spending: Schema) -> None:
    viewer = Viewer(user_id=new_id(), token_id=new_id(), role=Role.MEMBER)
    context = Context(db=graph.db, clock=graph.clock, asker=viewer)
    # There is no such cursor: the plan gives up, and graphql-core says why.
    text = '{ mats(first: 20, after: "x") { nodes { id } } }'

    data = await spending.engine.answer(Asked(text, None, {}), context)
    result = await spending.execute(text, context_value=context)

    assert (data, context.path) == (None, "abandoned")
    assert [error.message for error in result.errors or []] != []
    assert spending.engine.budgets is not None
    assert spending.engine.budgets.left(viewer.token_id) == 50 - 21


def test_only_those_who_have_spent_are_kept(clock: ManualClock) -> None:
    budgets = Budgets(most=50, per_second=10)
    spender = new_id()

    for _ in range(10):
        assert budgets.spend(new_id(), 1, clock) is None
    assert budgets.spend(spender, 30, clock) is None
    clock.move(timedelta(seconds=1))
    budgets.refill(clock.now())

    assert len(budgets) == 1
    assert budgets.left(spender) == 30


def test_whoever_was_away_may_spend_all_of_it_and_no_more(clock: ManualClock) -> None:
    budgets = Budgets(most=50, per_second=10)
    spender = new_id()
    assert budgets.spend(spender, 10, clock) is None

    clock.move(timedelta(hours=1))
    budgets.refill(clock.now())

    assert [budgets.spend(spender, 25, clock) is None for _ in range(3)] == [True, True, False]


def test_a_clock_that_is_put_back_gives_nothing_and_takes_nothing(clock: ManualClock) -> None:
    budgets = Budgets(most=50, per_second=10)
    spender = new_id()
    assert budgets.spend(spender, 30, clock) is None

    clock.move(timedelta(hours=-1))
    budgets.refill(clock.now())

    assert budgets.spend(spender, 20, clock) is None
    assert budgets.left(spender) == 0
