"""The loop that tests run on: a pause is no time to those who wait, a leap is, and news may be late and is not lost."""

import asyncio
import socket

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


def test_late_news_overtakes_between_sockets_and_never_on_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RINGSIDE_TESTS_LATE", "1")
    heard: list[tuple[int, int]] = []

    async def hear(number: int, one: socket.socket) -> None:
        one.setblocking(False)
        while told := await asyncio.get_running_loop().sock_recv(one, 1):
            heard.append((number, told[0]))

    async def listen() -> None:
        pairs = [socket.socketpair() for _ in range(8)]
        async with asyncio.timeout(60), asyncio.TaskGroup() as group:
            for number, (_, there) in enumerate(pairs):
                group.create_task(hear(number, there))
            for count in range(20):
                for here, _ in pairs:
                    here.send(bytes([count]))
                # In a thread, whose end is news as well.
                await asyncio.to_thread(lambda: None)
            for here, _ in pairs:
                here.close()
        for _, there in pairs:
            there.close()

    with asyncio.Runner(loop_factory=PausingLoop) as runner:
        runner.run(listen())

    assert sorted(heard) == [(number, count) for number in range(8) for count in range(20)]
    assert [[count for of, count in heard if of == number] for number in range(8)] == [list(range(20))] * 8
    counts = [count for _, count in heard]
    assert counts != sorted(counts)
