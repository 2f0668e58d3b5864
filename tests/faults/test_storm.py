"""S2, S3, W4 together: processes are killed and PostgreSQL is restarted while many write and many watch."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from api.migrate import migrate_up
from api.transport.line import frame_of
from tests.faults.conftest import Figure, Size
from tests.support.cluster import own_cluster
from tests.support.plain import payload_at
from tests.support.ports import free_port
from tests.support.postgresql import Server
from tests.support.storm import Follower, Outcome, Watcher, Weather, Writer, storm

GOAL = "streamgoal_1"


async def test_every_feed_is_exact_and_every_state_at_its_last(
    postgresql_server: Server,  # noqa: ARG001 -- where there is none, none is made
    tmp_path: Path,
    size: Size,
    figure: Figure,
) -> None:
    weather = Weather(
        workers=2,
        sockets=40,
        goals=5,
        rate=15,
        seconds=size(60, 600),
        seconds_between_kills=12,
        seconds_between_restarts=20,
    )
    with own_cluster(free_port()) as cluster:
        url = cluster.url("postgres")
        await asyncio.to_thread(migrate_up, url)
        outcome = await storm(cluster, url, tmp_path / "server.log", weather)

    assert outcome.faults() == []
    assert outcome.answered
    assert outcome.restarts
    figure("S3", f"a storm over 2 processes: {outcome}")


def followed(*heard: int) -> Follower:
    one = Follower(GOAL)
    one.heard = list(heard)
    return one


def watched(last: int, *, has_gone_back: bool = False) -> Watcher:
    one = Watcher(GOAL)
    one.last, one.has_gone_back = last, has_gone_back
    return one


@pytest.mark.parametrize(
    ("client", "is_right"),
    [
        pytest.param(lambda: followed(1, 2, 3), True, id="exact"),
        pytest.param(lambda: followed(1, 3), False, id="missed"),
        pytest.param(lambda: followed(1, 2, 2, 3), False, id="doubled"),
        pytest.param(lambda: followed(1, 3, 2), False, id="out of order"),
        pytest.param(lambda: followed(1, 2), False, id="not at its end"),
        pytest.param(lambda: watched(3), True, id="at its last"),
        pytest.param(lambda: watched(2), False, id="not at its last"),
        pytest.param(lambda: watched(3, has_gone_back=True), False, id="gone back"),
    ],
)
def test_who_was_told_otherwise_is_found(client: Callable[[], Follower | Watcher], *, is_right: bool) -> None:
    writer = Writer()
    writer.answered = 3
    outcome = Outcome([client()], [writer], stored={GOAL: [1, 2, 3]})

    assert (outcome.faults() == []) is is_right


@pytest.mark.parametrize(
    ("answered", "unanswered", "is_right"), [(3, 0, True), (2, 1, True), (4, 0, False), (2, 0, False)]
)
def test_what_was_answered_and_is_not_stored_is_found(answered: int, unanswered: int, *, is_right: bool) -> None:
    writer = Writer()
    writer.answered, writer.unanswered = answered, unanswered

    assert (Outcome([], [writer], stored={GOAL: [1, 2, 3]}).faults() == []) is is_right


@pytest.mark.parametrize("size", [0, 125, 126, 65_535, 65_536])
def test_a_frame_is_found_when_all_of_it_is_there(size: int) -> None:
    frame = frame_of(b"x" * size)
    sent = frame_of(b"before") + frame + frame_of(b"behind")
    begin = len(frame_of(b"before"))

    assert payload_at(sent, begin) == (begin + len(frame) - size, begin + len(frame))
    assert payload_at(frame[:-1], 0) is None
