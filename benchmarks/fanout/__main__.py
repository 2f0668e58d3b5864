"""The command: `uv run python -m benchmarks.fanout --help`."""

import argparse
import json
import os
import platform
import statistics
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from api.loop import run
from benchmarks.fanout.fleet import Peer, node_version, npm_version, pin, running
from benchmarks.fanout.watched import answer
from tests.support.node import install

_RESULTS = Path(__file__).parent / "RESULTS.md"
_FIRST_PORT = 21_300
_WARM_UP = 3
_TITLES = {
    "ringside": "Ringside",
    "broadcast": "`websockets` `broadcast()` of a ready text",
    "graphql-ws": "graphql-ws on Node",
    "stock": "stock Strawberry",
}


@dataclass(frozen=True, kw_only=True)
class Figure:
    """What came of one peer."""

    milliseconds: float
    quarters: tuple[float, float]
    with_commit: float
    cpu_milliseconds: float
    cpu_of_telling: float
    rss_mib: float


@dataclass(frozen=True)
class Target:
    """What is wanted of a figure: at most `wanted`, or at least it."""

    what: str
    wanted: float
    found: float
    is_least: bool = False

    @property
    def is_met(self) -> bool:
        """Whether it is so."""
        return self.found >= self.wanted if self.is_least else self.found <= self.wanted


