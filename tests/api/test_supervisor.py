"""The supervisor: work that fails starts again after a pause, work that is stopped does not, and all of it is seen."""

import asyncio
import logging
from collections.abc import AsyncIterator

import pytest

from api.workers import supervisor as module
from api.workers.supervisor import Supervisor, WorkerHealth
from tests.conftest import ManualClock
from tests.support.house import PATIENCE_SECONDS, eventually


@pytest.fixture
async def supervisor(clock: ManualClock, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Supervisor]:
    monkeypatch.setattr(module, "FIRST_PAUSE_SECONDS", 0.001)
    monkeypatch.setattr(module, "LONGEST_PAUSE_SECONDS", 0.004)
    supervisor = Supervisor(clock)
    yield supervisor
    await supervisor.close()


class Work:
    """Work that fails a number of times, and then runs until it is stopped."""

    def __init__(self, failures: int = 0) -> None:
        self.failures = failures
        self.starts: list[float] = []
        self.is_stopped = False

    async def run(self) -> None:
        self.starts.append(asyncio.get_running_loop().time())
        if len(self.starts) <= self.failures:
            raise OSError(f"port taken, try {len(self.starts)}")
        try:
            await asyncio.Event().wait()
        finally:
            self.is_stopped = True


async def test_work_that_fails_starts_again_and_says_why(supervisor: Supervisor, clock: ManualClock) -> None:
    work = Work(failures=3)

    supervisor.start("port", work.run)
    await eventually(lambda: len(work.starts) == 4)

    assert supervisor.health() == [
        WorkerHealth(
            name="port", state="running", restarts=3, since=clock.now(), last_error="OSError: port taken, try 3"
        )
    ]


async def test_that_work_begins_is_no_news_and_that_it_fails_and_comes_back_is(
    supervisor: Supervisor, caplog: pytest.LogCaptureFixture
) -> None:
    sound, frail = Work(), Work(failures=1)

    with caplog.at_level(logging.INFO):
        supervisor.start("sound", sound.run)
        supervisor.start("frail", frail.run)
        await eventually(lambda: (len(sound.starts), len(frail.starts)) == (1, 2))

    assert [record.getMessage() for record in caplog.records] == [
        "worker frail is waiting",
        "worker frail failed and starts again in 0.00 s",
        "worker frail is running",
    ]


async def test_each_pause_is_twice_the_last_up_to_the_longest(
    supervisor: Supervisor, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FIRST_PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(module, "LONGEST_PAUSE_SECONDS", 0.04)
    work = Work(failures=4)

    supervisor.start("port", work.run)
    await eventually(lambda: len(work.starts) == 5)

    pauses = [record.args[1] for record in caplog.records if isinstance(record.args, tuple) and len(record.args) == 2]
    assert [pause for pause in pauses if isinstance(pause, float)] == [0.01, 0.02, 0.04, 0.04]
    waits = [after - before for before, after in zip(work.starts, work.starts[1:], strict=False)]
    assert all(wait >= pause for wait, pause in zip(waits, [0.01, 0.02, 0.04, 0.04], strict=True))


async def test_after_a_good_while_a_failure_is_a_first_one_again(
    supervisor: Supervisor, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_WELL_AFTER_SECONDS", -1.0)
    work = Work(failures=3)

    supervisor.start("port", work.run)
    await eventually(lambda: len(work.starts) == 4)

    assert caplog.text.count("starts again in 0.00 s") == 3


async def test_while_it_waits_that_is_its_state(supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FIRST_PAUSE_SECONDS", 60.0)

    supervisor.start("port", Work(failures=1).run)
    await eventually(lambda: supervisor.health()[0].restarts == 1)

    assert [(one.name, one.state, one.last_error) for one in supervisor.health()] == [
        ("port", "waiting", "OSError: port taken, try 1")
    ]


async def test_work_that_returns_is_done_and_its_name_is_free_again(supervisor: Supervisor) -> None:
    async def once() -> None:
        return

    supervisor.start("once", once)
    await eventually(lambda: supervisor.health()[0].state == "done")
    supervisor.start("once", Work().run)
    await eventually(lambda: supervisor.health()[0].state == "running")

    assert [one.name for one in supervisor.health()] == ["once"]


async def test_two_workers_do_not_share_a_name(supervisor: Supervisor) -> None:
    supervisor.start("port", Work().run)

    with pytest.raises(ValueError, match="There is a worker named 'port' already"):
        supervisor.start("port", Work().run)

    assert len(supervisor.health()) == 1


async def test_stopped_work_is_gone_when_stop_returns(supervisor: Supervisor) -> None:
    work, other = Work(), Work()
    supervisor.start("port", work.run)
    supervisor.start("other", other.run)
    await eventually(lambda: bool(work.starts and other.starts))

    await supervisor.stop("port")
    await supervisor.stop("never started")

    assert (work.is_stopped, other.is_stopped) == (True, False)
    assert [one.name for one in supervisor.health()] == ["other"]


async def test_work_is_stopped_while_it_waits_to_start_again(
    supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FIRST_PAUSE_SECONDS", 60.0)
    work = Work(failures=1)
    supervisor.start("port", work.run)
    await eventually(lambda: supervisor.health()[0].state == "waiting")

    await supervisor.stop("port")

    assert (len(work.starts), supervisor.health()) == (1, [])


async def test_work_that_fails_while_it_is_stopped_is_logged_and_stays_stopped(
    supervisor: Supervisor, caplog: pytest.LogCaptureFixture
) -> None:
    starts = 0

    async def stubborn() -> None:
        nonlocal starts
        starts += 1
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise OSError("could not write the rest") from None

    supervisor.start("stubborn", stubborn)
    await eventually(lambda: starts == 1)
    async with asyncio.timeout(PATIENCE_SECONDS):
        await supervisor.stop("stubborn")

    assert starts == 1
    assert "worker stubborn failed while it was stopped" in caplog.text
    assert "could not write the rest" in caplog.text


async def test_work_that_trips_over_something_cancelled_starts_again(supervisor: Supervisor) -> None:
    starts = 0

    async def trips() -> None:
        nonlocal starts
        starts += 1
        if starts == 1:
            future = asyncio.get_running_loop().create_future()
            future.cancel()
            await future
        await asyncio.Event().wait()

    supervisor.start("trips", trips)
    await eventually(lambda: starts == 2)

    assert [(one.state, one.restarts, one.last_error) for one in supervisor.health()] == [
        ("running", 1, "CancelledError: ")
    ]


async def test_health_asks_for_facts_when_it_is_asked(supervisor: Supervisor) -> None:
    seen = 0
    supervisor.start("counter", Work().run, lambda: {"seen": seen})
    seen = 7

    assert [one.facts() for one in supervisor.health()] == [{"seen": 7}]
