"""How long it takes from a scoring program's datagram to the frame on which an overlay shows it."""

import argparse
import asyncio
import json
import os
import platform
import random
import socket
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from api.capture import read_capture
from api.demo import CAPTURE
from benchmarks.overlay.chromium import Tab, open_tab
from tests.support.house import GraphQLSocket
from tests.support.process import Serving, serving

_LOAD = 12
_LEAST_PAUSE_SECONDS = 0.06
_MOST_PAUSE_SECONDS = 0.14
_SETTLING_SECONDS = 1.0
_UNTHROTTLED = ("--disable-frame-rate-limit", "--disable-gpu-vsync")
_BOARD = """subscription ($mat: ID!) {
  scoreboardChanged(matId: $mat) { sentAt scoreboard { blue { score } } }
}"""
_MATS = "{ mats { nodes { id } } }"
_POINTS = """query ($after: String) { matches { nodes {
  events(first: 100, after: $after, filter: {kinds: [POINT]}) {
    nodes { receivedAt }
    pageInfo { hasNextPage endCursor }
  }
} } }"""
# Notes when each message came to the page, as it came; when blue's score was changed in the document, and when the
# frame that shows it was drawn: a message is handled only after the frame whose callback sent it.
_WATCH = """
window.heard = [];
const now = () => performance.timeOrigin + performance.now();
window.WebSocket = class extends WebSocket {
  constructor(...given) {
    super(...given);
    this.addEventListener("message", ({ data }) => window.heard.push([now(), data]));
  }
};
addEventListener("DOMContentLoaded", () => {
  const score = document.querySelector('[data-colour="blue"] [data-field="score"]');
  window.seen = [];
  new MutationObserver(() => {
    const one = { score: Number(score.textContent), changed: now() };
    requestAnimationFrame(() => {
      const { port1, port2 } = new MessageChannel();
      port1.onmessage = () => { one.painted = now(); window.seen.push(one); };
      port2.postMessage(null);
    });
  }).observe(score, { childList: true, characterData: true, subtree: true });
});
"""


@dataclass(frozen=True, kw_only=True)
class Delays:
    """Milliseconds: of a stage, or from the datagram to the changed document, or to the drawn frame."""

    name: str
    count: int
    p50: float
    p99: float
    worst: float


def main() -> None:
    """Measure and print; fail where the last point was never shown."""
    options = _options()
    delays = asyncio.run(_measure(options))
    machine: dict[str, object] = {
        "cpus": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1),
        "python": platform.python_version(),
        "system": platform.platform(),
    }
    if options.json:
        print(json.dumps({"machine": machine, "delays": [asdict(one) for one in delays]}))
    else:
        _print(machine, delays)


async def _measure(options: argparse.Namespace) -> list[Delays]:
    return await (_measure_client(options) if options.without_browser else _measure_page(options))


async def _measure_client(options: argparse.Namespace) -> list[Delays]:
    """Measure up to the message that a client has in its hands, which is no browser."""
    with tempfile.TemporaryDirectory() as folder:
        database = options.database or f"sqlite:///{Path(folder) / 'overlay.db'}"
        async with serving(database, Path(folder) / "overlay.log") as server, server.admitted() as client:
            mat = await _load_fight(server)
            told: list[dict[str, Any]] = []
            watching = asyncio.create_task(_note(client, mat, told))
            await asyncio.sleep(_SETTLING_SECONDS)
            sent = await _score(server.udp_port, options.packets)
            await asyncio.sleep(_SETTLING_SECONDS)
            watching.cancel()
            await asyncio.wait([watching])
            received = await _received(server)
    assert told[-1]["score"] == len(sent), f"the last score told is {told[-1]['score']}"
    stages = _stages(sent, received, told, [], 0.0)
    return [_delay(name, taken) for name, taken in stages.items()]


async def _note(client: GraphQLSocket, mat: str, told: list[dict[str, Any]]) -> None:
    async for data in client.subscribe(_BOARD, mat=mat):
        arrived = time.time() * 1000
        board = data["scoreboardChanged"]
        if board["scoreboard"]:
            score = board["scoreboard"]["blue"]["score"]
            told.append({"score": score, "told": _milliseconds(board["sentAt"]), "arrived": arrived})


async def _measure_page(options: argparse.Namespace) -> list[Delays]:
    width, height = (int(part) for part in options.size.split("x"))
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "overlay.log"
        database = options.database or f"sqlite:///{Path(folder) / 'overlay.db'}"
        flags = _UNTHROTTLED if options.unthrottled else ()
        async with serving(database, log) as server, open_tab(width, height, flags) as tab:
            await _open_overlay(server, tab, options.look)
            ahead = await _clock_ahead(tab)
            sent = await _score(server.udp_port, options.packets)
            await asyncio.sleep(_SETTLING_SECONDS)
            seen: list[dict[str, Any]] = await tab.evaluate("window.seen")
            heard: list[tuple[float, str]] = await tab.evaluate("window.heard")
            received = await _received(server)
    assert seen[-1]["score"] == len(sent), f"the last score shown is {seen[-1]['score']}"
    stages = _stages(sent, received, [*_told(heard)], seen, ahead)
    return [_delay(name, taken) for name, taken in stages.items()]


async def _received(server: Serving) -> list[float]:
    """Return when each point was taken from the socket, in milliseconds."""
    found: list[float] = []
    after: str | None = None
    while True:
        (match,) = (await server.execute(_POINTS, after=after))["matches"]["nodes"]
        found += [_milliseconds(one["receivedAt"]) for one in match["events"]["nodes"]]
        after = match["events"]["pageInfo"]["endCursor"]
        if not match["events"]["pageInfo"]["hasNextPage"]:
            return found


