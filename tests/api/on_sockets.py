"""What tests of sockets ask over one."""

from typing import Any

from tests.support.house import GraphQLSocket, RunningHouse


async def role(socket: GraphQLSocket) -> str:
    """Ask who one is."""
    async for data in socket.subscribe("{ viewer { role } }"):
        answer: str = data["viewer"]["role"]
    return answer


CREATE = """
mutation ($input: TokenInput!) { tokenCreate(input: $input) { secret token { id } errors { message } } }
"""


async def new_token(house: RunningHouse, **given: Any) -> dict[str, Any]:
    made = (await house.execute(CREATE, input={"label": "test", **given}))["tokenCreate"]
    assert made["errors"] == []
    found: dict[str, Any] = made
    return found


def expected_board(revision: int, blue: int, red: int) -> dict[str, Any]:
    return {"revision": revision, "blue": {"score": blue}, "red": {"score": red}}
