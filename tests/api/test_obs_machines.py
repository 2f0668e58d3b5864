"""OBS machines: real sockets that drop, refuse and take their time, and recordings that are right all the same."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlmodel import col, select

from api.workers.obs_client import OBSClient, Patience
from api.workers.obs_machines import OBSMachines
from api.workers.supervisor import Supervisor
from db.clock import Clock
from db.connecting import connect
from db.database import Database
from db.matches.tables import Mat
from db.recordings import commands, machines
from db.recordings.tables import OBSCommand, OBSMachine, Recording
from tests.conftest import ManualClock
from tests.db.stored import lay_mat
from tests.support.competition import begun_fight, loaded_fight, say
from tests.support.house import eventually, running_house
from tests.support.obs import obs
from tests.support.ports import free_port
from tests.support.recordings import make_machine, make_recording
from tests.support.tikfinity import silent_server
from tests.support.wire import wire_to

QUICK = Patience(first_pause=0.01, longest_pause=0.02, opening=10, ping=5, database=0.01, answer=5, done=10, look=0.05)
MINUTE = timedelta(minutes=1)


# How it is stored, the operations' own tests try on both.
on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
async def mat(db: Database) -> Mat:
    return await lay_mat(db)


@asynccontextmanager
async def calling(
    db: Database, clock: Clock, mat_id: UUID, port: int, patience: Patience = QUICK, **given: Any
) -> AsyncIterator[OBSMachine]:
    """Speak with an OBS until the block ends."""
    machine = await make_machine(db, mat_id, clock.now(), port=port, **given)
    async with again(db, clock, machine, patience):
        yield machine


@asynccontextmanager
async def again(db: Database, clock: Clock, machine: OBSMachine, patience: Patience = QUICK) -> AsyncIterator[None]:
    """Speak with an OBS that is known, as a server does that was started again."""
    client = OBSClient(db, clock, machine, patience)
    work = asyncio.create_task(client.run())
    try:
        yield
    finally:
        work.cancel()
        await asyncio.wait([work])


async def all_of(db: Database, model: Any) -> list[Any]:
    async with db.read() as session:
        return await session.rows(select(model).order_by(col(model.created_at), col(model.id)))


async def machine_of(db: Database) -> OBSMachine:
    (machine,) = await all_of(db, OBSMachine)
    return machine  # type: ignore[no-any-return]  # the row of its table


def shows(db: Database, *states: tuple[str, str]) -> Callable[[], Any]:
    """A condition: these recordings are there, by kind and state."""

    async def holds() -> bool:
        return [(str(one.kind), str(one.state)) for one in await all_of(db, Recording)] == list(states)

    return holds


def told(db: Database, *states: tuple[str, str]) -> Callable[[], Any]:
    """A condition: these commands are there, by kind and state."""

    async def holds() -> bool:
        return [(str(one.kind), str(one.state)) for one in await all_of(db, OBSCommand)] == list(states)

    return holds


def is_in(db: Database, state: str) -> Callable[[], Any]:
    async def holds() -> bool:
        return (await machine_of(db)).state == state

    return holds


def is_paused(db: Database) -> Callable[[], Any]:
    async def holds() -> bool:
        return [len(one.gaps) for one in await all_of(db, Recording)] == [1]

    return holds


async def tell(db: Database, clock: Clock, mat: Mat, *wires: str) -> None:
    async with db.transaction() as tx:
        await say(tx, mat.id, clock.now(), *wires)


async def test_a_fight_is_recorded_from_when_it_is_ready_until_after_its_winner(
    db: Database, clock: ManualClock, mat: Mat
) -> None:
    async with obs() as machine, calling(db, clock, mat.id, machine.port, stop_delay_ms=30_000):
        await eventually(is_in(db, "CONNECTED"))
        ready_at = clock.now()
        await tell(db, clock, mat, *loaded_fight("1"))
        await eventually(shows(db, ("RECORDING", "RECORDING")))
        await eventually(told(db, ("START_RECORDING", "DONE")))
        clock.move(5 * MINUTE)
        await tell(db, clock, mat, "clk;02:00;start", "win;BLUE")
        queued: Any = ("START_RECORDING", "DONE"), ("STOP_RECORDING", "QUEUED")
        await eventually(told(db, *queued))
        assert machine.is_recording

        clock.move(MINUTE)
        # Somebody queues something, and what is due is looked at again.
        async with db.transaction() as tx:
            await commands.save_replay(tx, (await machine_of(db)).id, viewer=None, now=clock.now())
        await eventually(shows(db, ("RECORDING", "FINISHED"), ("REPLAY", "FINISHED")))

    (recording, replay) = await all_of(db, Recording)
    (start, stop, save) = await all_of(db, OBSCommand)
    assert (recording.path, recording.started_at, recording.ended_at) == ("/videos/1.mkv", ready_at, clock.now())
    assert (recording.match_id, recording.name) == (start.match_id, "OBS")
    # When the replay begins nobody knows.
    assert (replay.path, replay.started_at, replay.ended_at) == ("/replays/2.mkv", None, clock.now())
    assert [one.recording_id for one in (start, stop, save)] == [recording.id, recording.id, replay.id]
    assert stop.due_at > ready_at + 5 * MINUTE + timedelta(seconds=30)


@on_sqlite
async def test_the_next_fight_ends_the_recording_of_the_one_before(db: Database, clock: ManualClock, mat: Mat) -> None:
    async with obs() as machine, calling(db, clock, mat.id, machine.port):
        await tell(db, clock, mat, *begun_fight("1"), "win;BLUE")
        await eventually(shows(db, ("RECORDING", "RECORDING")))
        clock.move(timedelta(seconds=5))
        await tell(db, clock, mat, *loaded_fight("2"))
        await eventually(shows(db, ("RECORDING", "FINISHED"), ("RECORDING", "RECORDING")))
        clock.move(timedelta(seconds=5))
        # Replaced by another load, without a winner.
        await tell(db, clock, mat, *loaded_fight("3"))
        await eventually(shows(db, ("RECORDING", "FINISHED"), ("RECORDING", "FINISHED"), ("RECORDING", "RECORDING")))

    found = await all_of(db, Recording)
    assert len({one.match_id for one in found}) == 3
    assert [one.path for one in found] == ["/videos/1.mkv", "/videos/2.mkv", ""]


@on_sqlite
async def test_what_somebody_records_himself_is_left_to_run(db: Database, clock: ManualClock, mat: Mat) -> None:
    async with obs() as machine, calling(db, clock, mat.id, machine.port, stop_delay_ms=0):
        await eventually(lambda: machine.asked("GetRecordStatus") > 0)
        await machine.record(is_on=True)
        await eventually(shows(db, ("RECORDING", "RECORDING")))
        await tell(db, clock, mat, *begun_fight("1"), "win;BLUE")
        clock.move(timedelta(seconds=1))
        await eventually(told(db, ("START_RECORDING", "DONE"), ("STOP_RECORDING", "DONE")))
        assert machine.is_recording
        await machine.pause(is_on=True)
        await eventually(is_paused(db))
        clock.move(MINUTE)
        await machine.pause(is_on=False)
        await machine.record(is_on=False)
        await eventually(shows(db, ("RECORDING", "FINISHED")))

    (recording,) = await all_of(db, Recording)
    (start, _) = await all_of(db, OBSCommand)
    assert (recording.match_id, start.recording_id, machine.asked("StopRecord")) == (None, recording.id, 0)
    assert len(recording.gaps) == 1


@on_sqlite
async def test_a_challenge_saves_one_replay_and_other_machines_are_told_nothing(
    db: Database, clock: ManualClock, mat: Mat
) -> None:
    other = await lay_mat(db, "Mat 2")
    async with obs() as machine, calling(db, clock, mat.id, machine.port, records_matches=False):
        await eventually(is_in(db, "CONNECTED"))
        await tell(db, clock, other, *begun_fight("9"), "ch1")
        await tell(db, clock, mat, *begun_fight("1"), "ch1", "ch1;1", "ch2")
        await eventually(shows(db, ("REPLAY", "FINISHED")))
        clock.move(MINUTE)
        await tell(db, clock, mat, "ch2;1", "ch2")
        await eventually(shows(db, ("REPLAY", "FINISHED"), ("REPLAY", "FINISHED")))

    assert machine.asked("SaveReplayBuffer") == 2
    assert machine.asked("StartRecord") == 0


@on_sqlite
async def test_a_slow_save_ends_when_it_was_asked_for(db: Database, clock: ManualClock, mat: Mat) -> None:
    async with obs(is_slow=True) as machine, calling(db, clock, mat.id, machine.port) as known:
        await eventually(is_in(db, "CONNECTED"))
        asked: list[Any] = []
        for _ in range(2):
            clock.move(MINUTE)
            asked.append(clock.now())
            async with db.transaction() as tx:
                await commands.save_replay(tx, known.id, viewer=None, now=clock.now())
            await eventually(lambda: machine.asked("SaveReplayBuffer") == len(asked))
        clock.move(5 * MINUTE)
        assert await told(db, ("SAVE_REPLAY", "SENT"), ("SAVE_REPLAY", "SENT"))()
        await machine.finish()
        await eventually(shows(db, ("REPLAY", "FINISHED"), ("REPLAY", "FINISHED")))

    assert {one.ended_at for one in await all_of(db, Recording)} == set(asked)


@on_sqlite
async def test_a_replay_that_is_never_written_has_failed(db: Database, clock: ManualClock, mat: Mat) -> None:
    async with obs(is_slow=True) as machine, calling(db, clock, mat.id, machine.port) as known:
        await eventually(is_in(db, "CONNECTED"))
        async with db.transaction() as tx:
            await commands.save_replay(tx, known.id, viewer=None, now=clock.now())
        await eventually(told(db, ("SAVE_REPLAY", "SENT")))
        await eventually(lambda: machine.asked("SaveReplayBuffer") == 1)
        clock.move(11 * MINUTE)
        await eventually(told(db, ("SAVE_REPLAY", "FAILED")))


@on_sqlite
async def test_a_replay_buffer_that_does_not_run_is_started(db: Database, clock: ManualClock, mat: Mat) -> None:
    async with obs(has_replay_buffer=False) as machine, calling(db, clock, mat.id, machine.port) as known:
        async with db.transaction() as tx:
            await commands.save_replay(tx, known.id, viewer=None, now=clock.now())
        await eventually(told(db, ("SAVE_REPLAY", "FAILED")))

    (command,) = await all_of(db, OBSCommand)
    assert command.message == "The replay buffer was not running. It has been started."
    assert machine.has_replay_buffer


@on_sqlite
async def test_what_obs_refuses_has_failed_with_its_reason_and_is_tried_again(
    db: Database, clock: ManualClock, mat: Mat
) -> None:
    refusing = {"StartRecord": (702, "The disk is full.")}
    async with obs(refuses=refusing) as machine, calling(db, clock, mat.id, machine.port):
        await tell(db, clock, mat, *loaded_fight("1"))
        await eventually(told(db, ("START_RECORDING", "FAILED")))
        (failed,) = await all_of(db, OBSCommand)
        machine.refuses.clear()
        await tell(db, clock, mat, "clk;02:00;start")
        await eventually(shows(db, ("RECORDING", "RECORDING")))

    assert failed.message == "OBS refused: The disk is full. (702)."


@on_sqlite
async def test_a_wrong_password_is_an_error_until_it_is_right(db: Database, clock: ManualClock, mat: Mat) -> None:
    async with obs(password="another") as machine, following(db, clock):  # noqa: S106 -- a test's
        known = await make_machine(db, mat.id, clock.now(), port=machine.port)
        await eventually(is_in(db, "ERROR"))
        refused = (await machine_of(db)).message

        async with db.transaction() as tx:
            await machines.update_machine(tx, known.id, {"password": None})
        await eventually(says(db, "This OBS asks for a password, and none is set."))
        async with db.transaction() as tx:
            await machines.update_machine(tx, known.id, {"password": "another"})
        await eventually(is_in(db, "CONNECTED"))

    assert refused == "OBS says that the password is wrong."
    assert (await machine_of(db)).message == ""


def says(db: Database, message: str) -> Callable[[], Any]:
    async def holds() -> bool:
        return (await machine_of(db)).message == message

    return holds


@on_sqlite
async def test_an_obs_without_a_password_needs_none(db: Database, clock: ManualClock, mat: Mat) -> None:
    async with obs(password=None) as machine, calling(db, clock, mat.id, machine.port, password=None):
        await eventually(is_in(db, "CONNECTED"))


@on_sqlite
async def test_an_obs_that_is_not_there_is_called_until_it_is(db: Database, clock: ManualClock, mat: Mat) -> None:
    port = free_port()
    async with calling(db, clock, mat.id, port):
        await eventually(is_in(db, "ERROR"))
        await tell(db, clock, mat, *loaded_fight("1"))
        await eventually(told(db, ("START_RECORDING", "QUEUED")))
        # So late that nobody would want it at its own time: the fight is on the mat still.
        clock.move(5 * MINUTE)
        async with obs(port=port):
            await eventually(shows(db, ("RECORDING", "RECORDING")))


@on_sqlite
async def test_what_is_no_obs_is_let_go(db: Database, clock: ManualClock, mat: Mat) -> None:
    hasty = Patience(first_pause=0.01, longest_pause=0.02, opening=0.2)
    async with silent_server() as port, calling(db, clock, mat.id, port, hasty):
        await eventually(is_in(db, "ERROR"))


@on_sqlite
@pytest.mark.parametrize("moved", [timedelta(0), 3 * MINUTE], ids=["at once", "later"])
async def test_a_recording_that_goes_on_while_nobody_is_there_is_found_again(
    db: Database, clock: ManualClock, mat: Mat, moved: timedelta
) -> None:
    async with obs() as machine, calling(db, clock, mat.id, machine.port):
        await tell(db, clock, mat, *loaded_fight("1"))
        await eventually(shows(db, ("RECORDING", "RECORDING")))
        clock.move(moved)
        # As long as it will be by the end, whenever it is asked.
        machine.duration_ms = int((moved + MINUTE).total_seconds() * 1000)
        called = machine.callers
        await machine.cut()
        await eventually(lambda: machine.callers > called and machine.is_connected)
        clock.move(MINUTE)
        await machine.record(is_on=False)
        await eventually(shows(db, ("RECORDING", "FINISHED")))

    (recording,) = await all_of(db, Recording)
    assert recording.ended_at - recording.started_at == moved + MINUTE
    assert machine.most_at_once == 1


@on_sqlite
async def test_a_recording_that_ended_while_nobody_was_there_is_lost(
    db: Database, clock: ManualClock, mat: Mat
) -> None:
    async with obs() as machine:
        async with calling(db, clock, mat.id, machine.port) as known:
            await tell(db, clock, mat, *loaded_fight("1"))
            await eventually(shows(db, ("RECORDING", "RECORDING")))
        await machine.record(is_on=False)
        clock.move(MINUTE)
        async with again(db, clock, known):
            await eventually(shows(db, ("RECORDING", "LOST")))

    (recording,) = await all_of(db, Recording)
    assert recording.message == "It had ended when OBS was reached again."
    assert recording.ended_at == clock.now() - MINUTE


@on_sqlite
async def test_another_recording_that_began_while_nobody_was_there_is_noted_from_its_length(
    db: Database, clock: ManualClock, mat: Mat
) -> None:
    async with obs() as machine:
        known = await make_machine(db, mat.id, clock.now(), port=machine.port)
        await make_recording(db, mat.id, clock.now(), machine_id=known.id)
        machine.is_recording, machine.duration_ms = True, 60_000
        clock.move(5 * MINUTE)
        async with again(db, clock, known):
            await eventually(shows(db, ("RECORDING", "LOST"), ("RECORDING", "RECORDING")))

    assert (await all_of(db, Recording))[1].started_at == clock.now() - MINUTE


@on_sqlite
async def test_what_was_sent_before_the_cable_was_cut_is_not_sent_again(
    db: Database, clock: ManualClock, mat: Mat
) -> None:
    async with obs(is_slow=True) as machine, calling(db, clock, mat.id, machine.port) as known:
        async with db.transaction() as tx:
            await commands.save_replay(tx, known.id, viewer=None, now=clock.now())
        await eventually(lambda: machine.asked("SaveReplayBuffer") == 1)
        await machine.cut()
        await eventually(told(db, ("SAVE_REPLAY", "FAILED")))
        await eventually(lambda: machine.callers == 2 and machine.is_connected)

    (command,) = await all_of(db, OBSCommand)
    assert command.message == "The connection to OBS broke off before it was done."
    assert machine.asked("SaveReplayBuffer") == 1


async def test_what_an_obs_says_before_it_closes_is_kept(db: Database, clock: ManualClock, mat: Mat) -> None:
    async with obs() as machine, calling(db, clock, mat.id, machine.port):
        await tell(db, clock, mat, *loaded_fight("1"))
        await eventually(shows(db, ("RECORDING", "RECORDING")))
        called = machine.callers
        await machine.record(is_on=False)
        for connection in list(machine._open):
            await connection.close(1001)
        await eventually(lambda: machine.callers > called)
        await eventually(shows(db, ("RECORDING", "FINISHED")))


@on_sqlite
async def test_nonsense_hurts_nobody(db: Database, clock: ManualClock, mat: Mat) -> None:
    async with obs() as machine, calling(db, clock, mat.id, machine.port):
        await eventually(is_in(db, "CONNECTED"))
        await eventually(lambda: machine.asked("GetStreamStatus") > 0)
        for said in ("", "[]", '{"op": 5}', '{"op": 7, "d": {"requestId": 5}}', '{"op": 99, "d": {}}'):
            await machine.say(said)
        await machine.tell("RecordStateChanged", {"outputState": 5})
        await machine.tell("ReplayBufferSaved", {"savedReplayPath": "a\x00b" + "x" * 5000})
        await eventually(shows(db, ("REPLAY", "FINISHED")))

    (replay,) = await all_of(db, Recording)
    assert (replay.path[:3], len(replay.path), machine.callers) == ("a\ufffdb", 2000, 1)


@pytest.mark.postgresql
@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_what_happens_waits_for_a_database_that_is_away_and_counts_once(
    database_url: str, clock: ManualClock
) -> None:
    async with wire_to(database_url) as (wire, through), obs() as machine:
        far = await connect(through, pool_size=2)
        mat = await lay_mat(far)
        still = Patience(first_pause=0.01, longest_pause=0.02, database=0.01, look=3600)
        async with calling(far, clock, mat.id, machine.port, still, records_matches=False):
            await eventually(lambda: machine.asked("GetStreamStatus") == 1)
            await eventually(is_in(far, "CONNECTED"))
            # Stored, and the answer lost: it is tried again.
            wire.cut_behind_next_commit()
            await machine.record(is_on=True)
            await eventually(lambda: wire.is_cut)
            await machine.save()
            await machine.record(is_on=False)
            wire.mend()
            await eventually(shows(far, ("RECORDING", "FINISHED"), ("REPLAY", "FINISHED")))
        await far.close()


# Following what is configured


@asynccontextmanager
async def following(db: Database, clock: Clock) -> AsyncIterator[None]:
    supervisor = Supervisor(clock)
    keeping = OBSMachines(db, clock, supervisor, patience=QUICK)
    supervisor.start("OBS machines", keeping.run)
    try:
        yield
    finally:
        await supervisor.close()


async def test_a_machine_that_is_changed_while_it_runs_has_one_socket(
    db: Database, clock: ManualClock, mat: Mat
) -> None:
    async with obs() as one, obs() as other, following(db, clock):
        known = await make_machine(db, mat.id, clock.now(), port=one.port)
        await eventually(lambda: one.is_connected)
        async with db.transaction() as tx:
            await machines.update_machine(tx, known.id, {"port": other.port})
        await eventually(lambda: other.is_connected and not one.is_connected)
        async with db.transaction() as tx:
            await machines.enable_machine(tx, known.id, is_enabled=False, now=clock.now())
        await eventually(lambda: not other.is_connected)
        assert (await machine_of(db)).state == "DISCONNECTED"
        async with db.transaction() as tx:
            await machines.enable_machine(tx, known.id, is_enabled=True, now=clock.now())
        await eventually(lambda: other.is_connected)
        async with db.transaction() as tx:
            await machines.delete_machine(tx, known.id)
        await eventually(lambda: not other.is_connected)

    assert [(app.most_at_once, app.callers) for app in (one, other)] == [(1, 1), (1, 2)]


@on_sqlite
async def test_a_server_speaks_with_its_machines_and_a_button_saves_a_replay(database_url: str) -> None:
    async with obs() as machine, running_house(database_url) as house:
        create = """mutation ($mat: ID!, $port: Int) { obsMachineCreate(
          matId: $mat, input: {name: "OBS", port: $port, password: "opensesame"}) { obsMachine { id } } }"""
        made = await house.execute(create, mat=house.mat, port=machine.port)
        id = made["obsMachineCreate"]["obsMachine"]["id"]  # noqa: A001 -- what it is called there
        await eventually(lambda: machine.is_connected)

        await house.execute("mutation ($id: ID!) { replaySave(obsMachineId: $id) { errors { code } } }", id=id)
        await eventually(shows(house.house.db, ("REPLAY", "FINISHED")))
    assert not machine.is_connected


@on_sqlite
async def test_a_recorder_that_takes_for_ever_holds_up_neither_the_log_nor_what_is_shown(database_url: str) -> None:
    """Each that is told has a queue of its own: here an OBS that never says that it is done."""
    watch = """subscription ($mat: ID!) {
      scoreboardChanged(matId: $mat) { scoreboard { state challenge { state } } }
    }"""
    fight = [*begun_fight("1"), "clk;01:50;stop", "ch1", "win;BLUE"]
    async with obs() as machine, running_house(database_url) as house:
        machine.is_slow = True
        await make_machine(house.house.db, house.mat_id, house.house.clock.now(), port=machine.port)
        await eventually(lambda: machine.is_connected)
        async with house.admitted() as opened:
            boards = opened.subscribe(watch, mat=house.mat)
            await anext(boards)
            await house.send(*fight[:-1])
            await eventually(lambda: machine.asked("SaveReplayBuffer") == 1)
            await house.send(fight[-1])
            await house.logged(len(fight))
            async for shown in boards:
                if shown["scoreboardChanged"]["scoreboard"]["state"] == "ENDED":
                    break
            await boards.aclose()

        (replay,) = [one for one in await all_of(house.house.db, OBSCommand) if one.kind == "SAVE_REPLAY"]
        assert replay.state not in {"DONE", "FAILED"}
