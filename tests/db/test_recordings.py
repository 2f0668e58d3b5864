"""Recordings, bookmarks and OBS machines: what may be said of them, at once by many, and who hears of it."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlmodel import col, select

from db.bus import Event
from db.database import Database
from db.errors import Conflict, Invalid, NotFound, Refusal
from db.ids import new_id
from db.matches.tables import Mat, MatchEvent
from db.recordings import bookmarks, commands, machines, operations
from db.recordings.events import OBSCommandFailed, OBSCommandQueued, OBSMachineConfigured, RecordingChanged
from db.recordings.tables import Bookmark, OBSCommand, OBSMachine, Recording, RecordingSegment
from db.recordings.timing import Gap
from db.recordings.vocabulary import (
    OBSCommandKind,
    OBSCommandState,
    OBSMachineState,
    RecordingKind,
    RecordingNewsKind,
    RecordingState,
)
from tests.db.stored import NOW, lay_mat
from tests.support.competition import hold
from tests.support.recordings import make_bookmark, make_machine, make_recording, point_of, queue

MINUTE = timedelta(minutes=1)


@pytest.fixture
async def mat(db: Database) -> Mat:
    return await lay_mat(db)


async def do(db: Database, operation: Callable[..., Awaitable[Any]], *given: Any, **named: Any) -> Any:
    async with db.transaction() as tx:
        return await operation(tx, *given, **named)


async def shown(db: Database, recording_id: UUID) -> list[tuple[float, float, int]]:
    """The stretches of a recording: from and until, in seconds from the beginning of all tests, and its place."""
    async with db.read() as session:
        of_one = select(RecordingSegment).where(col(RecordingSegment.recording_id) == recording_id)
        rows = await session.rows(of_one.order_by(col(RecordingSegment.number)))
    return [
        ((row.shows_from - NOW).total_seconds(), (row.shows_until - NOW).total_seconds(), row.begins_ms) for row in rows
    ]


async def at_once(work: Callable[[], Awaitable[Any]], times: int = 50) -> Counter[str]:
    results = await asyncio.gather(*(work() for _ in range(times)), return_exceptions=True)
    return Counter(type(one).__name__ for one in results)


async def test_a_recording_begins_is_paused_and_ends(db: Database, mat: Mat) -> None:
    made = await make_recording(db, mat.id, NOW)
    await do(db, operations.pause_recording, made.id, is_paused=True, now=NOW + MINUTE)
    await do(db, operations.pause_recording, made.id, is_paused=True, now=NOW + 2 * MINUTE)
    paused = await shown(db, made.id)
    await do(db, operations.pause_recording, made.id, is_paused=False, now=NOW + 3 * MINUTE)

    ended = await do(
        db, operations.finish_recording, made.id, changes={"path": "/1.mkv", "size_bytes": 5}, now=NOW + 4 * MINUTE
    )

    assert (made.state, ended.state, ended.path, ended.size_bytes) == ("RECORDING", "FINISHED", "/1.mkv", 5)
    assert (ended.started_at, ended.ended_at) == (NOW, NOW + 4 * MINUTE)
    assert paused == [(0, 60, 0)]
    assert await shown(db, made.id) == [(0, 60, 0), (180, 240, 60_000)]


async def test_what_ends_while_it_is_paused_ends_with_its_last_picture(db: Database, mat: Mat) -> None:
    made = await make_recording(db, mat.id, NOW)
    await do(db, operations.pause_recording, made.id, is_paused=True, now=NOW + MINUTE)

    ended = await do(db, operations.finish_recording, made.id, now=NOW + 2 * MINUTE)

    assert await shown(db, made.id) == [(0, 60, 0)]
    assert ended.gaps == [{"from": (NOW + MINUTE).isoformat(), "until": (NOW + 2 * MINUTE).isoformat()}]


async def test_the_start_of_a_replay_is_its_end_less_its_measured_length_or_nothing(db: Database, mat: Mat) -> None:
    replay: dict[str, Any] = {"kind": RecordingKind.REPLAY, "started_at": None, "ended_at": NOW}
    measured = await make_recording(db, mat.id, NOW, **replay, duration_ms=20_500)
    unmeasured = await make_recording(db, mat.id, NOW, **replay)

    assert (measured.started_at, measured.state) == (NOW - timedelta(seconds=20.5), "FINISHED")
    assert (unmeasured.started_at, unmeasured.dated_at) == (None, NOW)
    assert (await shown(db, measured.id), await shown(db, unmeasured.id)) == ([(-20.5, 0, 0)], [])

    await do(db, operations.update_recording, unmeasured.id, {"duration_ms": 10_000}, now=NOW)
    assert await shown(db, unmeasured.id) == [(-10, 0, 0)]


async def test_a_lost_recording_ends_when_it_was_last_seen_and_may_be_found(db: Database, mat: Mat) -> None:
    made = await make_recording(db, mat.id, NOW)
    await do(db, operations.see_recording, made.id, size_bytes=7, now=NOW + MINUTE)

    lost = await do(db, operations.lose_recording, made.id, message="Gone.", now=NOW + 9 * MINUTE)
    before = await shown(db, made.id)
    found = await do(db, operations.finish_recording, made.id, ended_at=NOW + 5 * MINUTE, now=NOW + 9 * MINUTE)

    assert (lost.state, lost.ended_at, lost.message, lost.size_bytes) == ("LOST", NOW + MINUTE, "Gone.", 7)
    assert before == [(0, 60, 0)]
    assert (found.state, found.message, await shown(db, made.id)) == ("FINISHED", "", [(0, 300, 0)])


async def test_a_machines_clock_is_corrected_for_all_that_it_recorded(db: Database, mat: Mat) -> None:
    machine = await make_machine(db, mat.id, NOW)
    of_machine: dict[str, Any] = {"machine_id": machine.id, "ended_at": NOW + MINUTE}
    plain = await make_recording(db, mat.id, NOW, **of_machine)
    stream = await make_recording(db, mat.id, NOW, kind=RecordingKind.STREAM, **of_machine)
    own = await make_recording(db, mat.id, NOW, **of_machine, clock_offset_ms=0, delay_ms=1000)

    corrected = {"clock_offset_ms": 2000, "stream_delay_ms": 5000}
    await do(db, machines.update_machine, machine.id, corrected)

    found = [await shown(db, one.id) for one in (plain, stream, own)]
    assert found == [[(-2, 58, 0)], [(-7, 53, 0)], [(-1, 59, 0)]]

    # What it recorded stays as it is when the machine is forgotten, also when something else is corrected.
    await do(db, machines.delete_machine, machine.id)
    for one in (plain, stream, own):
        after = await do(db, operations.update_recording, one.id, {"name": "Kept"}, now=NOW)
        assert after.machine_id is None
    assert [await shown(db, one.id) for one in (plain, stream, own)] == found


LONG_AGO = datetime(1999, 12, 31, tzinfo=UTC)


IMPOSSIBLE: list[tuple[dict[str, Any], str]] = [
    ({"started_at": None}, "started_at"),
    ({"started_at": LONG_AGO}, "started_at"),
    ({"ended_at": NOW + timedelta(days=2)}, "ended_at"),
    ({"ended_at": NOW - MINUTE}, "ended_at"),
    ({"started_at": NOW - timedelta(days=8), "ended_at": NOW}, "ended_at"),
    ({"name": "x" * 201}, "name"),
    ({"path": "a\x00b"}, "path"),
    ({"duration_ms": -1}, "duration_ms"),
    ({"size_bytes": -1}, "size_bytes"),
    ({"clock_offset_ms": 86_400_001}, "clock_offset_ms"),
    ({"delay_ms": -1}, "delay_ms"),
    ({"gaps": [Gap(since=NOW - MINUTE, until=NOW)]}, "gaps"),
    ({"gaps": [Gap(since=LONG_AGO, until=None)]}, "gaps"),
]


async def test_a_recording_that_cannot_be_is_refused(db: Database, mat: Mat) -> None:
    for changes, field in IMPOSSIBLE:
        with pytest.raises(Invalid) as refusal:
            await make_recording(db, mat.id, NOW, **changes)
        assert refusal.value.field == field

    async with db.read() as session:
        assert await session.rows(select(Recording)) == []


async def test_a_recording_is_refused_that_belongs_nowhere(db: Database, mat: Mat) -> None:
    other = await lay_mat(db, "Mat 2")
    machine = await make_machine(db, other.id, NOW)
    refused: list[Any] = [
        {"mat_id": new_id()},
        {"mat_id": mat.id, "match_id": new_id()},
        {"mat_id": mat.id, "machine_id": new_id()},
        {"mat_id": mat.id, "machine_id": machine.id},
    ]

    found = []
    for given in refused:
        with pytest.raises(Refusal) as refusal:
            await make_recording(db, given.pop("mat_id"), NOW, **given)
        found.append((type(refusal.value), refusal.value.field))

    assert found == [(NotFound, "mat_id"), (NotFound, "match_id"), (NotFound, "machine_id"), (Invalid, "machine_id")]


async def test_what_is_over_is_not_ended_again_and_what_runs_is_not_corrected_to_its_end(
    db: Database, mat: Mat
) -> None:
    running = await make_recording(db, mat.id, NOW)
    over = await make_recording(db, mat.id, NOW, ended_at=NOW)

    refused: list[Any] = [
        (operations.finish_recording, over.id),
        (operations.lose_recording, over.id),
        (operations.update_recording, over.id, {"ended_at": None}),
        (operations.update_recording, running.id, {"ended_at": NOW}),
    ]
    for operation, *given in refused:
        with pytest.raises(Conflict):
            await do(db, operation, *given, now=NOW + MINUTE)
    unknown: list[Any] = [operations.finish_recording, operations.lose_recording]
    for operation in unknown:
        with pytest.raises(NotFound):
            await do(db, operation, new_id(), now=NOW)
    with pytest.raises(NotFound):
        await do(db, operations.delete_recording, new_id())


async def test_of_fifty_who_finish_a_recording_one_does(db: Database, mat: Mat) -> None:
    made = await make_recording(db, mat.id, NOW)

    done = await at_once(lambda: do(db, operations.finish_recording, made.id, now=NOW + MINUTE))

    assert done == {"Recordings": 1, "Conflict": 49}
    assert await shown(db, made.id) == [(0, 60, 0)]


async def test_fifty_moves_at_once_add_up(db: Database, mat: Mat) -> None:
    made = await make_bookmark(db, mat.id, NOW)

    await at_once(lambda: do(db, bookmarks.move_bookmark, made.id, delta_ms=-100, now=NOW))

    async with db.read() as session:
        (after,) = await session.rows(select(Bookmark))
    assert (after.happened_at, after.revision) == (NOW - timedelta(seconds=5), 50)


async def test_of_fifty_who_ask_for_a_replay_at_once_all_are_given_the_same(db: Database, mat: Mat) -> None:
    machine = await make_machine(db, mat.id, NOW)

    async def ask(now: datetime) -> OBSCommand:
        asked: OBSCommand = await do(db, commands.save_replay, machine.id, viewer=None, now=now)
        return asked

    first = await asyncio.gather(*(ask(NOW) for _ in range(50)))
    still = await ask(NOW + timedelta(seconds=1.9))
    another = await ask(NOW + timedelta(seconds=2))

    assert len({one.id for one in [*first, still]}) == 1
    assert another.id != still.id


async def test_a_replay_is_refused_of_what_is_switched_off_or_gone(db: Database, mat: Mat) -> None:
    machine = await make_machine(db, mat.id, NOW)
    await do(db, machines.enable_machine, machine.id, is_enabled=False, now=NOW)

    with pytest.raises(Conflict, match="switched off"):
        await do(db, commands.save_replay, machine.id, viewer=None, now=NOW)
    with pytest.raises(NotFound):
        await do(db, commands.save_replay, new_id(), viewer=None, now=NOW)


async def test_a_command_is_queued_once_for_its_cause_and_claimed_by_one_of_fifty(db: Database, mat: Mat) -> None:
    machine = await make_machine(db, mat.id, NOW)
    start = OBSCommandKind.START_RECORDING
    queued = await asyncio.gather(*(queue(db, machine.id, start, NOW, cause="start 1") for _ in range(50)))

    claimed = await at_once(lambda: do(db, commands.claim_command, machine.id, now=NOW))

    assert sum(one is not None for one in queued) == 1
    assert claimed == {"ObsCommands": 1, "NoneType": 49}


async def test_commands_are_claimed_when_they_are_due_the_oldest_first(db: Database, mat: Mat) -> None:
    machine = await make_machine(db, mat.id, NOW)
    stop, save = OBSCommandKind.STOP_RECORDING, OBSCommandKind.SAVE_REPLAY
    await do(db, commands.queue_command, machine.id, stop, cause="stop", due_at=NOW + MINUTE, now=NOW)
    await do(db, commands.queue_command, machine.id, save, cause="save", now=NOW)

    claimed = [await do(db, commands.claim_command, machine.id, now=NOW + minutes * MINUTE) for minutes in (0, 0, 1, 1)]

    assert [one and one.cause for one in claimed] == ["save", None, "stop", None]


async def test_what_could_not_be_sent_in_time_has_failed_and_what_was_sent_is_not_sent_again(
    db: Database, mat: Mat
) -> None:
    machine = await make_machine(db, mat.id, NOW)
    for kind in OBSCommandKind:
        await queue(db, machine.id, kind, NOW, cause=kind)

    late = await do(db, commands.give_up_late, machine.id, now=NOW + timedelta(minutes=5))
    sent = await do(db, commands.claim_command, machine.id, now=NOW)
    given_up = await do(db, commands.give_up_sent, machine.id, message="OBS was gone.", now=NOW)
    ended = await do(db, commands.finish_command, sent.id, now=NOW)

    assert {one.kind: one.message for one in late} == {
        "START_RECORDING": "OBS could not be reached within 120 s.",
        "SAVE_REPLAY": "OBS could not be reached within 15 s.",
    }
    assert [(one.id, one.state) for one in given_up] == [(sent.id, OBSCommandState.FAILED)]
    assert ended is None


NO_MACHINES: list[tuple[dict[str, Any], str]] = [
    ({"name": " "}, "name"),
    ({"host": "http://obs"}, "host"),
    ({"host": "obs/../x"}, "host"),
    ({"host": "a@b"}, "host"),
    ({"host": "x" * 254}, "host"),
    ({"host": ""}, "host"),
    ({"port": 0}, "port"),
    ({"port": 65_536}, "port"),
    ({"password": "x" * 201}, "password"),
    ({"stop_delay_ms": 600_001}, "stop_delay_ms"),
]


async def test_a_machine_that_cannot_be_is_refused(db: Database, mat: Mat) -> None:
    for changes, field in NO_MACHINES:
        with pytest.raises(Invalid) as refusal:
            await make_machine(db, mat.id, NOW, **changes)
        assert refusal.value.field == field


async def test_a_machine_is_of_this_house_or_another(db: Database, mat: Mat) -> None:
    hosts = ["127.0.0.1", "obs-2.local", "[::1]", "fe80::1", "x"]

    made = [await make_machine(db, mat.id, NOW, host=host, name=host) for host in hosts]

    assert [(one.host, one.port) for one in made] == [(host.strip("[]"), 4455) for host in hosts]


async def test_no_two_machines_share_a_name(db: Database, mat: Mat) -> None:
    await make_machine(db, mat.id, NOW)
    other = await make_machine(db, mat.id, NOW, name="Other")

    with pytest.raises(Conflict):
        await make_machine(db, mat.id, NOW)
    with pytest.raises(Conflict):
        await do(db, machines.update_machine, other.id, {"name": "OBS"})


async def test_the_state_of_a_machine_that_is_switched_off_is_not_noted(db: Database, mat: Mat) -> None:
    machine = await make_machine(db, mat.id, NOW)
    await do(db, machines.enable_machine, machine.id, is_enabled=False, now=NOW)

    noted = await do(db, machines.note_state, machine.id, OBSMachineState.CONNECTED, now=NOW)

    async with db.read() as session:
        (after,) = await session.rows(select(OBSMachine))
    assert (noted, after.state) == (None, "DISCONNECTED")


async def test_a_moment_belongs_to_the_fight_that_was_on_the_mat(db: Database) -> None:
    competition = await hold(db, NOW, mats=2, fights=2)
    point = await point_of(db, competition.mats[0].id)
    later = NOW + timedelta(hours=1)

    before = await make_bookmark(db, point.mat_id, later, NOW - MINUTE)
    then = await make_bookmark(db, point.mat_id, later, point.received_at)
    marked = await do(db, bookmarks.mark_event, point.id, changes={}, viewer=None, now=later)

    assert (before.match_id, then.match_id, then.event_id) == (None, point.match_id, None)
    assert (marked.event_id, marked.match_id, marked.happened_at) == (point.id, point.match_id, point.received_at)
    assert (marked.label, marked.lead_in_ms, marked.lead_out_ms) == ("", 5000, 5000)


async def test_a_bookmark_that_cannot_be_is_refused(db: Database, mat: Mat) -> None:
    made = await make_bookmark(db, mat.id, NOW)
    async with db.read() as session:
        assert await session.rows(select(MatchEvent)) == []

    said: dict[str, Any] = {"changes": {}, "viewer": None}
    impossible: list[Any] = [
        (bookmarks.mark_moment, (mat.id,), {**said, "happened_at": NOW + 2 * MINUTE}),
        (bookmarks.mark_moment, (mat.id,), {**said, "changes": {"lead_in_ms": -1}}),
        (bookmarks.mark_moment, (mat.id,), {**said, "changes": {"label": "x" * 201}}),
        (bookmarks.move_bookmark, (made.id,), {"delta_ms": 120_000}),
        (bookmarks.move_bookmark, (made.id,), {"delta_ms": 86_400_001}),
    ]
    unknown: list[Any] = [
        (bookmarks.mark_moment, (new_id(),), {**said, "now": NOW}),
        (bookmarks.mark_event, (new_id(),), {**said, "now": NOW}),
        (bookmarks.update_bookmark, (new_id(), {}), {"now": NOW}),
        (bookmarks.delete_bookmark, (new_id(),), {}),
    ]

    for operation, given, named in impossible:
        with pytest.raises(Invalid):
            await do(db, operation, *given, **named, now=NOW)
    for operation, given, named in unknown:
        with pytest.raises(NotFound):
            await do(db, operation, *given, **named)


class Nothing(Exception):
    """What a transaction is broken off with."""


async def test_what_happens_is_told_after_the_commit_and_never_without_one(db: Database, mat: Mat) -> None:
    machine = await make_machine(db, mat.id, NOW)
    told: list[Event] = []

    async def all_of_it(*, is_broken_off: bool) -> None:
        with db.bus.listen(mat.id, machine.id, of=Event) as heard:
            with suppress(Nothing):
                async with db.transaction() as tx:
                    given: dict[str, Any] = {"changes": {"started_at": NOW}, "viewer": None, "now": NOW}
                    made = await operations.create_recording(tx, mat.id, kind=RecordingKind.STREAM, **given)
                    await operations.update_recording(tx, made.id, {"name": "x"}, now=NOW)
                    await operations.finish_recording(tx, made.id, now=NOW)
                    await operations.delete_recording(tx, made.id)
                    await machines.note_state(tx, machine.id, OBSMachineState.ERROR, message="No.", now=NOW)
                    command = await commands.save_replay(tx, machine.id, viewer=None, now=NOW)
                    await commands.fail_command(tx, command.id, message="No.", now=NOW)
                    if is_broken_off:
                        raise Nothing
            told.extend(heard._events)

    await all_of_it(is_broken_off=True)
    silent = list(told)
    await all_of_it(is_broken_off=False)

    assert silent == []
    assert [one.kind for one in told if isinstance(one, RecordingChanged)] == [
        RecordingNewsKind.STARTED,
        RecordingNewsKind.CORRECTED,
        RecordingNewsKind.SAVED,
        RecordingNewsKind.DELETED,
    ]
    assert [type(one).__name__ for one in told[4:]] == ["OBSMachineChanged", "OBSCommandQueued", "OBSCommandFailed"]
    assert not {OBSCommandQueued, OBSCommandFailed, OBSMachineConfigured} & {type(one) for one in silent}


async def test_a_lost_one_is_told_as_failed(db: Database, mat: Mat) -> None:
    made = await make_recording(db, mat.id, NOW)

    with db.bus.listen(made.id, of=RecordingChanged) as heard:
        await do(db, operations.lose_recording, made.id, now=NOW)
        told = await anext(heard)

    assert (told.kind, told.recording.state) == (RecordingNewsKind.FAILED, RecordingState.LOST)
