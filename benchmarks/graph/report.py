"""What came of it: tables for the eye, JSON for programs, and `RESULTS.md` for the record."""

import platform
import statistics
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from enum import StrEnum
from importlib.metadata import version
from pathlib import Path
from typing import Any

import orjson
from rich.console import Console
from rich.table import Table

from benchmarks.graph.fleet import NODE, PEERS, PEERS_FOLDER, ROOT
from benchmarks.graph.inprocess import Costs
from benchmarks.graph.load import Sample, Samples
from benchmarks.graph.shapes import SHAPES

_BASE = "ringside"
_LOAD_HEADER = (
    "peer",
    "requests/s",
    "Ringside is x times as fast",
    "median ms",
    "p99 ms",
    "server CPU ms",
    "Ringside's CPU ÷ its",
    "database CPU ms",
    "RSS MiB",
)
_TARGET_HEADER = ("what", "wanted", "measured", "met")
_COST_HEADER = ("peer", "CPU ms per answer", "Ringside's CPU ÷ its")
_PACKAGES = (
    "strawberry-graphql",
    "graphql-core",
    "starlette",
    "uvicorn",
    "uvloop",
    "asyncpg",
    "orjson",
    "sqlalchemy",
    "sqlmodel",
    "aiodataloader",
)


class What(StrEnum):
    """What a target is of."""

    SPEED = "Requests per second"
    CPU = "CPU of the server"
    SQLITE = "CPU in process over SQLite"


@dataclass(frozen=True)
class Target:
    """A ratio to aim for: of speed at least, of CPU at most; over SQLite, how many times less CPU."""

    what: What
    shape: str
    peer: str
    wanted: float


TARGETS = (
    Target(What.SPEED, "flat", "postgraphile", 2),
    Target(What.SPEED, "nested", "postgraphile", 2.5),
    Target(What.SPEED, "tree", "postgraphile", 2.5),
    *(Target(What.SPEED, shape, "yoga-jit", 1) for shape in ("flat", "nested", "tree")),
    *(Target(What.SPEED, shape, peer, 1.25) for shape in ("by-id", "increment") for peer in ("postgraphile", "yoga")),
    *(Target(What.SPEED, shape, "stock", 20) for shape in SHAPES),
    *(Target(What.CPU, shape, "rows", 1.15) for shape in SHAPES),
    *(Target(What.SQLITE, shape, "stock", 20) for shape in SHAPES),
)


@dataclass(frozen=True, kw_only=True)
class Report:
    """All figures of one run, and how they came about."""

    command: str
    postgresql: str
    sqlite: str
    pinning: str
    rounds: int
    seconds: int
    connections: int
    samples: Samples
    costs: Mapping[str, Costs]

    def as_json(self) -> bytes:
        """Return everything."""
        return orjson.dumps(
            {
                "machine": machine(),
                "versions": versions(),
                **{
                    name: getattr(self, name)
                    for name in ("command", "postgresql", "sqlite", "pinning", "rounds", "seconds", "connections")
                },
                "samples": {
                    shape: {peer: [asdict(one) for one in found] for peer, found in peers.items()}
                    for shape, peers in self.samples.items()
                },
                "costs": dict(self.costs),
            },
            option=orjson.OPT_INDENT_2,
        )


def show(report: Report, console: Console) -> None:
    """Print the tables."""
    for title, header, rows in _tables(report):
        table = Table(title=title, title_justify="left")
        for index, name in enumerate(header):
            table.add_column(name, justify="left" if index == 0 else "right")
        for row in rows:
            table.add_row(*row)
        console.print(table)


def write(report: Report, path: Path) -> None:
    """Write the record."""
    node = versions()["node"]
    python = ", ".join(f"{name} {of}" for name, of in versions()["python"].items())
    targets = [row for target in TARGETS if (row := _target_row(target, report)) is not None]
    others = ", ".join(f"{name} {of}" for name, of in node.items() if name != "node")
    lines = [
        "# Results",
        "",
        f"Of the graph under load, {datetime.now(UTC):%Y-%m-%d}, commit {commit()}; written by `{report.command}`.",
        "",
        f"* Machine: {machine()}. {report.pinning}",
        f"* PostgreSQL {report.postgresql}: jit off, random_page_cost 1.1, no parallel workers, every commit flushed.",
        f"* SQLite {report.sqlite}",
        f"* Python {platform.python_version()}: {python}",
        f"* Node {node.get('node', '(not measured)')}: {others}",
        f"* wrk: {report.connections} connections kept alive; {report.rounds} rounds of {report.seconds} s for each",
        "  shape and server, the order of the servers turned each round.",
        "",
        "One process for each server, over the same database, with 10 connections to it. Ringside checks a token at",
        "every request, the others check nothing. Answers were compared for equality before anything was timed.",
        "Figures are medians over the rounds; ratios are made within a round, and stand with their quartiles.",
        "CPU is of one request. The by-hand servers know no GraphQL: they are the floor, not a rival.",
        "",
        "## What it aims for",
        "",
        *table(_TARGET_HEADER, targets),
        "",
    ]
    for title, header, rows in _tables(report):
        lines += [f"## {title}", "", *table(header, rows), ""]
    path.write_text("\n".join(lines))


