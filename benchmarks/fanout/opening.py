"""What it takes to let a crowd in: `uv run python -m benchmarks.fanout.opening --help`.

Each manner of treating Python's collector has servers of its own, which take turns.
"""

import argparse
import asyncio
import json
import os
import platform
import statistics
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from api.loop import run
from benchmarks.fanout.fleet import pin, running

_RESULTS = Path(__file__).parent / "OPENING.md"
_PORT = 21_400
_TITLES = {
    "served": "Ringside as it is served",
    "once": "the collector spared at the start alone",
    "untouched": "Python's collector untouched",
}


@dataclass
class Found:
    """What one manner came to, round by round."""

    late: list[float] = field(default_factory=list)
    longest: list[float] = field(default_factory=list)
    collecting: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    left_mib: list[float] = field(default_factory=list)

    def row(self, title: str) -> str:
        """Print the middle of each."""
        late, longest, collecting, cpu, left = (
            statistics.median(one) for one in (self.late, self.longest, self.collecting, self.cpu, self.left_mib)
        )
        return f"| {title} | {longest:.0f} | {late:.0f} | {collecting / 1000:.2f} | {cpu:.1f} | {left:.0f} |"


def main() -> None:
    """Measure, print, and write `OPENING.md` beside this file."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fanout.opening")
    parser.add_argument("--sockets", type=int, default=5000, help="how many are opened (5000)")
    parser.add_argument("--rounds", type=int, default=3, help="how often (3)")
    parser.add_argument("--cores", default="0,1", help="the server's and the clients'; - to leave it (0,1)")
    parser.add_argument("--no-record", action="store_true", help="print alone")
    asked = parser.parse_args()
    run(lambda: _main(asked))


async def _main(asked: argparse.Namespace) -> None:
    core = None
    if asked.cores != "-":
        core, own = map(int, asked.cores.split(","))
        pin(own)
    machine = (
        f"{datetime.now(UTC):%d %B %Y}. {os.cpu_count()} processors, Python {platform.python_version()}, "
        f"load average at the start {os.getloadavg()[0]:.1f}. Medians of {asked.rounds} rounds."
    )
    parts = [machine]
    for things in (1, asked.sockets):
        found = {manner: Found() for manner in _TITLES}
        for _ in range(asked.rounds):
            for manner, of in found.items():
                await _open(asked.sockets, things, manner, core, of)
        parts += [_table(asked.sockets, things, found)]
    told = "\n\n".join(parts)
    print(told)
    if not asked.no_record:
        _RESULTS.write_text(f"# Letting a crowd in, measured\n\n{told}\n")


async def _open(sockets: int, things: int, manner: str, core: int | None, found: Found) -> None:
    async with running("opened", _PORT, core, str(things), manner) as peer:
        reader, writer = await asyncio.open_connection("127.0.0.1", _PORT + 2)

        async def told() -> dict[str, float]:
            writer.write(b"\n")
            facts: dict[str, float] = json.loads(await reader.readline())
            return facts

        await told()
        before, cpu = peer.rss, peer.cpu()
        await peer.watch((list(peer.mats) * sockets)[:sockets])
        facts = await told()
        found.cpu.append(peer.cpu() - cpu)
        found.late.append(facts["late"])
        found.longest.append(facts["longest"])
        found.collecting.append(facts["all"])
        # What is taken again by as many who come after them was not lost.
        peer.crowd.leave()
        await peer.crowd.closed()
        await peer.watch((list(peer.mats) * sockets)[:sockets])
        found.left_mib.append((peer.rss - before) / 2**20)
        writer.close()


def _table(sockets: int, things: int, found: dict[str, Found]) -> str:
    what = "one thing" if things == 1 else "a thing each"
    lines = [
        f"## {sockets:,} sockets that watch {what}",
        "",
        "| | Longest collection, ms | Latest timer, ms | Collecting, s | CPU, s | MiB after all came twice |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
        *(of.row(_TITLES[manner]) for manner, of in found.items()),
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
