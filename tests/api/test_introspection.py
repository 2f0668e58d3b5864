"""Asking what the schema is: for those who may, and never for an overlay."""

import pytest

from db.access import operations as access
from db.access.viewer import Role
from tests.conftest import ManualClock
from tests.support.house import RunningHouse, running_house

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
