"""The peers: how each is started, asked and stopped, and whether all of them say the same."""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import asyncpg
import httpx
import psutil
from sqlmodel import col, select

from benchmarks.graph import shapes, tables
from benchmarks.graph.shapes import SHAPES, Ids, Manner, Shape, canonical
from db.connecting import connect

PEERS_FOLDER = Path(__file__).parent / "peers"
ROOT = Path(__file__).parents[2]
NODE = PEERS_FOLDER / "node_modules/.bin/node"
_PATIENCE_SECONDS = 30.0
_IDS_ASKED = 256
_COMPARED = 5


@dataclass(frozen=True, kw_only=True)
class Peer:
    """One server to measure."""

    name: str
    title: str
    manner: Manner
    command: Callable[[str, int], Sequence[str]]
    has_tokens: bool = False
    # By shape, how much longer a burst must be for it to have figures at all.
    patience: Mapping[str, int] = field(default_factory=dict)

    @property
    def is_node(self) -> bool:
        """Whether it runs on Node."""
        return self.command("", 0)[0] == str(NODE)


def _python(name: str) -> Callable[[str, int], Sequence[str]]:
    return lambda url, port: (sys.executable, "-m", "benchmarks.graph.peers.serve", name, url, str(port))


def _node(script: str, *more: str) -> Callable[[str, int], Sequence[str]]:
    return lambda url, port: (str(NODE), str(PEERS_FOLDER / script), url, str(port), *more)


_BY_HAND = Manner(documents=None)
_LISTS = Manner(documents=shapes.LISTS)

# Ringside first: everything is a ratio to it.
PEERS = {
    peer.name: peer
    for peer in (
        Peer(
            name="ringside",
            title="Ringside",
            manner=Manner(documents=shapes.RINGSIDE, has_opaque_ids=True),
            command=_python("ringside"),
            has_tokens=True,
        ),
        Peer(
            name="postgraphile",
            title="PostGraphile 5",
            manner=Manner(documents=shapes.POSTGRAPHILE),
            command=_node("postgraphile.mjs"),
        ),
        Peer(name="yoga", title="Yoga + DataLoader", manner=_LISTS, command=_node("yoga.mjs")),
        Peer(name="yoga-jit", title="Yoga + DataLoader + graphql-jit", manner=_LISTS, command=_node("yoga.mjs", "jit")),
        Peer(
            name="stock",
            title="Strawberry, aiodataloader, ORM",
            manner=_LISTS,
            command=_python("stock"),
            patience={"nested": 4, "tree": 2},
        ),
        Peer(name="rows", title="By hand: rows → orjson", manner=_BY_HAND, command=_python("rows")),
        Peer(name="statement", title="By hand: one SQL statement", manner=_BY_HAND, command=_python("statement")),
    )
}


@dataclass(frozen=True, kw_only=True)
class Running:
    """A peer that is up."""

    peer: Peer
    url: str
    headers: Mapping[str, str]
    process: psutil.Process
    ids: Ids

    def bodies(self, shape: Shape) -> list[bytes]:
        """Return the requests of a shape."""
        return self.peer.manner.bodies(shape, self.ids)

    def address(self, shape: Shape) -> str:
        """Return where to send them."""
        return self.url + self.peer.manner.path(shape)

    def ask(self, shape: Shape, body: bytes) -> httpx.Response:
        """Send one request."""
        return httpx.post(self.address(shape), content=body, headers=dict(self.headers), timeout=_PATIENCE_SECONDS)


class Disagreement(Exception):
    """Two peers gave different answers, so there is nothing to compare."""