def main() -> None:
    """Measure, print, and write `RESULTS.md` beside this file."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fanout")
    parser.add_argument("--sockets", type=int, default=1000, help="how many watch the same (1000)")
    parser.add_argument("--rounds", type=int, default=40, help="how many changes are made (40)")
    parser.add_argument("--objects", type=int, default=5000, help="how many watch a thing each; 0 for none (5000)")
    parser.add_argument("--idle", type=int, default=10_000, help="how many hold a socket; 0 for none (10000)")
    parser.add_argument("--cores", default="0,1", help="the servers' and the clients'; - to leave it (0,1)")
    parser.add_argument("--no-record", action="store_true", help="print alone")
    asked = parser.parse_args()
    install()
    run(lambda: _main(asked))


async def _main(asked: argparse.Namespace) -> None:
    core = None
    if asked.cores != "-":
        core, own = map(int, asked.cores.split(","))
        pin(own)
    load = os.getloadavg()[0]
    figures = await _compare(asked.sockets, asked.rounds, core)
    parts = [_machine(load), _compared(asked, figures)]
    targets = _targets(figures)
    if asked.objects:
        text, target = await _apart(asked.objects, asked.rounds, core)
        parts.append(text)
        targets.append(target)
    if asked.idle:
        text, target = await _idle(asked.idle, core)
        parts.append(text)
        targets.append(target)
    parts.append(_judged(targets))
    told = "\n\n".join(parts)
    print(told)
    if not asked.no_record:
        _RESULTS.write_text(f"# Fan-out, measured\n\n{told}\n")


async def _compare(sockets: int, rounds: int, core: int | None) -> dict[str, Figure]:
    """Have each peer tell as many sockets of as many changes, in turn, so that all meet the same weather."""
    async with AsyncExitStack() as stack:
        peers = []
        for number, name in enumerate(_TITLES):
            peer = await stack.enter_async_context(running(name, _FIRST_PORT + 2 * number, core))
            await peer.measure_one()
            await peer.watch([peer.mats[0]] * sockets)
            peers.append(peer)
        for turn in range(_WARM_UP + rounds):
            first = turn % len(peers)
            for peer in peers[first:] + peers[:first]:
                await peer.change(hearing=sockets)
        return {peer.name: _figure(peer) for peer in peers}


async def _apart(objects: int, rounds: int, core: int | None) -> tuple[str, Target]:
    """Have sockets watch a thing each, and change some of them; compare with a server that has one thing and socket."""
    found: dict[int, Figure] = {}
    for mats in (1, objects):
        async with running("ringside", _FIRST_PORT, core, str(mats), str(min(mats, 100))) as peer:
            await peer.watch(peer.mats)
            for _ in range(_WARM_UP + 4 * rounds):
                await peer.change(hearing=1)
            found[mats] = _figure(peer)
    one, many = found[1], found[objects]
    lines = [
        f"## {objects:,} sockets on {objects:,} things",
        "",
        "One thing changes, and the one who watches it hears of it.",
        "",
        "| | Median ms | Middle half | CPU ms a change | | RSS MiB |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
        _row("one thing, one socket", one),
        _row(f"{objects:,} of each", many),
    ]
    ratio = many.milliseconds / one.milliseconds
    return "\n".join(lines), Target(f"time of an event among {objects:,} things to that of the only one", 1.1, ratio)


async def _idle(sockets: int, core: int | None) -> tuple[str, Target]:
    """Have sockets watch one thing and hear nothing, twice: what the first took for good must not be taken again."""
    async with running("ringside", _FIRST_PORT, core) as peer:
        before = peer.rss
        await peer.watch([peer.mats[0]] * sockets)
        each = (peer.rss - before) / sockets / 1024
        await peer.change(hearing=sockets)
        told = peer.milliseconds[-1]
        after = (peer.rss - before) / sockets / 1024
    text = (
        f"## {sockets:,} idle sockets\n\n{each:.1f} KiB of the server's memory each, {after:.1f} KiB after all of them "
        f"were told of a change, which took {told:.0f} ms."
    )
    return text, Target("KiB of an idle socket", 64, max(each, after))


def _figure(peer: Peer) -> Figure:
    times = sorted(peer.milliseconds[_WARM_UP:])
    cpu = statistics.median(peer.cpu_milliseconds[_WARM_UP:])
    return Figure(
        milliseconds=statistics.median(times),
        quarters=(times[len(times) // 4], times[3 * len(times) // 4]),
        with_commit=statistics.median(peer.with_commit[_WARM_UP:]),
        cpu_milliseconds=cpu,
        cpu_of_telling=cpu - peer.cpu_of_one,
        rss_mib=peer.rss / 2**20,
    )


def _compared(asked: argparse.Namespace, figures: dict[str, Figure]) -> str:
    size = len(json.dumps(answer(1), separators=(",", ":")))
    lines = [
        f"## One change to {asked.sockets:,} sockets",
        "",
        f"{asked.rounds} changes of an answer of {size} bytes, each peer in turn. The time is from the commit, or from",
        "what stands for it in a peer that stores nothing, to the last client. The CPU of telling is that of a change",
        "less that of a change which one socket hears of: it leaves out the commit, which Ringside alone makes.",
        "",
        "| Peer | Median ms | Middle half | CPU ms a change | CPU ms of telling | RSS MiB |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
        *(_row(_TITLES[name], figure) for name, figure in figures.items()),
        "",
        f"From the order to change, with its commit, Ringside takes {figures['ringside'].with_commit:.1f} ms.",
    ]
    return "\n".join(lines)


def _row(title: str, figure: Figure) -> str:
    low, high = figure.quarters
    telling = f"{figure.cpu_of_telling:.1f}" if figure.cpu_of_telling < figure.cpu_milliseconds else ""
    return (
        f"| {title} | {figure.milliseconds:.1f} | {low:.1f}-{high:.1f} | {figure.cpu_milliseconds:.1f} "
        f"| {telling} | {figure.rss_mib:.0f} |"
    )


def _targets(figures: dict[str, Figure]) -> list[Target]:
    ours = figures["ringside"]
    stock, node = figures["stock"], figures["graphql-ws"]
    return [
        Target("time to that of the raw broadcast", 1.3, ours.milliseconds / figures["broadcast"].milliseconds),
        Target("times less CPU than stock Strawberry", 25, stock.cpu_of_telling / ours.cpu_of_telling, is_least=True),
        Target("times faster than graphql-ws on Node", 4, node.milliseconds / ours.milliseconds, is_least=True),
    ]


def _judged(targets: Sequence[Target]) -> str:
    lines = ["## What was wanted", "", "| What | Wanted | Measured | |", "| --- | ---: | ---: | --- |"]
    for one in targets:
        wanted = f"{'≥' if one.is_least else '≤'} {one.wanted:g}"
        lines.append(f"| {one.what} | {wanted} | {one.found:.2f} | {'met' if one.is_met else 'not met'} |")
    return "\n".join(lines)


def _machine(load: float) -> str:
    packages = ("strawberry-graphql", "graphql-core", "uvicorn", "websockets", "uvloop", "orjson")
    python = ", ".join(f"{name} {version(name)}" for name in packages)
    node = ", ".join(f"{name} {npm_version(name)}" for name in ("graphql-ws", "ws", "graphql"))
    system = f"{platform.system()} {platform.release().split('-')[0]}"
    return (
        f"{datetime.now(UTC):%d %B %Y}. {os.cpu_count()} processors ({_processor()}), {system}, "
        f"load average at the start {load:.1f}.\nPython {platform.python_version()}: {python}.\n"
        f"Node {node_version()}: {node}."
    )


def _processor() -> str:
    names = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    return names[0].partition(":")[2].strip() if names else platform.machine()


if __name__ == "__main__":
    main()
