"""The bus: bounded queues that never slow who publishes, and never lose anything in silence."""

import asyncio
from dataclasses import dataclass
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from db.bus import Bus, Event, Lagged, Listener, MuchHappened
from tests.support.house import PATIENCE_SECONDS

MAT, MATCH, OTHER = UUID(int=1), UUID(int=2), UUID(int=3)


@dataclass(frozen=True, kw_only=True)
class Counted(Event):
    number: int
    about: tuple[UUID, ...] = (MAT,)

    @property
    def topics(self) -> tuple[UUID, ...]:
        return self.about


@dataclass(frozen=True, kw_only=True)
class Renamed(Event):
    name: str

    @property
    def topics(self) -> tuple[UUID, ...]:
        return (MAT,)


def publish(bus: Bus, *numbers: int) -> None:
    bus.publish([Counted(number=number) for number in numbers])


async def heard(listener: Listener[Counted]) -> list[int | str]:
    """All that is queued and can be read without waiting; `lagged by n` where something was let go."""
    found: list[int | str] = []
    while listener._events or listener._missed:
        try:
            found.append((await anext(listener)).number)
        except Lagged as lagged:
            found.append(f"lagged by {lagged.missed}")
    return found


async def test_a_listener_hears_what_is_published_while_he_listens_and_nothing_before_or_after() -> None:
    bus = Bus()
    publish(bus, 1)

    with bus.listen(MAT, of=Counted) as listener:
        publish(bus, 2, 3)
        publish(bus, 4)
        listeners_meanwhile = bus.listener_count
    publish(bus, 5)

    assert await heard(listener) == [2, 3, 4]
    assert (listeners_meanwhile, bus.listener_count, bus._listeners) == (1, 0, {})


async def test_a_listener_hears_his_topics_and_his_kind_of_event_alone() -> None:
    bus = Bus()

    with bus.listen(MAT, of=Counted) as of_mat, bus.listen(OTHER, of=Counted) as of_other:
        bus.publish([Counted(number=1), Renamed(name="Mat 2"), Counted(number=2, about=(OTHER,)), Counted(number=3)])

    assert [await heard(of_mat), await heard(of_other)] == [[1, 3], [2]]


async def test_one_who_listens_to_two_topics_of_an_event_hears_it_once() -> None:
    bus = Bus()

    with bus.listen(MAT, MATCH, of=Counted) as listener:
        bus.publish([Counted(number=1, about=(MAT, MATCH)), Counted(number=2, about=(MATCH,)), Counted(number=3)])
        listeners = bus.listener_count

    assert await heard(listener) == [1, 2, 3]
    assert (listeners, bus._listeners) == (1, {})


async def test_listeners_of_one_topic_each_hear_everything() -> None:
    bus = Bus()

    with bus.listen(MAT, of=Counted) as one, bus.listen(MAT, of=Counted) as other:
        publish(bus, 1, 2)
        count = bus.listener_count

    assert [await heard(one), await heard(other), count] == [[1, 2], [1, 2], 2]


async def test_a_full_queue_is_still_heard_whole() -> None:
    bus = Bus()

    with bus.listen(MAT, of=Counted, capacity=3) as listener:
        publish(bus, 1, 2, 3)

    assert await heard(listener) == [1, 2, 3]


async def test_an_overflow_is_told_once_with_the_number_missed_and_what_comes_after_is_heard() -> None:
    bus = Bus()

    with bus.listen(MAT, of=Counted, capacity=3) as listener:
        publish(bus, *range(1, 11))
        held = len(listener._events)
        first = await heard(listener)
        publish(bus, 11, 12)
        second = await heard(listener)

    assert (held, first, second) == (0, ["lagged by 10"], [11, 12])


async def test_what_was_read_before_an_overflow_does_not_count_as_missed() -> None:
    bus = Bus()

    with bus.listen(MAT, of=Counted, capacity=3) as listener:
        publish(bus, 1, 2, 3)
        read = (await anext(listener)).number
        publish(bus, 4, 5, 6)
        rest = await heard(listener)

    assert (read, rest) == (1, ["lagged by 5"])


async def test_whoever_wants_the_latest_only_is_never_behind() -> None:
    bus = Bus()

    with bus.listen(MAT, of=Counted, latest_only=True) as listener:
        publish(bus, *range(1_000))
        held = len(listener._events)
        latest = await heard(listener)
        publish(bus, 1_000)

    assert (held, latest, await heard(listener)) == (1, [999], [1_000])


@given(
    capacity=st.integers(1, 5),
    steps=st.lists(st.integers(0, 8), max_size=20),
)
async def test_every_event_is_heard_or_counted_as_missed_and_the_queue_stays_bounded(
    capacity: int, steps: list[int]
) -> None:
    bus = Bus()
    published = accounted_for = 0
    in_order: list[int] = []

    with bus.listen(MAT, of=Counted, capacity=capacity) as listener:
        for step in [*steps, 0]:
            # A nought reads all that waits, another number publishes as many.
            publish(bus, *range(published, published + step))
            published += step
            assert len(listener._events) <= capacity
            for one in [] if step else await heard(listener):
                if isinstance(one, str):
                    accounted_for += int(one.removeprefix("lagged by "))
                    continue
                assert one == accounted_for
                in_order.append(one)
                accounted_for += 1

    assert accounted_for == published
    assert in_order == sorted(set(in_order))


