"""Listeners: what may be said of them, who may say it, and what is noted of those that run."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlmodel import col, select

from db.access.viewer import Role, Viewer
from db.database import Database
from db.errors import Conflict, Forbidden, Invalid, NotFound
from db.ids import new_id
from db.matches.tables import Mat
from db.network import operations
from db.network.events import ALL_LISTENERS, ListenerChanged, ListenerConfigured, ListenerEvent
from db.network.tables import ListenerSession, Sender, UDPListener
from db.network.vocabulary import ListenerSessionState, ListenerState
from db.session import Transaction
from tests.db.stored import NOW, lay_mat
from tests.support.listening import listening, make_listener, note, sender_report, session_report

OUTSIDE = "192.168.1.5"
EVERYWHERE = "0.0.0.0"  # noqa: S104 -- nothing is bound to it here


@pytest.fixture
async def mat(db: Database) -> Mat:
    return await lay_mat(db)


async def rolled_back(db: Database, change: Callable[[Transaction], Awaitable[Any]]) -> None:
    """Make a change, and take it back."""

    async def run() -> None:
        async with db.transaction() as tx:
            await change(tx)
            raise LookupError

    with pytest.raises(LookupError):
        await run()


async def listeners_of(db: Database) -> list[UDPListener]:
    async with db.read() as session:
        return await operations.list_listeners(session)


async def sessions_of(db: Database) -> list[ListenerSession]:
    async with db.read() as session:
        return await session.rows(select(ListenerSession).order_by(col(ListenerSession.started_at)))


async def senders_of(db: Database) -> list[tuple[int, int, bool]]:
    async with db.read() as session:
        found = await session.rows(select(Sender).order_by(col(Sender.port)))
    return [(sender.port, sender.packet_count, sender.is_active) for sender in found]


async def test_a_new_listener_is_on_and_heard_by_this_machine_alone(db: Database, mat: Mat) -> None:
    made = await make_listener(db, mat.id, NOW, name="  North ", port=6000)

    assert made._asdict() == {  # type: ignore[attr-defined]  # a light row
        "id": made.id,
        "name": "North",
        "mat_id": mat.id,
        "host": None,
        "address": "127.0.0.1",
        "port": 6000,
        "allowed_senders": [],
        "largest_packet": 2048,
        "is_enabled": True,
        "state": ListenerState.STOPPED,
        "current_session_id": None,
        "last_error": "",
        "last_error_at": None,
        "created_at": NOW,
        "revision": 0,
    }


@pytest.mark.parametrize(
    ("changes", "field", "sentence"),
    [
        ({"name": ""}, "name", "A name has 1 to 200 characters."),
        ({"host": " "}, "host", "A machine's name has 1 to 200 characters."),
        ({"port": None}, "port", "A port is 1 to 65535, or 0 to take a free one."),
        ({"port": 65_536}, "port", "A port is 1 to 65535, or 0 to take a free one."),
        ({"port": -1}, "port", "A port is 1 to 65535, or 0 to take a free one."),
        ({"largest_packet": 63}, "largest_packet", "A packet may have at most 64 to 65507 bytes."),
        ({"largest_packet": 65_508}, "largest_packet", "A packet may have at most 64 to 65507 bytes."),
        (
            {"address": "example.org"},
            "address",
            "A listener is bound to an address such as 127.0.0.1, not to 'example.org'.",
        ),
        (
            {"address": OUTSIDE},
            "address",
            (
                f"Other machines reach {OUTSIDE}, and this server was not told to let them. Start it with "
                f"RINGSIDE_LISTENER_ADDRESSES={OUTSIDE}, or bind the listener to 127.0.0.1."
            ),
        ),
        (
            {"address": OUTSIDE, "open_addresses": [EVERYWHERE]},
            "allowed_senders",
            f"Other machines reach {OUTSIDE}: name those that are heard, or say 0.0.0.0/0 to hear all.",
        ),
        (
            {"allowed_senders": ["10.0.0.0/33"]},
            "allowed_senders",
            "A sender is an address or a network such as 192.168.1.0/24, not '10.0.0.0/33'.",
        ),
        (
            {"allowed_senders": [f"10.0.0.{number}" for number in range(51)]},
            "allowed_senders",
            "A listener names at most 50 senders.",
        ),
    ],
)
async def test_what_cannot_be_a_listener_is_refused_with_what_to_do(
    db: Database, mat: Mat, changes: dict[str, Any], field: str, sentence: str
) -> None:
    with pytest.raises(Invalid) as refusal:
        await make_listener(db, mat.id, NOW, **changes)

    assert (refusal.value.field, refusal.value.message) == (field, sentence)
    assert await listeners_of(db) == []


async def test_other_machines_are_let_in_where_the_server_was_told_to_and_they_are_named(
    db: Database, mat: Mat
) -> None:
    made = await make_listener(
        db, mat.id, NOW, address=OUTSIDE, allowed_senders=["192.168.1.77/24", "::1"], open_addresses=[OUTSIDE]
    )

    assert (made.address, made.allowed_senders) == (OUTSIDE, ["192.168.1.0/24", "::1/128"])


async def test_a_listener_that_others_reach_does_not_lose_its_list_of_senders(db: Database, mat: Mat) -> None:
    made = await make_listener(db, mat.id, NOW, address=OUTSIDE, allowed_senders=["10.0.0.1"], open_addresses=[OUTSIDE])

    with pytest.raises(Invalid, match="name those that are heard"):
        async with db.transaction() as tx:
            await operations.update_listener(tx, made.id, {"allowed_senders": None}, viewer=None, now=NOW)
    with pytest.raises(Invalid, match="was not told to let them"):
        async with db.transaction() as tx:
            await operations.update_listener(tx, made.id, {"address": OUTSIDE}, viewer=None, now=NOW)
    async with db.transaction() as tx:
        after = await operations.update_listener(
            tx, made.id, {"address": None, "allowed_senders": None}, viewer=None, now=NOW
        )

    assert (after.address, after.allowed_senders, after.revision) == ("127.0.0.1", [], 1)


async def test_of_fifty_who_add_one_name_at_once_one_does(db: Database, mat: Mat) -> None:
    outcomes = await asyncio.gather(
        *(make_listener(db, mat.id, NOW, name="One") for _ in range(50)), return_exceptions=True
    )

    refused = [str(one) for one in outcomes if isinstance(one, Conflict)]
    assert (len(refused), set(refused)) == (49, {"There is a listener of this name."})
    assert [one.name for one in await listeners_of(db)] == ["One"]


async def test_a_mat_that_is_none_and_a_name_that_is_taken_are_refused(db: Database, mat: Mat) -> None:
    first, second = [await make_listener(db, mat.id, NOW, name=name) for name in ("One", "Two")]

    for changes, sentence in (({"mat_id": new_id()}, "no such mat"), ({"mat_id": None}, "no such mat")):
        with pytest.raises(NotFound, match=sentence):
            async with db.transaction() as tx:
                await operations.update_listener(tx, first.id, changes, viewer=None, now=NOW)
    with pytest.raises(Conflict, match="There is a listener of this name"):
        async with db.transaction() as tx:
            await operations.update_listener(tx, second.id, {"name": "One"}, viewer=None, now=NOW)
    with pytest.raises(NotFound, match="There is no such mat"):
        await make_listener(db, new_id(), NOW, name="Three")


async def test_listeners_are_changed_by_those_who_run_the_event(db: Database, mat: Mat) -> None:
    made = await make_listener(db, mat.id, NOW)
    member = Viewer(user_id=new_id(), token_id=new_id(), role=Role.MEMBER)

    for change in (operations.start_listener, operations.stop_listener, operations.delete_listener):
        with pytest.raises(Forbidden):
            async with db.transaction() as tx:
                await change(tx, made.id, viewer=member, now=NOW)
    assert await listeners_of(db) == [made]


async def test_what_is_configured_is_told_once_it_is_committed(db: Database, mat: Mat) -> None:
    with db.bus.listen(ALL_LISTENERS, of=ListenerEvent) as heard:
        made = await make_listener(db, mat.id, NOW)
        await rolled_back(db, lambda tx: operations.stop_listener(tx, made.id, viewer=None, now=NOW))
        async with db.transaction() as tx:
            await operations.stop_listener(tx, made.id, viewer=None, now=NOW)
            await operations.stop_listener(tx, made.id, viewer=None, now=NOW)
        async with db.transaction() as tx:
            await operations.delete_listener(tx, made.id, viewer=None, now=NOW)

    assert list(heard._events) == [ListenerConfigured(listener_id=made.id)] * 3


async def test_a_session_is_noted_as_it_grows_and_ends(db: Database, mat: Mat) -> None:
    made = await make_listener(db, mat.id, NOW)
    session = session_report(NOW)
    await note(db, listening(made, session, sender_report(NOW), sender_report(NOW, 7)))
    grown = replace(session, packet_count=9, largest_packet=99)
    await note(db, listening(made, grown, sender_report(NOW, packet_count=9)))
    running = (await listeners_of(db))[0]
    ended = replace(grown, state=ListenerSessionState.STOPPED, ended_at=NOW + timedelta(seconds=5))

    after = await note(db, listening(made, ended))

    (stored,) = await sessions_of(db)
    assert (running.state, running.current_session_id) == (ListenerState.LISTENING, session.id)
    assert after is not None
    assert (after.state, after.current_session_id, after.is_enabled) == (ListenerState.STOPPED, None, True)
    assert (stored.packet_count, stored.largest_packet, stored.state, stored.ended_at) == (
        9,
        99,
        ListenerSessionState.STOPPED,
        NOW + timedelta(seconds=5),
    )
    assert await senders_of(db) == [(7, 4, False), (50_000, 9, False)]


async def test_what_is_told_twice_is_noted_once(db: Database, mat: Mat) -> None:
    made = await make_listener(db, mat.id, NOW)
    report = listening(made, session_report(NOW), sender_report(NOW))

    await asyncio.gather(*(note(db, report) for _ in range(50)))

    assert [one.packet_count for one in await sessions_of(db)] == [4]
    assert await senders_of(db) == [(50_000, 4, True)]


async def test_of_a_listener_that_is_gone_nothing_is_noted(db: Database, mat: Mat) -> None:
    made = await make_listener(db, mat.id, NOW)
    await note(db, listening(made, session_report(NOW), sender_report(NOW)))
    async with db.transaction() as tx:
        await operations.delete_listener(tx, made.id, viewer=None, now=NOW)

    with db.bus.listen(ALL_LISTENERS, of=ListenerEvent) as heard:
        noted = await note(db, listening(made, session_report(NOW), sender_report(NOW)))

    assert (noted, list(heard._events), await sessions_of(db), await senders_of(db)) == (None, [], [], [])


async def test_a_rollback_keeps_what_was_heard_silent(db: Database, mat: Mat) -> None:
    made = await make_listener(db, mat.id, NOW)

    with db.bus.listen(made.id, of=ListenerChanged) as heard:
        await rolled_back(db, lambda tx: operations.note_listener(tx, listening(made, session_report(NOW))))
        silent = list(heard._events)
        await note(db, listening(made, session_report(NOW)))

    assert (silent, list(heard._events)) == ([], [ListenerChanged(listener_id=made.id)])


async def test_sessions_that_a_server_left_behind_are_ended_when_they_last_heard_something(
    db: Database, mat: Mat
) -> None:
    made = await make_listener(db, mat.id, NOW)
    heard_at = NOW + timedelta(seconds=3)
    await note(db, listening(made, session_report(NOW, last_received_at=heard_at), sender_report(NOW)))

    async with db.transaction() as tx:
        ended = await operations.end_interrupted(tx, now=NOW + timedelta(days=1))
    async with db.transaction() as tx:
        again = await operations.end_interrupted(tx, now=NOW + timedelta(days=2))

    (session,), (listener,) = await sessions_of(db), await listeners_of(db)
    assert (ended, again) == (1, 0)
    assert (session.state, session.ended_at) == (ListenerSessionState.INTERRUPTED, heard_at)
    assert (listener.state, listener.current_session_id, listener.is_enabled) == (ListenerState.STOPPED, None, True)
    assert await senders_of(db) == [(50_000, 4, False)]


async def test_there_are_no_more_listeners_than_there_may_be(db: Database, mat: Mat) -> None:
    async def add(name: str) -> UDPListener:
        changes = {"name": name, "port": 0}
        async with db.transaction() as tx:
            return await operations.create_listener(tx, mat.id, changes=changes, most=2, viewer=None, now=NOW)

    kept = [await add("North"), await add("South")]
    with pytest.raises(Conflict, match=r"There are at most 2 listeners \(RINGSIDE_MOST_LISTENERS\)"):
        await add("West")

    assert await listeners_of(db) == kept


async def say(db: Database, mat_id: UUID, **changes: Any) -> UDPListener:
    """Have the command line of a machine speak."""
    usual: dict[str, Any] = {"host": "studio", "address": "127.0.0.1", "port": 6000, "senders": [], "limit": 2048}
    async with db.transaction() as tx:
        return await operations.open_command_line(tx, mat_id, now=NOW, **{**usual, **changes})


async def test_the_command_line_has_one_listener_whatever_it_says(db: Database, mat: Mat) -> None:
    other = await lay_mat(db, "Mat 2")
    first = await say(db, mat.id)
    async with db.transaction() as tx:
        await operations.stop_listener(tx, first.id, viewer=None, now=NOW)
    second = await say(db, other.id, address=EVERYWHERE, port=7000)

    assert await listeners_of(db) == [second]
    assert (second.id, second.mat_id, second.port, second.is_enabled) == (first.id, other.id, 7000, True)
    assert second.allowed_senders == ["0.0.0.0/0", "::/0"]
    assert (await say(db, mat.id, address=EVERYWHERE, senders=["10.1.2.3"])).allowed_senders == ["10.1.2.3/32"]


async def test_the_command_lines_of_two_machines_have_a_listener_each(db: Database, mat: Mat) -> None:
    other = await lay_mat(db, "Mat 2")
    one, two = await say(db, mat.id), await say(db, other.id, host="hall", port=7000)

    assert await listeners_of(db) == [one, two]
    assert [(row.name, row.host, row.mat_id, row.port) for row in (one, two)] == [
        ("Command line of studio", "studio", mat.id, 6000),
        ("Command line of hall", "hall", other.id, 7000),
    ]


async def test_fifty_who_start_at_once_on_one_machine_have_one_listener(db: Database, mat: Mat) -> None:
    said = await asyncio.gather(*(say(db, mat.id) for _ in range(50)))

    (listener,) = await listeners_of(db)
    assert {one.id for one in said} == {listener.id}
    assert listener.revision == 49


async def test_a_listener_that_all_command_lines_shared_is_that_of_the_first_machine_to_come(
    db: Database, mat: Mat
) -> None:
    shared = await make_listener(db, mat.id, NOW, name="Command line", port=6000)

    first, second = await say(db, mat.id), await say(db, mat.id, host="hall", port=7000)

    assert (first.id, first.name, first.host) == (shared.id, "Command line of studio", "studio")
    assert [row.id for row in await listeners_of(db)] == [first.id, second.id]
