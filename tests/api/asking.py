"""Requests to the graph over plain HTTP, as tests send them."""

from typing import Any
from urllib.parse import urlencode

import httpx

from tests.support.house import RunningHouse

JSON = "application/json"
GRAPHQL = "application/graphql-response+json"
ROLE = "{ viewer { role } }"
ADMIN = {"data": {"viewer": {"role": "ADMIN"}}}


async def post(house: RunningHouse, accept: str | None = None, /, **body: Any) -> httpx.Response:
    headers = {**house.bearer, **({} if accept is None else {"Accept": accept})}
    return await house.http.post("/graphql", json=body, headers=headers)


async def get(house: RunningHouse, accept: str = JSON, /, **query: str) -> httpx.Response:
    return await house.http.get("/graphql?" + urlencode(query), headers={**house.bearer, "Accept": accept})


def told(answer: httpx.Response) -> tuple[int, str, list[str]]:
    """Return the status, the media type, and the codes of the errors."""
    errors = answer.json().get("errors", [])
    media = answer.headers["content-type"].partition(";")[0]
    return answer.status_code, media, [error["extensions"]["code"] for error in errors]
