"""`ringside explain`: a query run once, and what it read, step by step."""

import time
from typing import Any

import orjson
from graphql import GraphQLError, OperationType, get_operation_ast, parse
from rich.syntax import Syntax
from rich.text import Text
from rich.tree import Tree

from api.commands.output import console, print_json
from db.access.viewer import Role, Viewer
from db.clock import Clock
from db.connecting import connect
from db.errors import Invalid
from db.ids import new_id
from schema import build_schema
from schema.context import Context
from schema.engine.executor import Asked
from schema.engine.explain import Step, as_data, tree

_MILLISECONDS = 1000.0


async def explain(
    url: str, clock: Clock, name: str, text: str, *, variables: str, shows_sql: bool, as_json: bool
) -> None:
    """Run a query as an admin would, and show its plan under a name."""
    given = _variables(variables)
    _refuse_changes(text)
    schema = build_schema()
    db = await connect(url, pool_size=4)
    try:
        context = Context(
            db=db,
            clock=clock,
            asker=Viewer(user_id=new_id(), token_id=new_id(), role=Role.ADMIN),
            trace=[],
        )
        began = time.perf_counter()
        is_planned = await schema.engine.answer(Asked(text, None, given), context) is not None
        seconds = time.perf_counter() - began
        # Without a plan there is nothing to show, but what is wrong with a document is worth saying.
        result = None if is_planned else await schema.execute(text, variable_values=given, context_value=context)
    finally:
        await db.close()
    if result is not None and result.errors:
        raise Invalid("; ".join(error.message for error in result.errors))
    data = as_data(context.path or "unplanned", context.trace or [])
    if as_json:
        print_json(data)
        return
    _show(name, data, tree(context.trace or []), seconds, shows_sql=shows_sql)


def _show(name: str, data: dict[str, Any], steps: list[Step], seconds: float, *, shows_sql: bool) -> None:
    count = data["statementCount"]
    head = Text.assemble(
        (name, "bold"),
        f"  {data['path']}, {count} statement{'' if count == 1 else 's'}, {seconds * _MILLISECONDS:.1f} ms in all",
    )
    shown = Tree(head)
    for step in steps:
        _grow(shown, step, shows_sql=shows_sql)
    console.print(shown)


def _grow(above: Tree, step: Step, *, shows_sql: bool) -> None:
    branch = above.add(Text(step.name, "bold cyan"))
    for one in step.statements:
        keys = "" if one.keys == 1 else f" for {one.keys} parents"
        below = "".join(f", {path.removeprefix(one.path + '.')}" for path in one.below)
        branch.add(
            f"{one.rows} rows{keys}, {one.seconds * _MILLISECONDS:.2f} ms{below and ', together with' + below[1:]}"
        )
        if shows_sql:
            branch.add(Syntax(one.sql, "sql", background_color="default", word_wrap=True))
    for inner in step.steps:
        _grow(branch, inner, shows_sql=shows_sql)


def _variables(text: str) -> dict[str, Any]:
    try:
        given = orjson.loads(text)
    except ValueError as error:
        raise Invalid(f"Variables are a JSON object, this is not: {text!r}") from error
    if not isinstance(given, dict):
        raise Invalid(f"Variables are a JSON object, this is not: {text!r}")
    return given


def _refuse_changes(text: str) -> None:
    try:
        operation = get_operation_ast(parse(text))
    except GraphQLError as error:
        raise Invalid(f"This is not a document: {error.message}") from error
    if operation is None or operation.operation is not OperationType.QUERY:
        raise Invalid("Explaining runs the operation, so it takes one query: no mutation, no subscription.")
