"""Trees that are asked level by level are read by one statement, and come in the order in which levels would."""

# ruff: noqa: TC001, TC003 -- Strawberry reads annotations at run time

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
import strawberry

from db.access.viewer import Role, ViewerKind
from db.batches import Order, ToMany, ToOne
from db.database import Database
from db.ids import new_id
from db.practice.tables import Goal
from db.practice.vocabulary import GoalLevel
from db.sqlite_database import SQLiteDatabase
from schema import Schema
from schema.context import Context
from schema.engine.executor import Asked
from schema.fields import Demand, column, lookup, to_many, to_one, value
from schema.ids import encode_id
from schema.scalars import print_answer
from tests.conftest import ManualClock
from tests.support.practice import make_goal, make_user, viewer_of

_LEVELS = [GoalLevel.ULTIMATE, GoalLevel.LONG_TERM, GoalLevel.MID_TERM, GoalLevel.SHORT_TERM]


def _seen(_: ViewerKind) -> Any:
    return Goal.description != "hidden"


branch_by_id = ToOne(model=Goal, visible=lambda _: None)
branches_by_parent = ToMany(
    model=Goal, by="parent_id", order=Order(columns=("position", "id")), visible=_seen, tree=1000
)


@value
class Branch:
    """A goal, drawn as a branch."""

    name: str = column("What it is called.")
    description: str = column("What is said of it.")
    completed_at: datetime | None = column("When it was reached. Null if it was not.")
    changed_at: datetime = column("When it was changed.")
    above: Branch | None = to_one("What it grows from. Null at the root.", branch_by_id, key="parent_id")
    branches: list[Branch] = to_many("What grows from it, in order.", branches_by_parent)


@strawberry.type(description="Everything that can be asked.")
class Query:
    """Everything that can be asked."""

    branch: Branch | None = lookup("One branch.", "goal", branch_by_id, demand=Demand(Role.VIEWER))


# What is asked, and in how many statements PostgreSQL and SQLite are: SQLite reads a tree level by level.
OPERATIONS = [
    # The root, and all that is below it.
    ("name branches { name branches { description branches { changedAt completedAt } } }", 2, 4),
    ("branches { branches { name } name }", 2, 3),
    # Levels ask for different things, and one for what is beside the tree.
    ("branches { name branches { above { name } branches { name } } }", 3, 5),
    # Under two names each level is read by itself, and what is below each.
    ("a: branches { branches { name } } b: branches { name }", 3, 3),
    ("branches { a: branches { name } b: branches { description } }", 3, 3),
    ("branches { branches { branches { branches { branches { name } } } } }", 2, 5),
    ("branches { name }", 2, 2),
]


@pytest.fixture(scope="module")
def schema() -> Schema:
    return Schema(query=Query, mutation=None, types=[Branch])


async def plant(db: Database) -> tuple[Goal, Any]:
    """Make a tree of which one branch is hidden with all that grows from it, and the one who sees the rest."""
    user = await make_user(db)
    root = await make_goal(db, user.id, _LEVELS[0], name="root")
    parents = [root]
    for depth, level in enumerate(_LEVELS[1:], start=1):
        made = []
        for number, parent in enumerate(parents):
            for place in range(3 - number % 2):
                text = "hidden" if depth == 2 and place == 1 else f'comma, "quote"\n\x1f {place}'
                name = f"{parent.name} {place}"
                made.append(await make_goal(db, user.id, level, under=parent, name=name, description=text))
        parents = made
    return root, viewer_of(user)


async def test_a_tree_is_read_by_one_statement_where_that_is_quicker(
    schema: Schema, db: Database, clock: ManualClock
) -> None:
    root, viewer = await plant(db)

    for selection, on_postgresql, on_sqlite in OPERATIONS:
        statements = on_sqlite if isinstance(db, SQLiteDatabase) else on_postgresql
        operation = f"query ($id: ID!) {{ branch(id: $id) {{ {selection} }} }}"
        asked = Asked(operation, None, {"id": encode_id("goal", root.id)})
        context = Context(db=db, clock=clock, asker=viewer, trace=[])
        data = await schema.engine.answer(asked, context)
        stock = await schema.execute(
            operation,
            variable_values=asked.variables,
            context_value=Context(db=db, clock=clock, asker=viewer, may_plan=False),
        )

        assert context.path == "planned", selection
        assert print_answer(data) == print_answer(getattr(stock, "data", None)), selection
        assert len(context.trace or ()) == statements, selection


async def test_a_tree_of_nothing_but_its_root_has_no_branches(schema: Schema, db: Database, clock: ManualClock) -> None:
    user = await make_user(db)
    root = await make_goal(db, user.id)
    operation = "query ($id: ID!) { branch(id: $id) { branches { branches { name } } } }"

    answers = []
    for id_ in (root.id, new_id()):
        context = Context(db=db, clock=clock, asker=viewer_of(user))
        answers.append(await schema.engine.answer(Asked(operation, None, {"id": encode_id("goal", id_)}), context))

    assert answers == [{"branch": {"branches": []}}, {"branch": None}]
