"""The loop that tests run on: a pause is no time to those who wait, and a leap is."""

import asyncio

import pytest

from tests.support.pauses import PausingLoop, leap


async def test_whoever_runs_tests_runs_them_on_it() -> None:
    assert isinstance(asyncio.get_running_loop(), PausingLoop)


def test_a_process_that_was_stopped_has_kept_nobody_waiting() -> None:
    loop = PausingLoop()
    count = loop.machines_time

    async def wait() -> float:
        async with asyncio.timeout(60):
            began = loop.time()
            loop.machines_time = lambda: count() + 119  # type: ignore[method-assign]  # it wakes two minutes later
            # Longer than the loop waits at once, so that it has looked at the clock and at who is overdue.
            await asyncio.sleep(0.5)
            return loop.time() - began

    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        assert 0.5 <= runner.run(wait()) < 60


async def test_time_that_goes_by_otherwise_is_time() -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3):
            await asyncio.Event().wait()


async def test_a_leap_is_time_in_which_nobody_did_anything() -> None:
    async def wait() -> None:
        async with asyncio.timeout(60):
            leap(61)
            await asyncio.Event().wait()

    with pytest.raises(TimeoutError):
        await wait()
