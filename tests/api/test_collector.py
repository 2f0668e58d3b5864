"""The garbage collector: what stays is out of its sight, and what goes needs it not."""

import gc
import weakref
from collections.abc import Iterator
from typing import Any

import pytest

from api.collector import Collector
from api.transport.sockets import Socket
from tests.conftest import ManualClock
from tests.support.house import eventually, running_house


@pytest.fixture
def untouched() -> Iterator[None]:
    """The collector as it was, in the end."""
    thresholds = gc.get_threshold()
    yield
    gc.enable()
    gc.unfreeze()
    gc.set_threshold(*thresholds)


class Stays:
    """Something that holds itself."""

    def __init__(self) -> None:
        self.me = self


@pytest.mark.usefixtures("untouched")
def test_what_stays_is_out_of_sight_until_as_many_have_come_and_gone() -> None:
    collector = Collector()
    collector.begin()
    gone = Stays()
    known = weakref.ref(gone)

    for present in range(1, 201):
        collector.note_arrival(present)
    del gone
    gc.collect()
    is_out_of_sight = known() is not None
    for _ in range(601):
        collector.note_arrival(200)

    assert is_out_of_sight
    assert known() is None


def test_a_collector_that_was_not_begun_is_left_alone() -> None:
    before = gc.get_freeze_count(), gc.get_threshold()
    collector = Collector()

    for present in range(1000):
        collector.note_arrival(present)

    assert (gc.get_freeze_count(), gc.get_threshold()) == before


@pytest.mark.usefixtures("untouched")
async def test_a_socket_that_is_gone_is_freed_without_the_collector(database_url: str, clock: ManualClock) -> None:
    operation = "subscription ($mat: ID!) { scoreboardChanged(matId: $mat) { scoreboard { revision } } }"
    known: list[weakref.ref[Any]] = []

    async with running_house(database_url, clock=clock, has_listener=False) as house:
        gc.disable()
        async with house.admitted() as socket:
            await anext(socket.subscribe(operation, mat=house.mat))
            (guest,) = (one for one in house.house.doorkeeper._guests if isinstance(one, Socket))
            known += map(weakref.ref, [guest, guest.line])
            del guest

        await eventually(lambda: [one for one in known if one() is not None] == [], "the end of all that was held")

    assert len(known) == 2, "the socket and its line"