def install_node_peers(say: Callable[[str], None]) -> None:
    """Install what `package.json` names, Node itself included, beside it."""
    wanted = PEERS_FOLDER / "package.json"
    done = PEERS_FOLDER / "node_modules/.ringside-installed"
    if NODE.exists() and done.exists() and done.read_text() == wanted.read_text():
        return
    npm = shutil.which("npm")
    if npm is None:
        raise FileNotFoundError("The Node peers are installed by npm, which is not here.")
    say("npm install: Node and the Node peers")
    subprocess.run(  # noqa: S603 -- a fixed command
        [npm, "install", "--no-package-lock", "--no-audit", "--no-fund", "--loglevel=error"],
        cwd=PEERS_FOLDER,
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    done.write_text(wanted.read_text())


async def find_ids(url: str) -> Ids:
    """Return ids to ask for: roots of whole trees, and members and entries from all over."""
    db = await connect(url)
    member, entry, goal = tables.Member, tables.Entry, tables.Goal
    try:
        async with db.read() as session:
            members = await session.tuples(select(member.id).order_by(col(member.id)).limit(_IDS_ASKED))
            entries = await session.tuples(select(entry.id).order_by(col(entry.id)).limit(_IDS_ASKED))
            trees = await session.tuples(
                select(goal.id).where(col(goal.parent_id).is_(None)).order_by(col(goal.id)).limit(60)
            )
    finally:
        await db.close()
    return Ids(goal=_first(trees), member=_first(members), entry=_first(entries))


@contextmanager
def running(
    peers: Sequence[Peer],
    url: str,
    ids: Ids,
    token: str,
    *,
    core: int | None,
    logs: Path,
    first: Shape = SHAPES["by-id"],
) -> Iterator[list[Running]]:
    """Start peers, each in a process of its own on one core, and stop them at the end. Who answers `first` is up."""
    started: list[tuple[subprocess.Popen[bytes], IO[bytes]]] = []
    try:
        up = []
        for peer in peers:
            port = _free_port()
            log: IO[bytes] = (logs / f"{peer.name}.log").open("wb")
            process = _start(peer, url, port, core, log)
            started.append((process, log))
            headers = {"content-type": "application/json"}
            if peer.has_tokens:
                headers["authorization"] = f"Bearer {token}"
            up.append(
                Running(
                    peer=peer,
                    url=f"http://127.0.0.1:{port}",
                    headers=headers,
                    process=psutil.Process(process.pid),
                    ids=ids,
                )
            )
        for one in up:
            _wait_for(one, first, logs)
        yield up
    finally:
        for process, _ in started:
            process.terminate()
        for process, log in started:
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            log.close()


async def compare(peers: Sequence[Running], wanted: Sequence[Shape], url: str) -> None:
    """Ask every peer for every shape. Raises `Disagreement` unless all of them say the same."""
    connection = await asyncpg.connect(url)
    try:
        for shape in wanted:
            for index in range(_COMPARED if shape.kind else 1):
                await _compare(peers, shape, index, connection)
    finally:
        await connection.close()


async def _compare(peers: Sequence[Running], shape: Shape, index: int, connection: Any) -> None:
    expected: Any = None
    for running in peers:
        if shape.changes:
            likes = await connection.fetchval(
                "SELECT likes FROM entry_counts WHERE entry_id = $1", running.ids.of("entry")[index]
            )
            expected = {"entryLike": {"counts": {"likes": likes + 1}}}
        response = running.ask(shape, running.bodies(shape)[index])
        try:
            said = canonical(response.content)
        except ValueError as error:
            raise Disagreement(f"{running.peer.title}, {shape.name}: {error}") from error
        path = response.headers.get("x-ringside-path", "planned")
        if path != "planned":
            raise Disagreement(f"{running.peer.title}, {shape.name}: answered {path}, not by plan.")
        if expected is None:
            expected = said
        if said != expected:
            raise Disagreement(
                f"{shape.name}: {running.peer.title} says otherwise than {peers[0].peer.title}:\n"
                f"{str(said)[:800]}\n{str(expected)[:800]}"
            )


def _start(peer: Peer, url: str, port: int, core: int | None, log: IO[bytes]) -> subprocess.Popen[bytes]:
    pinned = [] if core is None else ["taskset", "-c", str(core)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "NODE_ENV": "production", "GRAPHILE_ENV": "production"}
    return subprocess.Popen(  # noqa: S603 -- fixed commands
        [*pinned, *peer.command(url, port)], cwd=ROOT, env=environment, stdout=log, stderr=subprocess.STDOUT
    )


def _wait_for(running: Running, shape: Shape, logs: Path) -> None:
    until = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < until:
        try:
            running.ask(shape, running.bodies(shape)[0])
        except httpx.HTTPError:
            if running.process.status() == psutil.STATUS_ZOMBIE:
                break
            time.sleep(0.1)
        else:
            return
    said = (logs / f"{running.peer.name}.log").read_text(errors="replace")[-1500:]
    raise RuntimeError(f"{running.peer.title} does not come up:\n{said}")


def _free_port() -> int:
    with socket.socket() as tried:
        tried.bind(("127.0.0.1", 0))
        port: int = tried.getsockname()[1]
    return port


def _first(rows: Sequence[Any]) -> list[Any]:
    return [row[0] for row in rows]
