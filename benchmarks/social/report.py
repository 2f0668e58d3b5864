"""What came of it: tables for the eye, and `RESULTS.md` for the record."""

import platform
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.graph.load import Sample
from benchmarks.graph.report import commit, machine, ratio, spread, table, versions
from benchmarks.social.crowd import CALLS, Crowded
from benchmarks.social.dataset import Sizes
from benchmarks.social.inside import Answered
from benchmarks.social.outside import TITLES, Loads
from benchmarks.social.questions import SHAPES

_MOST_MS = 10.0
_MOST_STATEMENTS = {"home": 4, "thread": 3}
_INSIDE_HEADER = ("what", "statements", "median ms", "p95 ms", "CPU ms")
_OUTSIDE_HEADER = (
    "server",
    "requests/s",
    "Ringside over PostgreSQL is x times as fast",
    "median ms",
    "p99 ms",
    "CPU ms",
    "of it the server's",
)
_TARGET_HEADER = ("what", "wanted", "measured", "met")

Rows = list[list[str]]


@dataclass(frozen=True, kw_only=True)
class Report:
    """All figures of one run, and how they came about."""

    command: str
    postgresql: str
    sqlite: str
    sizes: Sizes
    rounds: int
    seconds: int
    count: int
    # The machine's load when it began and when it ended.
    load: tuple[float, float]
    took: float
    # By database.
    inside: Mapping[str, Sequence[Answered]]
    crowds: Mapping[str, Crowded]
    loads: Loads


def show(report: Report, console: Console) -> None:
    """Print the tables."""
    for title, header, rows in _tables(report):
        shown = Table(title=title, title_justify="left")
        for index, name in enumerate(header):
            shown.add_column(name, justify="left" if index == 0 else "right")
        for row in rows:
            shown.add_row(*row)
        console.print(shown)


def write(report: Report, path: Path) -> None:
    """Write the record."""
    sizes, found = report.sizes, versions()
    node = ", ".join(
        f"{name} {found['node'][name]}" for name in ("node", "postgraphile", "pg") if name in found["node"]
    )
    lines = [
        "# Results",
        "",
        f"Of the social graph, {datetime.now(UTC):%Y-%m-%d}, commit {commit()}; written by `{report.command}`",
        f"in {report.took:.0f} s.",
        "",
        f"* Machine: {machine()}; load average {report.load[0]:.1f} when it began, {report.load[1]:.1f} when it ended.",
        (
            f"* Data: {sizes.entries:,} entries of {sizes.prime:,} users, {sizes.resonances:,} resonances, "
            f"{sizes.follows:,} follows."
        ),
        f"* PostgreSQL {report.postgresql}: jit off, random_page_cost 1.1, no parallel workers.",
        f"* SQLite {report.sqlite}",
        f"* Python {platform.python_version()}: {', '.join(f'{name} {of}' for name, of in found['python'].items())}",
        f"* Node: {node}",
        (
            f"* In process: {report.count} requests of each, one after another, or 3 s of them. "
            f"Over HTTP: wrk, {report.rounds} rounds "
            f"of {report.seconds} s for each, the order of the servers turned each round."
        ),
        "",
        "Answers were compared before anything was timed, across the databases and with PostGraphile's. Ringside is",
        "served as `ringside serve` does, and checks at every request a token and what its user may see. PostGraphile",
        "checks no token: it is handed the reader's id. It has a function for the home feed, which leaves out what is",
        "private, and reads the thread by its root, whoever may see it.",
        "",
    ]
    for title, header, rows in _tables(report):
        lines += [f"## {title}", "", *table(header, rows), ""]
    path.write_text("\n".join(lines))


def _tables(report: Report) -> list[tuple[str, Sequence[str], Rows]]:
    tables: list[tuple[str, Sequence[str], Rows]] = [("What it aims for", _TARGET_HEADER, _target_rows(report))]
    for database, answered in report.inside.items():
        tables.append((f"In process over {database}", _INSIDE_HEADER, [_inside_row(one) for one in answered]))
    for connections, samples in report.loads.items():
        for name, found in samples.items():
            many = "one connection" if connections == 1 else f"{connections} connections"
            foreign = statistics.median(one.foreign_load for each in found.values() for one in each)
            title = f"Over HTTP, {many}: {SHAPES[name].title} (others took {foreign:.0%} of a core meanwhile)"
            rows = [_outside_row(peer, each, found["ringside"]) for peer, each in found.items()]
            tables.append((title, _OUTSIDE_HEADER, rows))
    return tables


def _inside_row(one: Answered) -> list[str]:
    what = one.shape.title
    if one.shape.name == "home":
        what += f"; he follows {one.following:,}"
    return [what, str(one.statements), f"{one.median:.2f}", f"{one.p95:.2f}", f"{one.cpu_milliseconds:.2f}"]


def _outside_row(peer: str, found: Sequence[Sample], base: Sequence[Sample]) -> list[str]:
    rates, ours = [one.requests_per_second for one in found], [one.requests_per_second for one in base]
    return [
        TITLES[peer],
        spread(rates, 0),
        "" if peer == "ringside" else ratio(ours, rates),
        f"{statistics.median(one.median_ms for one in found):.2f}",
        f"{statistics.median(one.p99_ms for one in found):.2f}",
        f"{statistics.median(one.server_cpu_ms + one.database_cpu_ms for one in found):.2f}",
        f"{statistics.median(one.server_cpu_ms for one in found):.2f}",
    ]


def _target_rows(report: Report) -> Rows:
    rows: Rows = []
    for database, answered in report.inside.items():
        for one in answered:
            rows += _target_rows_of(one, database)
    for peer, found in report.loads.get(1, {}).get("home", {}).items():
        if peer.startswith("ringside"):
            median = statistics.median(one.median_ms for one in found)
            rows.append(_at_most(f"Milliseconds over HTTP, `home`, {TITLES[peer]}", _MOST_MS, median))
    for database, crowded in report.crowds.items():
        rows += _target_rows_of_crowd(crowded, database)
    return rows


def _target_rows_of_crowd(crowded: Crowded, database: str) -> Rows:
    what = f"{CALLS:,} calls at once on one entry, {database}"
    counted = f"{crowded.counted:,}, and {crowded.actual:,}"
    refused = f"{crowded.refused} in {crowded.seconds:.1f} s"
    return [
        [what, "the count is COUNT(*)", counted, _met(crowded.is_right)],
        [what, "none refused", refused, _met(not crowded.refused)],
    ]


def _target_rows_of(one: Answered, database: str) -> Rows:
    name, most = one.shape.name, _MOST_STATEMENTS.get(one.shape.name)
    who = f" of one who follows {one.following:,}" if name == "home" else ""
    rows = [] if most is None else [_at_most(f"Statements, `{name}`{who}, {database}", most, one.statements)]
    if name == "home":
        rows.append(_at_most(f"Milliseconds in process, `{name}`{who}, {database}", _MOST_MS, one.median))
    return rows


def _at_most(what: str, most: float, found: float) -> list[str]:
    measured = str(found) if isinstance(found, int) else f"{found:.2f}"
    return [what, f"at most {most:.0f}", measured, _met(found <= most)]


def _met(is_met: object) -> str:
    return "yes" if is_met else "**no**"
