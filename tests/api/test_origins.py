"""Other sites: those that were named may ask and read what is answered, all others are told nothing."""

from collections.abc import AsyncIterator

import httpx
import pytest

from tests.conftest import ManualClock
from tests.support.house import RunningHouse, running_house

STUDIO = "https://studio.example"
ROLE = {"query": "{ viewer { role } }"}


@pytest.fixture
async def house(database_url: str, clock: ManualClock) -> AsyncIterator[RunningHouse]:
    async with running_house(
        database_url, clock=clock, has_listener=False, allowed_origins=[STUDIO, "null"]
    ) as running:
        yield running


def said(answer: httpx.Response) -> dict[str, str]:
    """Return what a browser is told of other sites."""
    names = [name for name in answer.headers if name.startswith("access-control-") or name == "vary"]
    return {name: answer.headers[name] for name in names}


async def test_a_site_that_was_named_asks_and_reads(house: RunningHouse) -> None:
    from_there = {**house.bearer, "Origin": STUDIO, "Sec-Fetch-Site": "cross-site"}
    asks = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization,content-type"}

    before = await house.http.options("/graphql", headers={"Origin": STUDIO, **asks})
    # Twice, so that the second could take the short way.
    answers = [await house.http.post("/graphql", json=ROLE, headers=from_there) for _ in range(2)]

    assert before.status_code == 200
    assert before.headers["access-control-allow-origin"] == STUDIO
    assert before.headers["access-control-allow-methods"] == "GET, POST"
    assert {"authorization", "content-type"} <= {
        name.strip().lower() for name in before.headers["access-control-allow-headers"].split(",")
    }
    assert [answer.json() for answer in answers] == [{"data": {"viewer": {"role": "ADMIN"}}}] * 2
    assert [said(answer) for answer in answers] == [
        {
            "access-control-allow-origin": STUDIO,
            "access-control-expose-headers": "Retry-After, X-Ringside-Path",
            "vary": "Origin",
        }
    ] * 2


async def test_a_site_that_was_not_named_is_told_nothing(house: RunningHouse) -> None:
    asks = {"Access-Control-Request-Method": "POST"}
    origins = [
        "https://evil.example",
        "null",
        "https://studio.example.evil",
        "http://studio.example",
        "HTTPS://STUDIO.EXAMPLE",
        "",
    ]

    answers = {
        origin: [
            await house.http.options("/graphql", headers={"Origin": origin, **asks}),
            await house.http.post("/graphql", json=ROLE, headers={**house.bearer, "Origin": origin}),
            await house.http.get("/graphql", headers={**house.bearer, "Origin": origin}),
        ]
        for origin in origins
    }

    assert {origin: list(map(said, each)) for origin, each in answers.items()} == dict.fromkeys(origins, [{}] * 3)
    assert {each[0].status_code for each in answers.values()} == {405}


async def test_a_page_of_another_site_sends_nothing(house: RunningHouse) -> None:
    from_there = {**house.bearer, "Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
    await house.execute(ROLE["query"])

    refused = await house.http.post("/graphql", json=ROLE, headers=from_there)
    followed = await house.http.get("/graphql", headers={"Accept": "text/html", "Sec-Fetch-Site": "cross-site"})
    ours = await house.http.post(
        "/graphql", json=ROLE, headers={**house.bearer, "Origin": house.url, "Sec-Fetch-Site": "same-origin"}
    )

    assert (refused.status_code, refused.json()["errors"][0]["extensions"]) == (403, {"code": "FORBIDDEN"})
    assert (followed.status_code, ours.status_code) == (200, 200)
