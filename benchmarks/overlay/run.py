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
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from api.capture import read_capture
from api.demo import CAPTURE
from benchmarks.overlay.chromium import Tab, open_tab
from tests.support.process import Serving, serving

_LOAD = 12
_LEAST_PAUSE_SECONDS = 0.06
_MOST_PAUSE_SECONDS = 0.14
_SETTLING_SECONDS = 1.0
_UNTHROTTLED = ("--disable-frame-rate-limit", "--disable-gpu-vsync")
_MATS = "{ mats { nodes { id } } }"
# Notes when blue's score was changed in the document, and when the frame that shows it was drawn: a message is handled
# only after the frame whose callback sent it.
_WATCH = """
addEventListener("DOMContentLoaded", () => {
  const score = document.querySelector('[data-colour="blue"] [data-field="score"]');
  const wall = () => performance.timeOrigin + performance.now();
  window.seen = [];
  new MutationObserver(() => {
    const one = { score: Number(score.textContent), changed: wall() };
    requestAnimationFrame(() => {
      const { port1, port2 } = new MessageChannel();
      port1.onmessage = () => { one.painted = wall(); window.seen.push(one); };
      port2.postMessage(null);
    });
  }).observe(score, { childList: true, characterData: true, subtree: true });
});
"""


@dataclass(frozen=True, kw_only=True)
class Delays:
    """Milliseconds from the datagram: to the changed document, and to the drawn frame."""

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
    return _delays(sent, seen, ahead)


async def _open_overlay(server: Serving, tab: Tab, look: str) -> None:
    _send(server.udp_port, "\n".join(message.wire for message in read_capture(CAPTURE)[:_LOAD]))
    (mat,) = (await server.execute(_MATS))["mats"]["nodes"]
    await tab.send("Page.enable")
    await tab.send("Page.addScriptToEvaluateOnNewDocument", source=_WATCH)
    await tab.send("Page.navigate", url=f"{server.url}/overlays/mat/{mat['id']}?look={look}#token={server.secret}")
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


def _delays(sent: Sequence[float], seen: Sequence[dict[str, Any]], ahead: float) -> list[Delays]:
    """Hold what was shown against what was sent; a point that the next one overtook is shown with that."""
    assert seen[-1]["score"] == len(sent), f"the last score shown is {seen[-1]['score']}"
    names = {"changed": "to the changed document", "painted": "to the drawn frame"}
    found = []
    for key, name in names.items():
        shown = [next(one[key] for one in seen if one["score"] >= score) for score in range(1, len(sent) + 1)]
        taken = sorted(there - ahead - at for there, at in zip(shown, sent, strict=True))
        cuts = [round(cut, 1) for cut in statistics.quantiles(taken, n=100)]
        found.append(Delays(name=name, count=len(taken), p50=cuts[49], p99=cuts[98], worst=round(taken[-1], 1)))
    return found


def _print(machine: dict[str, object], delays: Sequence[Delays]) -> None:
    table = Table(caption=", ".join(f"{name} {value}" for name, value in machine.items()))
    table.add_column("From the datagram")
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
    parser.add_argument("--json", action="store_true", help="one line of JSON")
    return parser.parse_args()


if __name__ == "__main__":
    main()
