"""A web server of a few lines, which answers what a test says, byte by byte, and remembers what it was asked."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

Write = Callable[[bytes], Awaitable[None]]


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A request."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What is answered. `drip` is written after the body, piece by piece, until whoever asks has had enough."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    drip: bytes = b""
    breaks_off: bool = False


Handler = Callable[[Asked], Answer]


@dataclass
class Web:
    """The server: `answers` by path, and all that was `asked`."""

    port: int = 0
    answers: dict[str, Answer | Handler] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)
    open_now: int = 0
    most_at_once: int = 0

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    def url(self, path: str) -> str:
        return f"http://{self.host}{path}"

    def paths(self) -> list[str]:
        return [one.path for one in self.asked]


@asynccontextmanager
async def web(**answers: Answer | Handler) -> AsyncIterator[Web]:
    """Serve on a free port of this machine; the keyword `feed` answers at `/feed`."""
    served = Web(answers={f"/{name}": answer for name, answer in answers.items()})
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        served.open_now += 1
        served.most_at_once = max(served.most_at_once, served.open_now)
        try:
            await _serve_one(served, reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            served.open_now -= 1
            writer.close()
            tasks.discard(task)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    served.port = server.sockets[0].getsockname()[1]
    try:
        yield served
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        await server.wait_closed()


async def _serve_one(served: Web, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    method, path, _ = head[0].split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    asked = Asked(method=method, path=path, headers=headers, body=body)
    served.asked.append(asked)
    found = served.answers.get(path, Answer(status=404))
    answer = found if isinstance(found, Answer) else found(asked)
    if answer.breaks_off:
        return
    given = {"connection": "close", **answer.headers}
    if not answer.drip and answer.status != 304:
        given.setdefault("content-length", str(len(answer.body)))
    lines = [f"HTTP/1.1 {answer.status} x", *(f"{name}: {value}" for name, value in given.items())]
    writer.write("\r\n".join([*lines, "", ""]).encode() + answer.body)
    await writer.drain()
    while answer.drip:
        writer.write(answer.drip)
        await writer.drain()
        await asyncio.sleep(0.001)