def _told(heard: Sequence[tuple[float, str]]) -> Iterator[dict[str, Any]]:
    """Yield of each scoreboard that came to the page its score, when the server wrote it, and when it came."""
    for arrived, text in heard:
        data = json.loads(text).get("payload", {}).get("data") or {}
        board = (data.get("scoreboardChanged") or {}).get("scoreboard")
        if board:
            told = _milliseconds(data["scoreboardChanged"]["sentAt"])
            yield {"score": board["blue"]["score"], "told": told, "arrived": arrived}


def _milliseconds(time: str) -> float:
    return datetime.fromisoformat(time).timestamp() * 1000


async def _load_fight(server: Serving) -> str:
    """Begin a fight, and return the id of its mat."""
    _send(server.udp_port, "\n".join(message.wire for message in read_capture(CAPTURE)[:_LOAD]))
    (mat,) = (await server.execute(_MATS))["mats"]["nodes"]
    found: str = mat["id"]
    return found


async def _open_overlay(server: Serving, tab: Tab, look: str) -> None:
    mat = await _load_fight(server)
    await tab.send("Page.enable")
    await tab.send("Page.addScriptToEvaluateOnNewDocument", source=_WATCH)
    await tab.send("Page.navigate", url=f"{server.url}/overlays/mat/{mat}?look={look}#token={server.secret}")
    await tab.until("document.body?.dataset.revision !== undefined && document.body.dataset.connection === 'live'")
    await asyncio.sleep(_SETTLING_SECONDS)


async def _clock_ahead(tab: Tab) -> float:
    """Return by how many milliseconds the page's clock is ahead of ours, from the quickest of some questions."""
    asked: list[tuple[float, float]] = []
    for _ in range(50):
        before = time.time() * 1000
        there = await tab.evaluate("performance.timeOrigin + performance.now()")
        after = time.time() * 1000
        asked.append((after - before, there - (before + after) / 2))
    return min(asked)[1]


async def _score(port: int, packets: int) -> list[float]:
    """Give blue a point again and again; return when each was sent, in milliseconds."""
    pauses = random.Random(1945)  # noqa: S311 -- no secret
    sent = []
    for score in range(1, packets + 1):
        sent.append(time.time() * 1000)
        _send(port, f"sc1;{score};sc2;0\ns11;{score};s21;0;s12;0;s22;0;s13;0;s23;0\npt1;1")
        await asyncio.sleep(pauses.uniform(_LEAST_PAUSE_SECONDS, _MOST_PAUSE_SECONDS))
    return sent


def _send(port: int, datagram: str) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.sendto(datagram.encode(), ("127.0.0.1", port))


def _stages(
    sent: Sequence[float],
    received: Sequence[float],
    told: Sequence[dict[str, Any]],
    seen: Sequence[dict[str, Any]],
    ahead: float,
) -> dict[str, list[float]]:
    """Say how long each stage took for each point; one that the next overtook is told, and shown, with that.

    Without a page nothing is `seen`, and the last stage is that a client has the message.
    """
    stages: dict[str, list[float]] = {}
    for score, (began, taken) in enumerate(zip(sent, received, strict=True), start=1):
        told_of = next(one for one in told if one["score"] >= score)
        moments = {
            "to the socket": taken,
            "from there to the message: queue, fold, commit, publish, answer": told_of["told"],
            f"from there to the {'page: sockets and browser' if seen else 'client'}": told_of["arrived"] - ahead,
        }
        wholes = {"from the datagram to the message at a client": told_of["arrived"] - ahead}
        if seen:
            shown = next(one for one in seen if one["score"] >= score)
            moments["from there to the changed document: the page's script"] = shown["changed"] - ahead
            moments["from there to the drawn frame"] = shown["painted"] - ahead
            wholes = {
                "from the datagram to the changed document": shown["changed"] - ahead,
                "from the datagram to the drawn frame": shown["painted"] - ahead,
            }
        before = began
        for name, moment in moments.items():
            stages.setdefault(name, []).append(moment - before)
            before = moment
        for name, moment in wholes.items():
            stages.setdefault(name, []).append(moment - began)
    return stages


def _delay(name: str, taken: Sequence[float]) -> Delays:
    cuts = [round(cut, 1) for cut in statistics.quantiles(taken, n=100)]
    return Delays(name=name, count=len(taken), p50=cuts[49], p99=cuts[98], worst=round(max(taken), 1))


def _print(machine: dict[str, object], delays: Sequence[Delays]) -> None:
    table = Table(caption=", ".join(f"{name} {value}" for name, value in machine.items()))
    table.add_column("Stage")
    for column in ("Points", "p50 ms", "p99 ms", "Worst ms"):
        table.add_column(column, justify="right")
    for one in delays:
        table.add_row(one.name, str(one.count), str(one.p50), str(one.p99), str(one.worst))
    Console(width=120).print(table)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--packets", type=int, default=400, help="points to give, about ten a second")
    parser.add_argument("--look", default="modern", help="modern, olympic or arcade")
    parser.add_argument("--size", default="1920x1080", help="of the page, in pixels")
    parser.add_argument("--database", help="an empty database; a SQLite file that is thrown away unless said")
    parser.add_argument("--unthrottled", action="store_true", help="let the browser draw more than 60 frames a second")
    parser.add_argument("--without-browser", action="store_true", help="to the message at a client that draws nothing")
    parser.add_argument("--json", action="store_true", help="one line of JSON")
    return parser.parse_args()


if __name__ == "__main__":
    main()
