"""Asking what the schema is: for those who may, and never for an overlay."""

import asyncio
import threading

import pytest
from graphql import GraphQLSchema, execute_sync, get_introspection_query, parse

from db.access import operations as access
from db.access.viewer import Role, Viewer
from db.database import Database
from db.ids import new_id
from schema import build_schema
from schema.context import Context
from schema.engine.executor import Asked
from schema.engine.introspection import ANSWERS_KEPT, Introspections
from schema.scalars import print_answer
from tests.conftest import ManualClock
from tests.support.graph import the_schema
from tests.support.house import PATIENCE_SECONDS, RunningHouse, eventually, running_house

ASKED = [
    "{ __schema { queryType { name } } }",
    '{ a: __type(name: "Mat") { name } }',
    "{ viewer { role } ...F } fragment F on Query { ... { __schema { queryType { name } } } }",
]
NOT_ASKED = "{ __typename viewer { __typename } }"


async def secret_of(house: RunningHouse, role: Role, *, is_overlay: bool = False) -> str:
    now = house.house.clock.now()
    async with house.house.db.transaction() as tx:
        user = await access.create_user(tx, name=f"{role} {is_overlay}", role=role, now=now)
        nodes = [house.mat_id] if is_overlay else None
        return (await access.create_token(tx, user_id=user.id, label="x", nodes=nodes, now=now)).secret


async def codes(house: RunningHouse, secret: str, *texts: str) -> list[str]:
    """Return how operations are answered: the code of the error, or nothing."""
    found = []
    for text in texts:
        headers = {"Authorization": f"Bearer {secret}"}
        answer = (await house.http.post("/graphql", json={"query": text}, headers=headers)).json()
        found.append("".join(error["extensions"]["code"] for error in answer.get("errors", [])))
        assert ("data" in answer) == (found[-1] == "")
    return found


@pytest.mark.parametrize("least", [None, Role.MEMBER])
async def test_the_schema_is_shown_to_whoever_may_ask(
    database_url: str, clock: ManualClock, least: Role | None
) -> None:
    given = {} if least is None else {"introspection": least}
    async with running_house(database_url, clock=clock, has_listener=False, **given) as house:
        found = {role: await codes(house, await secret_of(house, role), *ASKED, NOT_ASKED) for role in Role}
        overlay = await codes(house, await secret_of(house, Role.ADMIN, is_overlay=True), *ASKED, NOT_ASKED)

    shown, hidden = ["", "", "", ""], ["FORBIDDEN", "FORBIDDEN", "FORBIDDEN", ""]
    may = [Role.ADMIN] if least is None else [Role.MEMBER, Role.OPERATOR, Role.ADMIN]
    assert found == {role: shown if role in may else hidden for role in Role}
    # An overlay has no `viewer`, and no schema.
    assert overlay == hidden


WHOLE = get_introspection_query(input_value_deprecation=True)


async def test_the_schema_is_walked_once_and_told_to_all(db: Database, clock: ManualClock) -> None:
    engine = build_schema().engine
    admin, member = (Viewer(user_id=new_id(), token_id=new_id(), role=role) for role in (Role.ADMIN, Role.MEMBER))

    async def ask(viewer: Viewer, text: str) -> tuple[str | None, bytes]:
        context = Context(db=db, clock=clock, asker=viewer)
        answer = await engine.answer(Asked(text, None, {}), context)
        return context.path, print_answer(answer)

    together = await asyncio.gather(*(ask(admin, WHOLE) for _ in range(3)))
    later = await ask(admin, WHOLE)
    hidden = await ask(member, WHOLE)
    mixed = await ask(admin, ASKED[2])

    expected = execute_sync(the_schema()._schema, parse(WHOLE)).data
    assert [*together, later] == [("unplanned", print_answer(expected))] * 4
    # Both are graphql-core's to answer: a refusal, and what is data as well.
    assert [hidden, mixed] == [(None, b"null")] * 2
    assert engine.introspections.counts == {"executed": 1, "kept": 1}


async def test_a_door_says_that_the_schema_was_not_planned(database_url: str, clock: ManualClock) -> None:
    async with running_house(database_url, clock=clock, has_listener=False) as house:
        headers = {"Authorization": f"Bearer {await secret_of(house, Role.ADMIN)}"}
        answers = [await house.http.post("/graphql", json={"query": ASKED[0]}, headers=headers) for _ in range(2)]

    told = [(answer.headers["x-ringside-path"], answer.json()) for answer in answers]
    assert told == [("unplanned", {"data": {"__schema": {"queryType": {"name": "Query"}}}})] * 2


async def test_walking_the_schema_does_not_hold_the_loop() -> None:
    """What the walk waits for is done by the loop meanwhile."""
    reached, is_done = threading.Event(), threading.Event()

    class Waiting(GraphQLSchema):
        @property
        def description(self) -> str:
            reached.set()
            return "walked beside the loop" if is_done.wait(PATIENCE_SECONDS) else "walked on the loop"

        @description.setter
        def description(self, _: str | None) -> None:
            """Take nothing."""

    introspections = Introspections(Waiting(query=the_schema()._schema.query_type))
    text = "{ __schema { description } }"
    asking = asyncio.create_task(introspections.answer(text, parse(text), None, {}))
    await eventually(reached.is_set)
    is_done.set()

    assert print_answer(await asking) == b'{"__schema":{"description":"walked beside the loop"}}'


async def test_what_is_asked_of_the_schema_is_answered_as_graphql_core_does() -> None:
    schema = the_schema()
    introspections = Introspections(schema._schema)
    text = "query Q($name: String!, $old: Boolean) { __type(name: $name) { fields(includeDeprecated: $old) { name } } }"

    found = []
    for variables in ({"name": "Mat", "old": True}, {"name": "Mat", "old": False}, {"name": "Nothing"}):
        data = await introspections.answer(text, parse(text), "Q", variables)
        expected = execute_sync(schema._schema, parse(text), variable_values=variables).data
        found.append(print_answer(data) == print_answer(expected))

    assert found == [True] * 3
    assert len(introspections) == 3


async def test_answers_about_the_schema_are_kept_within_bounds() -> None:
    introspections = Introspections(the_schema()._schema)
    texts = [f"{{ a{number}: __schema {{ queryType {{ name }} }} }}" for number in range(ANSWERS_KEPT + 3)]

    for text in (*texts, texts[-1]):
        await introspections.answer(text, parse(text), None, {})

    assert len(introspections) == ANSWERS_KEPT
    assert introspections.counts == {"executed": len(texts), "kept": 1}
