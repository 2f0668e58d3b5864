"""The bus over Redis, which keeps nothing: what is missing, late or too much is found out and told."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any
from uuid import UUID

import pytest

from db import redis_bus
from db.bus import BusKind, Lagged, Listener
from db.connecting import connect
from db.database import Database
from db.errors import Invalid
from db.letters import envelope, write
from db.matches.events import MatHeard
from db.redis_bus import RedisBus, _Told
from tests.db.stored import lay_mat
from tests.support.house import PATIENCE_SECONDS, eventually
from tests.support.redis import OwnRedis

NOW = 1000.0


@pytest.fixture
async def db(postgresql_url: str, redis_server: OwnRedis) -> AsyncIterator[Database]:
    opened = await connect(postgresql_url, pool_size=4, bus=BusKind.REDIS, redis_url=redis_server.url)
    yield opened
    await opened.close()


@pytest.fixture(autouse=True)
def patient_bus(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have Redis not taken for gone where it is only slow: that would be a gap of nobody's doing."""
    for name in ("_PATIENCE_SECONDS", "_SILENCE_SECONDS"):
        monkeypatch.setattr(redis_bus, name, PATIENCE_SECONDS)


@pytest.fixture
def bus(db: Database) -> RedisBus:
    """One that hears what a test says to it, at the time that the test says it is."""
    assert isinstance(db.bus, RedisBus)
    return db.bus


@pytest.fixture
async def event(db: Database) -> MatHeard:
    return MatHeard(mat=await lay_mat(db))


def message(sender: str, last: int, number: int, *events: MatHeard) -> bytes:
    return b'["%s",%d,%d,%s]' % (sender.encode(), last, number, envelope(map(write, events)).encode())


def beat(sender: str, last: int) -> bytes:
    return b'["%s",%d,null,[]]' % (sender.encode(), last)


def leave(sender: str, last: int) -> bytes:
    return b'["%s",%d,null,null]' % (sender.encode(), last)


async def heard(bus: RedisBus, listener: Listener[MatHeard]) -> list[Any]:
    """All that is queued, and `gap` where something may be missing."""
    if bus._telling_gap is not None:
        bus._telling_gap.cancel()
        bus._tell_gap_now()
    found: list[Any] = []
    while listener._events or listener._missed:
        try:
            found.append(await anext(listener))
        except Lagged:
            found.append("gap")
    return found


async def test_messages_that_follow_each_other_are_heard_and_a_second_time_they_are_not(
    bus: RedisBus, event: MatHeard
) -> None:
    with bus.listen(event.mat.id, of=MatHeard) as listener:
        for said in (beat("a", 0), message("a", 1, 7, event), beat("a", 1), message("a", 2, 8, event)):
            bus._take(said, NOW)
        bus._take(message("a", 2, 8, event), NOW)

        assert await heard(bus, listener) == [event, event]


@pytest.mark.parametrize("how", ["message", "beat", "leave", "first"])
async def test_a_number_that_is_missing_is_a_gap(bus: RedisBus, event: MatHeard, how: str) -> None:
    said = {
        "message": [message("a", 1, 7, event), message("a", 3, 9, event)],
        "beat": [message("a", 1, 7, event), beat("a", 2)],
        "leave": [message("a", 1, 7, event), leave("a", 2)],
        "first": [beat("a", 5)],
    }[how]
    with bus.listen(event.mat.id, of=MatHeard) as listener:
        for one in said:
            bus._take(one, NOW)

        assert (await heard(bus, listener))[-1] == "gap"
    assert bus.facts()["gaps"] == 1


async def test_who_is_silent_for_long_is_a_gap_and_who_has_taken_his_leave_is_not(
    bus: RedisBus, event: MatHeard
) -> None:
    bus._heard_self_at = NOW + redis_bus._SILENCE_SECONDS
    bus._take(beat("gone", 0), NOW)
    bus._take(beat("left", 0), NOW)
    bus._take(leave("left", 0), NOW)

    with bus.listen(event.mat.id, of=MatHeard) as listener:
        bus._look_for_silence(NOW + redis_bus._SILENCE_SECONDS)
        before = await heard(bus, listener)
        bus._look_for_silence(NOW + redis_bus._SILENCE_SECONDS + 1)
        after = await heard(bus, listener)

    assert (before, after) == ([], ["gap"])
    assert not bus._others


async def test_a_redis_that_does_not_say_back_what_it_was_told_is_away(bus: RedisBus) -> None:
    bus._heard_self_at = NOW
    with pytest.raises(TimeoutError):
        bus._look_for_silence(NOW + redis_bus._SILENCE_SECONDS + 1)


