"""What others say GraphQL over HTTP is: the audits of npm's `graphql-http`."""

from collections.abc import AsyncIterator

import pytest

from tests.conftest import ManualClock
from tests.support.house import RunningHouse, running_house
from tests.support.node import run_client


@pytest.fixture
async def house(database_url: str, clock: ManualClock) -> AsyncIterator[RunningHouse]:
    async with running_house(database_url, clock=clock, has_listener=False) as running:
        yield running


@pytest.mark.usefixtures("node")
async def test_every_audit_passes(house: RunningHouse) -> None:
    found = await run_client("audits.mjs", URL=f"{house.url}/graphql", TOKEN=house.secret)

    assert found == {"passed": 61, "missed": []}