def machine() -> str:
    """Describe the machine."""
    model = "unknown"
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    memory = int(Path("/proc/meminfo").read_text().split()[1]) / 1024 / 1024
    return f"{_cores()} cores, {model}, {memory:.0f} GiB, {platform.system()} {platform.release()}"


def versions() -> dict[str, dict[str, str]]:
    """Return the versions of what was measured."""
    wanted = orjson.loads((PEERS_FOLDER / "package.json").read_bytes())["dependencies"]
    return {"python": {name: version(name) for name in _PACKAGES}, "node": wanted if NODE.exists() else {}}


def _tables(report: Report) -> list[tuple[str, Sequence[str], list[list[str]]]]:
    tables: list[tuple[str, Sequence[str], list[list[str]]]] = []
    for name, peers in report.samples.items():
        rows = [_load_row(peer, found, peers.get(_BASE)) for peer, found in peers.items()]
        foreign = statistics.median(one.foreign_load for found in peers.values() for one in found)
        title = f"{SHAPES[name].title} (`{name}`; others took {foreign:.0%} of a core meanwhile)"
        tables.append((title, _LOAD_HEADER, rows))
    for database, costs in report.costs.items():
        for name, by_peer in costs.items():
            rows = [
                [PEERS[peer].title, spread(found, 3), ratio(by_peer[_BASE], found) if peer != _BASE else ""]
                for peer, found in by_peer.items()
            ]
            tables.append((f"In process over {database}: {SHAPES[name].title} (`{name}`)", _COST_HEADER, rows))
    return tables


def _load_row(peer: str, found: Sequence[Sample], base: Sequence[Sample] | None) -> list[str]:
    faster = slower = ""
    if base is not None and peer != _BASE:
        faster = ratio([one.requests_per_second for one in base], [one.requests_per_second for one in found])
        slower = ratio([one.server_cpu_ms for one in base], [one.server_cpu_ms for one in found])
    return [
        PEERS[peer].title,
        spread([one.requests_per_second for one in found], 0),
        faster,
        f"{statistics.median(one.median_ms for one in found):.2f}",
        f"{statistics.median(one.p99_ms for one in found):.2f}",
        f"{statistics.median(one.server_cpu_ms for one in found):.3f}",
        slower,
        f"{statistics.median(one.database_cpu_ms for one in found):.3f}",
        f"{statistics.median(one.rss_mib for one in found):.0f}",
    ]


def ratio(above: Sequence[float], below: Sequence[float]) -> str:
    """Write how many times one is the other, divided round by round."""
    return spread(_divided(above, below), 2)


def _divided(above: Sequence[float], below: Sequence[float]) -> list[float]:
    return [one / other if other else 0.0 for one, other in zip(above, below, strict=True)]


def spread(values: Sequence[float], digits: int) -> str:
    """Write the median, with the quartiles behind it."""
    if len(values) < 2:
        return f"{values[0]:,.{digits}f}"
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return f"{middle:,.{digits}f} ({low:,.{digits}f}-{high:,.{digits}f})"


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Write a table's lines."""
    ruler = ["---", *["---:"] * (len(header) - 1)]
    return [f"| {' | '.join(cells)} |" for cells in (header, ruler, *rows)]


def _target_row(target: Target, report: Report) -> list[str] | None:
    ratios = _target_ratios(target, report)
    if not ratios:
        return None
    middle = statistics.median(ratios)
    is_met = middle <= target.wanted if target.what is What.CPU else middle >= target.wanted
    sign = "at most" if target.what is What.CPU else "at least"
    subject = f"{target.what} against {PEERS[target.peer].title}: `{target.shape}`"
    return [subject, f"{sign} {target.wanted}", spread(ratios, 2), "yes" if is_met else "**no**"]


def _target_ratios(target: Target, report: Report) -> list[float]:
    if target.what is What.SQLITE:
        costs = report.costs.get("SQLite", {}).get(target.shape)
        return [] if costs is None else _divided(costs[target.peer], costs[_BASE])
    found = report.samples.get(target.shape, {})
    if target.peer not in found or _BASE not in found:
        return []
    ours, its = found[_BASE], found[target.peer]
    if target.what is What.CPU:
        return _divided([one.server_cpu_ms for one in ours], [one.server_cpu_ms for one in its])
    return _divided([one.requests_per_second for one in ours], [one.requests_per_second for one in its])


def commit() -> str:
    """Name the commit that was measured."""
    asked = ["git", "describe", "--always", "--dirty"]
    said: Any = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603 -- fixed
    return said.stdout.strip() or "unknown"


def _cores() -> int:
    return Path("/proc/cpuinfo").read_text().count("processor\t")
