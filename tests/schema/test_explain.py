import logging
from typing import Any

import pytest

from db.database import Database
from db.matches import operations
from schema.context import Context
from schema.engine.executor import Asked
from schema.engine.explain import as_data, in_one_line
from tests.conftest import ManualClock
from tests.support.graph import Graph, the_schema

MATS = "query Mats { mats { totalCount nodes { name tournament { name } matches(first: 1) { nodes { number } } } } }"


@pytest.fixture
async def context(db: Database, clock: ManualClock, graph: Graph) -> Context:
    async with db.transaction() as tx:
        tournament = await operations.create_tournament(tx, name="Open", now=clock.now())
        await operations.create_mat(tx, name="Mat 1", tournament_id=tournament.id, now=clock.now())
    return Context(db=db, clock=clock, asker=graph.viewer, trace=[])


def _without_times(steps: list[dict[str, Any]]) -> list[tuple[str, list[tuple[int, int]], Any]]:
    return [
        (
            step["path"],
            [(statement["keys"], statement["rows"]) for statement in step["statements"]],
            _without_times(step["steps"]),
        )
        for step in steps
    ]


async def test_a_run_is_explained_as_a_tree_of_its_steps(context: Context) -> None:
    await the_schema().engine.answer(Asked(MATS, None, {}), context)

    explained = as_data(context.path, context.trace or [])

    assert (explained["path"], explained["statementCount"]) == ("planned", 4)
    below: list[Any] = [
        ("mats.tournament", [(1, 1)], []),
        ("mats.matches", [(1, 0)], []),
        ("mats.totalCount", [(1, 1)], []),
    ]
    ((path, statements, steps),) = _without_times(explained["steps"])
    assert (path, statements) == ("mats", [(1, 1)])
    assert sorted(steps, key=str) == sorted(below, key=str)


async def test_an_explanation_in_a_log_line_holds_no_statement(context: Context) -> None:
    await the_schema().engine.answer(Asked(MATS, None, {}), context)

    line = in_one_line(context.trace or [])

    assert "mats 1 rows" in line
    assert "SELECT" not in line


async def test_a_slow_operation_is_logged_with_its_steps_and_without_its_variables(
    context: Context, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(the_schema().engine, "slow_seconds", 0.0)
    variables = {"after": "WyJBIiwiMDAwMDAwMDAwMDAwNzAwMDgwMDAwMDAwMDAwMDAwMDAiXQ"}
    text = "query Mats($after: String) { mats(after: $after) { nodes { name } } }"

    with caplog.at_level(logging.WARNING, logger="schema.engine.executor"):
        await the_schema().engine.answer(Asked(text, None, variables), context)

    (message,) = caplog.messages
    assert message.startswith("slow operation Mats took ")
    assert ": mats 1 rows" in message
    assert variables["after"] not in message


async def test_rows_that_come_with_others_are_told_of_where_they_were_read(context: Context) -> None:
    asked = Asked("{ mats(first: 20) { nodes { name matches(first: 20) { nodes { number } } } } }", None, {})
    await the_schema().engine.answer(asked, context)

    (step,) = as_data(context.path, context.trace or [])["steps"]

    together = context.db.statements.dialect.name == "postgresql"
    assert [one["togetherWith"] for one in step["statements"]] == [["mats.matches"] if together else []]
    assert [inner["path"] for inner in step["steps"]] == ([] if together else ["mats.matches"])


async def test_what_may_not_be_asked_of_rows_is_not_said_where_there_are_none(context: Context) -> None:
    asked = Asked("{ mats(last: 0) { nodes { matches(last: -1) { nodes { number } } } } }", None, {})

    data = await the_schema().engine.answer(asked, context)

    assert (data, context.path) == ({"mats": {"nodes": []}}, "planned")
