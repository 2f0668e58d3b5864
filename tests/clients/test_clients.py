"""Clients that nobody here wrote, as they are, against a server as it runs: a query, a mutation, what goes wrong."""

import asyncio
import json
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from gql import Client, gql
from gql.transport.exceptions import TransportQueryError
from gql.transport.httpx import HTTPXAsyncTransport

from schema import print_contract
from tests.conftest import ManualClock
from tests.support.house import PATIENCE_SECONDS, RunningHouse, running_house
from tests.support.node import run_client

_RELAY = Path(__file__).with_name("node_modules") / "relay-compiler" / "cli.js"


@pytest.fixture
async def house(database_url: str, clock: ManualClock) -> AsyncIterator[RunningHouse]:
    async with running_house(database_url, clock=clock, has_listener=False) as running:
        yield running


@pytest.mark.usefixtures("node")
async def test_apollo_client(house: RunningHouse) -> None:
    heard = await run_client("ask-apollo.mjs", URL=f"{house.url}/graphql", TOKEN=house.secret)

    assert heard == {
        "before": ["Mat 1"],
        "created": "From Apollo",
        "refused": [{"code": "BAD_USER_INPUT", "field": "name"}],
        "after": ["From Apollo", "Mat 1"],
        "field": ["BAD_USER_INPUT"],
        "document": ["BAD_USER_INPUT"],
        "persisted": [2, 2],
        # Not known by its name at first, then sent whole, then known.
        "sent": ["POST by name", "POST whole", "POST by name"],
    }


@pytest.mark.parametrize("by_get", ["yes", "no"])
@pytest.mark.usefixtures("node")
async def test_urql(house: RunningHouse, by_get: str) -> None:
    heard = await run_client("ask-urql.mjs", URL=f"{house.url}/graphql", TOKEN=house.secret, BY_GET=by_get)

    assert heard == {
        "before": ["Mat 1"],
        "created": "From urql",
        "refused": [{"code": "BAD_USER_INPUT", "field": "name"}],
        "after": ["From urql", "Mat 1"],
        "field": {"data": {"mat": None}, "codes": ["BAD_USER_INPUT"]},
        "document": {"hasData": False, "codes": ["BAD_USER_INPUT"]},
    }


@pytest.mark.usefixtures("node")
async def test_the_relay_compiler(tmp_path: Path) -> None:
    """It knows nodes and connections by their shapes, and asks for what it needs to page and to read again."""
    (tmp_path / "schema.graphql").write_text(print_contract())
    (tmp_path / "relay.config.json").write_text(
        json.dumps({"src": ".", "schema": "./schema.graphql", "language": "typescript", "excludes": []})
    )
    (tmp_path / "Mats.ts").write_text("""
      import { graphql } from "relay-runtime";
      const mats = graphql`
        fragment Mats_mat on Mat
        @argumentDefinitions(first: { type: "Int", defaultValue: 20 }, after: { type: "String" })
        @refetchable(queryName: "MatsRefetchQuery") {
          name
          matches(first: $first, after: $after) @connection(key: "Mats_matches") {
            edges { node { number } }
          }
        }
      `;
      const query = graphql`query MatsQuery($id: ID!) { mat(id: $id) { ...Mats_mat } }`;
      const create = graphql`mutation MatsCreateMutation { matCreate(input: {name: "x"}) { mat { id } } }`;
      const watch = graphql`subscription MatsSubscription($id: ID!) {
        scoreboardChanged(matId: $id) { scoreboard { revision } }
      }`;
    """)

    code, told = await _run("node", str(_RELAY), cwd=tmp_path)

    assert code == 0, told
    assert _made(tmp_path) == [
        "MatsCreateMutation.graphql.ts",
        "MatsQuery.graphql.ts",
        "MatsRefetchQuery.graphql.ts",
        "MatsSubscription.graphql.ts",
        "Mats_mat.graphql.ts",
    ]


async def test_gql(house: RunningHouse) -> None:
    # By themselves they would wait for 5 s and 10 s, which the whole schema takes on a machine that is busy.
    transport = HTTPXAsyncTransport(url=f"{house.url}/graphql", headers=house.bearer, timeout=PATIENCE_SECONDS)
    create = gql("mutation ($name: String!) { matCreate(input: {name: $name}) { mat { name } errors { code } } }")

    patient = Client(transport=transport, fetch_schema_from_transport=True, execute_timeout=PATIENCE_SECONDS)
    async with patient as client:
        before = await client.execute(gql("{ mats { nodes { name } } }"))
        create.variable_values = {"name": "From gql"}
        created = await client.execute(create)
        create.variable_values = {"name": ""}
        refused = await client.execute(create)
        with pytest.raises(TransportQueryError) as raised:
            await client.execute(gql('{ mat(id: "x") { id } }'))

    assert before == {"mats": {"nodes": [{"name": "Mat 1"}]}}
    assert created == {"matCreate": {"mat": {"name": "From gql"}, "errors": []}}
    assert refused == {"matCreate": {"mat": None, "errors": [{"code": "BAD_USER_INPUT"}]}}
    told: list[dict[str, Any]] = raised.value.errors or []
    assert [error["extensions"]["code"] for error in told] == ["BAD_USER_INPUT"]


def _made(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*.graphql.ts"))


async def _run(*command: str, cwd: Path) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(*command, cwd=cwd, stdout=PIPE, stderr=PIPE)
    output, errors = await process.communicate()
    return process.returncode or 0, (output + errors).decode()
