"""Asking a running server: what commands do that must be heard by whoever watches."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import httpx
import orjson
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidURI
from websockets.typing import Subprotocol

from db.errors import Conflict, Invalid, Refusal, Unauthenticated, Unavailable

_PATIENCE_SECONDS = 10.0
# Whoever has read more than his budget is made to wait, and not for longer than this.
_DOWNLOAD_SECONDS = 60.0
_SENT_AT_ONCE = 65_536
_PROTOCOL = Subprotocol("graphql-transport-ws")


@dataclass(frozen=True, kw_only=True)
class Client:
    """A server's address, and the token to ask it with."""

    url: str
    token: str

    async def execute(self, operation: str, **variables: Any) -> dict[str, Any]:
        """Return the data of an operation. Raises what the server refuses, in its own words."""
        headers = {"Authorization": f"Bearer {self.token}"}
        try:
            async with httpx.AsyncClient(timeout=_PATIENCE_SECONDS, trust_env=False, headers=headers) as http:
                answer = await http.post(f"{self._base}/graphql", json={"query": operation, "variables": variables})
                body = answer.json()
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            raise Unavailable(
                f"No server of Ringside answers at {self.url}: {str(error) or type(error).__name__}"
            ) from error
        return _data_of(body)

    async def change(self, operation: str, **variables: Any) -> dict[str, Any]:
        """Return the payload of a mutation. Raises what was refused."""
        (payload,) = (await self.execute(operation, **variables)).values()
        for refused in payload["errors"]:
            raise Invalid(refused["message"], field=refused["field"])
        return cast("dict[str, Any]", payload)

    @asynccontextmanager
    async def download(self, path: str, parameters: Sequence[tuple[str, str]]) -> AsyncIterator[AsyncIterator[bytes]]:
        """Give a file part by part. Raises what the server refuses, and `Unavailable` for a file that is cut short."""
        headers = {"Authorization": f"Bearer {self.token}"}
        try:
            async with (
                httpx.AsyncClient(timeout=_DOWNLOAD_SECONDS, trust_env=False, headers=headers) as http,
                http.stream("GET", f"{self._base}{path}", params=list(parameters)) as answer,
            ):
                if answer.status_code != httpx.codes.OK:
                    _data_of(orjson.loads(await answer.aread()))
                yield answer.aiter_bytes()
        except (httpx.HTTPError, httpx.InvalidURL, orjson.JSONDecodeError) as error:
            told = str(error) or type(error).__name__
            raise Unavailable(f"The server at {self.url} did not send all of it: {told}") from error

    async def upload(
        self, path: str, file: Path, parameters: Mapping[str, str], progress: Callable[[int], None]
    ) -> dict[str, Any]:
        """Send a file, and return what the server answers. Raises what it refuses."""
        size = await asyncio.to_thread(lambda: file.stat().st_size)
        headers = {"Authorization": f"Bearer {self.token}", "Content-Length": str(size)}
        try:
            async with httpx.AsyncClient(timeout=_DOWNLOAD_SECONDS, trust_env=False, headers=headers) as http:
                parts = _parts_of(file, progress)
                answer = await http.post(f"{self._base}{path}", params=dict(parameters), content=parts)
                body = answer.json()
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            told = str(error) or type(error).__name__
            raise Unavailable(f"The server at {self.url} did not take the file: {told}") from error
        if not isinstance(body, dict) or "errors" in body:
            _data_of(body)
        return cast("dict[str, Any]", body)

    @asynccontextmanager
    async def subscribe(self, operation: str, **variables: Any) -> AsyncIterator[AsyncIterator[dict[str, Any]]]:
        """Give the answers of a subscription as they come."""
        address = "ws" + f"{self._base}/graphql".removeprefix("http")
        try:
            async with connect(address, subprotocols=[_PROTOCOL], proxy=None, open_timeout=_PATIENCE_SECONDS) as socket:
                await _send(socket, {"type": "connection_init", "payload": {"token": self.token}})
                payload = {"query": operation, "variables": variables}
                await _send(socket, {"type": "subscribe", "id": "1", "payload": payload})
                yield _answers(socket)
        except ConnectionClosed as closed:
            reason = closed.rcvd.reason if closed.rcvd else ""
            raise Unavailable(f"The server hung up: {reason or 'it did not say why'}") from closed
        except (OSError, TimeoutError, InvalidHandshake, InvalidURI) as error:
            raise Unavailable(f"No server of Ringside answers at {self.url}: {error}") from error

    @property
    def _base(self) -> str:
        return self.url.rstrip("/")


async def _parts_of(file: Path, progress: Callable[[int], None]) -> AsyncIterator[bytes]:
    sent = 0
    with file.open("rb") as opened:
        while part := await asyncio.to_thread(opened.read, _SENT_AT_ONCE):
            yield part
            sent += len(part)
            progress(sent)


async def _send(socket: Any, message: dict[str, Any]) -> None:
    await socket.send(orjson.dumps(message).decode())


async def _answers(socket: Any) -> AsyncIterator[dict[str, Any]]:
    async for text in socket:
        message = orjson.loads(text)
        if message["type"] == "next":
            yield _data_of(message["payload"])
        elif message["type"] == "error":
            _data_of({"errors": message["payload"]})
        elif message["type"] == "ping":
            await _send(socket, {"type": "pong"})
        elif message["type"] == "complete":
            return


def _data_of(body: Any) -> dict[str, Any]:
    if not isinstance(body, dict):
        raise Unavailable("What answers there is no server of Ringside.")
    for first in body.get("errors") or ():
        raise _REFUSALS.get(first.get("extensions", {}).get("code", ""), Conflict)(first["message"])
    return cast("dict[str, Any]", body["data"])


_REFUSALS: dict[str, type[Refusal]] = {"UNAUTHENTICATED": Unauthenticated, "UNAVAILABLE": Unavailable}