async def test_what_comes_behind_something_later_is_read_and_not_shown(bus: RedisBus, event: MatHeard) -> None:
    other = MatHeard(mat=event.mat._replace(id=UUID(int=5)))  # type: ignore[attr-defined]  # a row is a named tuple
    with bus.listen(event.mat.id, of=MatHeard) as listener, bus.listen(UUID(int=5), of=MatHeard) as unconcerned:
        bus._take(message("a", 1, 9, event), NOW)
        bus._take(message("b", 1, 8, event), NOW)
        bus._take(message("b", 2, 7, other), NOW)
        bus.publish([event], _Told(6, b"[]"))

        assert await heard(bus, listener) == ["gap"]
        assert await heard(bus, unconcerned) == [other]
    assert (bus.late, bus.gaps) == (2, 0)


async def test_what_was_late_for_one_who_began_to_listen_after_what_was_later_is_late_for_him(
    bus: RedisBus, event: MatHeard
) -> None:
    bus._take(message("a", 1, 9, event), NOW)
    bus._order.forget()
    with bus.listen(event.mat.id, of=MatHeard) as listener:
        bus._take(message("b", 1, 8, event), NOW)
        assert await heard(bus, listener) == ["gap"]
        bus._order.forget()
        bus._order.forget()
        bus._take(message("b", 2, 8, event), NOW)
        assert await heard(bus, listener) == [event]


@pytest.mark.parametrize("said", [b"", b"null", b'["a"]', b'["a",1,1,[["x"]]]', b'["a",1,1,[["x",["y"],[]]]]', b"\xff"])
async def test_what_is_no_message_has_everybody_read(bus: RedisBus, event: MatHeard, said: bytes) -> None:
    with bus.listen(event.mat.id, of=MatHeard) as listener:
        bus._take(said, NOW)
        assert await heard(bus, listener) == ["gap"]


async def test_what_does_not_fit_is_dropped_counted_and_found_out(
    db: Database, bus: RedisBus, redis_server: OwnRedis, event: MatHeard, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = await connect(db._connections._url, pool_size=2, bus=BusKind.REDIS, redis_url=redis_server.url)  # type: ignore[attr-defined]  # it is PostgreSQL's
    await other.bus.open()
    await bus.open()
    topic = event.mat.id
    with other.bus.listen(topic, of=MatHeard) as listener, bus.listen(topic, of=MatHeard) as own:
        bus.publish([event], _Told(1, envelope([write(event)]).encode()))
        async with asyncio.timeout(PATIENCE_SECONDS):
            # What is dropped is heard here at once: what has not come back from Redis by then is late.
            assert (await anext(listener), await anext(own)) == (event, event)
            monkeypatch.setattr(redis_bus, "_MOST_WAITING_BYTES", 10)
            bus.publish([event], _Told(2, envelope([write(event)]).encode()))
            with pytest.raises(Lagged):
                await anext(listener)
    await other.close()

    assert bus.facts() == {"kind": "redis", "status": "ok", "gaps": 0, "late": 0, "waiting": 0, "dropped": 1}


@pytest.fixture
def another_url(postgresql_databases: Any) -> Iterator[str]:
    """The URL of another database of the same server."""
    with postgresql_databases.borrow() as url:
        yield url


async def test_databases_that_share_a_redis_do_not_hear_each_other(
    db: Database, bus: RedisBus, redis_server: OwnRedis, event: MatHeard, another_url: str
) -> None:
    urls = (another_url, db._connections._url)  # type: ignore[attr-defined]  # it is PostgreSQL's
    opened = [await connect(url, pool_size=2, bus=BusKind.REDIS, redis_url=redis_server.url) for url in urls]
    stranger, other = opened
    for one in opened:
        await one.bus.open()
    with stranger.bus.listen(event.mat.id, of=MatHeard) as deaf, other.bus.listen(event.mat.id, of=MatHeard) as ear:
        bus.publish([event], _Told(1, envelope([write(event)]).encode()))
        await eventually(lambda: bool(ear._events), "the news")
        assert not deaf._events
        assert not deaf._missed
    for one in opened:
        await one.close()


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("", "RINGSIDE_BUS=redis needs RINGSIDE_REDIS_URL"),
        ("http://:secret@127.0.0.1", "RINGSIDE_REDIS_URL cannot be read"),
        ("redis://:secret@127.0.0.1:port", "RINGSIDE_REDIS_URL cannot be read"),
    ],
)
async def test_a_url_that_cannot_be_is_refused_without_its_password(postgresql_url: str, url: str, why: str) -> None:
    with pytest.raises(Invalid, match=why) as refused:
        await connect(postgresql_url, bus=BusKind.REDIS, redis_url=url)

    assert "secret" not in str(refused.value)
