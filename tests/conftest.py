"""How tests are run: in which processes, what each of these loads, and the clock that is told the time.

What every test may ask for stands in `tests.fixtures`, which a process loads that runs tests. One that only deals them
out to others does without: to load the whole server takes it as long as it takes each of them, and they wait for it.
"""

import gc
import os
import sys
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from api.collector import spare_the_collector
from api.files import make_room
from tests.support.figures import FIGURE

# Tests wait for servers, databases and each other's processes: one more than the cores of a small machine fills that.
_PROCESSES = 3


def pytest_configure(config: pytest.Config) -> None:
    """See to what processes of tests are told by the environment, and load what tests ask for where they are run.

    They share what Python compiled, or most of their time would go into that.
    """
    # Whoever runs without pytest's cache has not even the name of it.
    has_cache = config.pluginmanager.hasplugin("cacheprovider") and config.cache is not None
    if os.environ.pop("PYTHONDONTWRITEBYTECODE", None) and has_cache:
        os.environ["PYTHONPYCACHEPREFIX"] = sys.pycache_prefix = str(config.cache.mkdir("bytecode"))
        sys.dont_write_bytecode = False
    # How wide the terminal is, tests say themselves; one of several processes is told it before.
    os.environ.pop("COLUMNS", None)
    # Tests hold a thousand sockets, at both ends.
    make_room(4000)
    if not _deals_out(config):
        # Nothing of what is loaded is garbage: see `pytest_collection_finish`.
        gc.disable()
        config.pluginmanager.import_plugin("tests.fixtures")


def _deals_out(config: pytest.Config) -> bool:
    """Say whether this process has others run the tests."""
    is_told = hasattr(config, "workerinput")
    return not is_told and not config.option.collectonly and config.getoption("dist", default="no") != "no"


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> None:
    """Run folders of tests in several processes, and what is named more closely in this one, at once and readable.

    `-n` says otherwise.
    """
    # A process that was begun for this comes by here as well, and must begin no others.
    is_asked = "PYTEST_XDIST_WORKER" in os.environ or config.getoption("numprocesses", default=0) is not None
    names_folders = all(Path(named).is_dir() for named in config.args)
    if not is_asked and names_folders and not config.option.collectonly:
        config.option.numprocesses = _PROCESSES
        config.option.dist = "worksteal"


def pytest_collectstart(collector: pytest.Collector) -> None:
    """Have several processes begin to load tests at different places.

    What one has loaded and compiled by the time the others come to it they find compiled: on a machine that runs them
    for the first time, that is two thirds of what they do before the first test.
    """
    told: dict[str, Any] | None = getattr(collector.config, "workerinput", None)
    if told is None or not isinstance(collector, pytest.Session):
        return
    files = sorted({file for named in collector.config.args for file in Path(named).rglob("test_*.py")})
    first = len(files) * int(told["workerid"].removeprefix("gw")) // int(told["workercount"])
    for file in (*files[first:], *files[:first]):
        # Whatever is wrong with it is said when it is collected.
        with suppress(Exception):
            import_module(".".join(file.resolve().relative_to(collector.path).with_suffix("").parts))


def pytest_collection_finish() -> None:
    """Have the garbage collector look away from all that is loaded, as a server does: it was a tenth of all work."""
    gc.enable()
    spare_the_collector()


def pytest_addoption(parser: pytest.Parser) -> None:
    # Of a test for both databases, and of those beside it, that makes two thousand.
    parser.addoption("--operations", type=int, default=650, help="how many operations tests.schema.test_equality runs")
    parser.addoption("--increments", type=int, default=20, help="how often each of fifty writers adds to a goal")
    full = "give tests/faults its full size, which takes hours, or so much of it"
    parser.addoption("--full", nargs="?", type=float, default=0.0, const=1.0, metavar="SHARE", help=full)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what was measured, if anything was."""
    reports = [one for found in terminalreporter.stats.values() for one in found if isinstance(one, pytest.TestReport)]
    told: list[Any] = [text for one in reports for name, text in one.user_properties if name == FIGURE]
    figures = sorted({(fault, text) for fault, text in told})
    if figures:
        terminalreporter.section("measured")
    for fault, text in figures:
        terminalreporter.write_line(f"{fault:<4} {text}")


class ManualClock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.time = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
        self.ticks = 0

    def now(self) -> datetime:
        return self.time

    def monotonic_ns(self) -> int:
        return self.ticks

    def move(self, by: timedelta) -> None:
        self.time += by
        self.ticks += by // timedelta(microseconds=1) * 1_000
