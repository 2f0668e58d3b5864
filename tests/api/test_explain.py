from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from typer.testing import CliRunner

from api.cli import app
from tests.support.house import RunningHouse, running_house

MATS = "{ mats { nodes { name currentMatch { number } } } }"


@pytest.fixture
async def house(database_url: str) -> AsyncIterator[RunningHouse]:
    async with running_house(database_url, has_listener=False) as running:
        yield running


async def _post(house: RunningHouse, **body: Any) -> httpx.Response:
    return await house.http.post("/graphql", json=body, headers=house.bearer)


async def test_an_admin_may_ask_how_an_operation_was_answered(house: RunningHouse) -> None:
    answer = await _post(house, query=MATS, extensions={"explain": True})

    assert answer.status_code == 200
    explained = answer.json()["extensions"]["explain"]
    assert (explained["path"], explained["statementCount"]) == ("planned", 1)
    assert [step["path"] for step in explained["steps"]] == ["mats"]
    assert answer.json()["data"] == {"mats": {"nodes": [{"name": "Mat 1", "currentMatch": None}]}}


async def test_what_has_no_plan_says_so(house: RunningHouse) -> None:
    answer = await _post(house, query="{ __schema { queryType { name } } }", extensions={"explain": True})

    assert answer.json() == {
        "data": {"__schema": {"queryType": {"name": "Query"}}},
        "extensions": {"explain": {"path": "unplanned", "statementCount": 0, "milliseconds": 0, "steps": []}},
    }


async def test_a_header_says_which_path_answered(house: RunningHouse) -> None:
    planned = await _post(house, query=MATS)

    assert planned.headers["x-ringside-path"] == "planned"


def test_the_command_shows_a_plan_as_data(migrated_file: Path, tmp_path: Path) -> None:
    document = tmp_path / "mats.graphql"
    document.write_text(MATS)

    result = CliRunner().invoke(app, ["explain", str(document), "--database", f"sqlite:///{migrated_file}", "--json"])

    explained = orjson.loads(result.stdout)
    assert (explained["path"], explained["statementCount"]) == ("planned", 1)
    assert explained["steps"][0]["statements"][0]["rows"] == 0


def test_the_command_runs_no_change(migrated_file: Path, tmp_path: Path) -> None:
    document = tmp_path / "lay.graphql"
    document.write_text('mutation { matCreate(input: {name: "A"}) { mat { id } } }')

    result = CliRunner().invoke(app, ["explain", str(document), "--database", f"sqlite:///{migrated_file}"])

    assert result.exit_code == 1
    assert "it takes one query: no mutation, no subscription." in result.stderr
