"""What has stopped, bloated or opened up servers of this kind, tried on a whole server: nobody else notices.

What concerns sockets stands in `test_socket_faults.py`, what concerns the arrival of requests in `test_arriving.py`.
"""

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest

from api.settings import Settings
from schema import build_schema
from tests.conftest import ManualClock
from tests.support.hostile import requests
from tests.support.house import RunningHouse, running_house
from tests.support.work import counted

# Calls, by which no other work of this process is taken for the server's, not even that of the garbage collector.
# So many take 50 to 150 ms on a slow machine; `benchmarks.doors` says how long it takes by the clock.
_STALL = 650_000
_GROWTH = 64 * 1024 * 1024
_ROLE = "{ viewer { role } }"


@pytest.fixture
async def house(migrated_file: Path, tmp_path: Path, clock: ManualClock) -> AsyncIterator[RunningHouse]:
    """A server; what is tried here does not come as far as a database."""
    path = tmp_path / "ringside.db"
    shutil.copy(migrated_file, path)
    async with running_house(f"sqlite:///{path}", clock=clock, has_listener=False) as running:
        yield running


async def test_nothing_that_is_sent_stalls_the_loop_or_bloats_it(
    house: RunningHouse, caplog: pytest.LogCaptureFixture
) -> None:
    headers = {**house.bearer, "Content-Type": "application/json"}
    process = psutil.Process()
    await house.execute(_ROLE)
    before = process.memory_info().rss
    found: list[tuple[str, int, bool, int]] = []

    for name, body in requests():
        with counted() as work:
            answer = await house.http.post("/graphql", content=body, headers=headers)
        told = answer.json().get("errors", [{}])[0].get("message", "") != ""
        found.append((name, answer.status_code, told, work.calls))

    assert [one for one in found if not (one[1] in {200, 400, 413} and one[2] and one[3] < _STALL)] == []
    assert process.memory_info().rss - before < _GROWTH
    assert "Traceback" not in caplog.text
    assert await house.execute(_ROLE) == {"viewer": {"role": "ADMIN"}}


async def test_a_foreign_name_for_this_machine_opens_nothing(house: RunningHouse) -> None:
    """Where a page of another site has its own name point at us, the browser says that name."""
    headers = {**house.bearer, "Host": f"evil.example:{house.port}", "Origin": f"http://evil.example:{house.port}"}

    answers = [
        await house.http.post("/graphql", json={"query": _ROLE}, headers=headers),
        await house.http.get("/graphql?query={viewer{role}}", headers=headers),
        await house.http.get("/metrics", headers=headers),
    ]

    assert [answer.status_code for answer in answers] == [400] * 3


async def test_no_site_is_allowed_to_read_what_is_answered(house: RunningHouse) -> None:
    origin = {"Origin": "https://evil.example"}

    answer = await house.http.post("/graphql", json={"query": _ROLE}, headers={**house.bearer, **origin})
    asked = await house.http.options("/graphql", headers={**origin, "Access-Control-Request-Method": "POST"})

    assert [one for one in (answer, asked) if any(name.startswith("access-control-") for name in one.headers)] == []
    assert (answer.headers["x-content-type-options"], answer.headers["cache-control"]) == ("nosniff", "no-store")
    assert [name for name in answer.headers if name in {"server", "x-powered-by"}] == []


async def test_what_goes_wrong_is_logged_in_one_line_without_literals(
    house: RunningHouse, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    secret = "rs_literal0_in_the_document"  # noqa: S105 -- it opens nothing
    text = "{ " + " ".join(f'a{one}: node(id: "{secret}") {{ nothing }}' for one in range(15)) + " }"

    answer = await house.http.post("/graphql", json={"query": text}, headers=house.bearer)

    assert len(answer.json()["errors"]) == 5
    assert secret not in caplog.text
    # The watchdog may bark: a test has no machine of its own.
    told = [record.name for record in caplog.records if record.levelname in {"WARNING", "ERROR"}]
    assert [name for name in told if name != "api.watchdog"] == []


def test_limits_are_on_without_anybody_setting_them() -> None:
    limits = build_schema().engine.documents.limits
    settings = Settings(_env_file=None)  # type: ignore[call-arg]  # pydantic's own argument

    assert (limits.tokens, limits.depth, limits.aliases) == (
        settings.largest_tokens,
        settings.largest_depth,
        settings.largest_aliases,
    )
    assert (limits.fields, limits.directives, limits.root_fields, limits.cost) == (
        settings.largest_fields,
        settings.largest_directives,
        settings.largest_root_fields,
        settings.largest_cost,
    )
    assert not settings.hints


async def test_requests_at_once_keep_their_errors_apart(house: RunningHouse) -> None:
    """One extension for all requests has shown one client what was another's."""

    async def ask(number: int) -> str:
        answer = await house.http.post("/graphql", json={"query": f"{{ no{number} }}"}, headers=house.bearer)
        message: str = answer.json()["errors"][0]["message"]
        return message

    messages = await asyncio.gather(*(ask(number) for number in range(20)))

    assert messages == [f"Cannot query field 'no{number}' on type 'Query'." for number in range(20)]
