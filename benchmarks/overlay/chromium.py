"""A Chromium without a window, told what to do over its DevTools protocol."""

import asyncio
import shutil
import tempfile
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import httpx
import orjson
from websockets.asyncio.client import ClientConnection, connect

_NAMES = ("chromium", "chromium-browser", "google-chrome")
_PATIENCE_SECONDS = 30.0


@dataclass
class Tab:
    """A page of a browser."""

    connection: ClientConnection
    _ids: Any = field(default_factory=lambda: count(1))

    async def send(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Send a command and return its result."""
        number = next(self._ids)
        await self.connection.send(orjson.dumps({"id": number, "method": method, "params": parameters}).decode())
        async with asyncio.timeout(_PATIENCE_SECONDS):
            while True:
                message: dict[str, Any] = orjson.loads(await self.connection.recv())
                if message.get("id") == number:
                    break
        if "error" in message:
            raise RuntimeError(f"{method}: {message['error']['message']}")
        result: dict[str, Any] = message["result"]
        return result

    async def evaluate(self, expression: str) -> Any:
        """Return the value of an expression in the page."""
        result = await self.send("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in result:
            raise RuntimeError(result["exceptionDetails"]["text"])
        return result["result"].get("value")

    async def until(self, condition: str) -> None:
        """Wait until an expression holds in the page."""
        async with asyncio.timeout(_PATIENCE_SECONDS):
            while not await self.evaluate(condition):  # noqa: ASYNC110 -- a page tells nobody
                await asyncio.sleep(0.05)


@asynccontextmanager
async def open_tab(width: int, height: int, flags: Sequence[str] = ()) -> AsyncIterator[Tab]:
    """Start a browser with one page of a size, and end it with the block."""
    found = next(filter(None, map(shutil.which, _NAMES)), None)
    if found is None:
        raise SystemExit("There is no Chromium here: it is looked for as " + ", ".join(_NAMES) + ".")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        process = await asyncio.create_subprocess_exec(
            *(found, "--headless=new", "--no-sandbox", "--disable-gpu", "--remote-debugging-port=0"),
            *(f"--user-data-dir={folder}", f"--window-size={width},{height}", *flags, "about:blank"),
            stdout=DEVNULL,
            stderr=PIPE,
        )
        try:
            url = await _page_of(process)
            async with connect(url, max_size=None, compression=None, proxy=None) as connection:
                yield Tab(connection)
        finally:
            process.terminate()
            await process.wait()


async def _page_of(process: asyncio.subprocess.Process) -> str:
    """Return where the browser's first page listens; the browser says its port once it is open."""
    assert process.stderr is not None
    async with asyncio.timeout(_PATIENCE_SECONDS):
        while b"DevTools listening on ws://" not in (line := await process.stderr.readline()):
            if not line:
                raise RuntimeError("Chromium ended before it began.")
        host = line.split(b"ws://")[1].split(b"/")[0].decode()
        async with httpx.AsyncClient(trust_env=False) as http:
            while True:
                tabs = (await http.get(f"http://{host}/json")).json()
                pages: list[str] = [tab["webSocketDebuggerUrl"] for tab in tabs if tab["type"] == "page"]
                if pages:
                    return pages[0]
                await asyncio.sleep(0.05)