async def test_a_waiting_listener_is_woken() -> None:
    bus = Bus()

    with bus.listen(MAT, of=Counted) as listener:
        waiting = asyncio.create_task(next_of(listener))
        await waiter_of(listener)
        publish(bus, 1, 2)
        first = await waiting

    assert (first.number, await heard(listener)) == (1, [2])


async def test_a_waiting_listener_who_is_cancelled_may_listen_again() -> None:
    bus = Bus()

    with bus.listen(MAT, of=Counted) as listener:
        waiting = asyncio.create_task(next_of(listener))
        await waiter_of(listener)
        waiting.cancel()
        (outcome,) = await asyncio.gather(waiting, return_exceptions=True)
        publish(bus, 1)
        again = await anext(listener)

    assert isinstance(outcome, asyncio.CancelledError)
    assert (again.number, listener._waiter, bus.listener_count) == (1, None, 0)


async def test_a_listener_cancelled_as_he_is_woken_loses_nothing() -> None:
    bus = Bus()

    with bus.listen(MAT, of=Counted) as listener:
        waiting = asyncio.create_task(next_of(listener))
        await waiter_of(listener)
        publish(bus, 1)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)

    assert waiting.cancelled()
    assert await heard(listener) == [1]


async def test_closing_ends_the_iteration_after_what_is_queued() -> None:
    bus = Bus()

    with bus.listen(MAT, of=Counted) as listener:
        publish(bus, 1, 2)
        bus.close()
        numbers = [event.number async for event in listener]

    assert numbers == [1, 2]


async def test_closing_after_an_overflow_still_tells_of_it() -> None:
    bus = Bus()

    with bus.listen(MAT, of=Counted, capacity=1) as listener:
        publish(bus, 1, 2)
        bus.close()
        with pytest.raises(Lagged, match="missed 2 events"):
            await anext(listener)
        rest = [event.number async for event in listener]

    assert rest == []


async def test_closing_wakes_those_who_wait() -> None:
    bus = Bus()

    async def all_of(listener: Listener[Counted]) -> list[int]:
        return [event.number async for event in listener]

    with bus.listen(MAT, of=Counted) as one, bus.listen(MAT, MATCH, of=Counted, latest_only=True) as other:
        waiting = [asyncio.create_task(all_of(one)), asyncio.create_task(all_of(other))]
        await waiter_of(one)
        await waiter_of(other)
        bus.close()
        async with asyncio.timeout(PATIENCE_SECONDS):
            ended = await asyncio.gather(*waiting)

    assert ended == [[], []]


async def test_who_listens_to_a_closed_bus_is_not_kept_waiting() -> None:
    bus = Bus()
    bus.close()

    with bus.listen(MAT, of=Counted) as listener:
        async with asyncio.timeout(PATIENCE_SECONDS):
            numbers = [event.number async for event in listener]

    assert numbers == []


async def test_a_listener_whose_block_fails_is_gone() -> None:
    bus = Bus()

    def fail() -> None:
        with bus.listen(MAT, MATCH, of=Counted):
            raise LookupError("a bug")

    with pytest.raises(LookupError):
        fail()

    assert (bus.listener_count, bus._listeners) == (0, {})


async def test_a_listener_may_leave_while_another_is_told() -> None:
    bus = Bus()

    class Leaver(Listener[Counted]):
        def hear(self, event: Event) -> None:
            super().hear(event)
            listening.__exit__(None, None, None)

    with bus.listen(MAT, of=Counted) as stays:
        listening = bus.listen(MAT, of=Counted)
        leaver = listening.__enter__()
        leaver.__class__ = Leaver
        publish(bus, 1)
        publish(bus, 2)

    assert [await heard(stays), await heard(leaver)] == [[1, 2], [1]]


async def next_of(listener: Listener[Counted]) -> Counted:
    return await anext(listener)


async def waiter_of(listener: Listener[Counted]) -> None:
    """Let those who begin to listen come as far as waiting."""
    for _ in range(3):
        await asyncio.sleep(0)
    assert listener._waiter is not None


@pytest.mark.parametrize("latest_only", [False, True])
async def test_of_much_that_happened_whoever_listens_is_told_as_of_a_gap(*, latest_only: bool) -> None:
    bus = Bus()
    with (
        bus.listen(MAT, of=Counted, latest_only=latest_only) as about_mat,
        bus.listen(OTHER, of=Counted, latest_only=latest_only) as about_other,
    ):
        publish(bus, 1)
        bus.publish([MuchHappened(about=(MAT, MATCH))])
        found = [await heard(about_mat), await heard(about_other)]
        publish(bus, 2)
        found.append(await heard(about_mat))

    assert found == [["lagged by 2"], [], [2]]
