"""What an OBS says of its outputs, told twice and out of turn, and what it is to do at what is said of its mat."""

from datetime import timedelta
from typing import Any

import pytest
from sqlmodel import col, select

from db.database import Database
from db.matches import by_hand
from db.matches.held import By
from db.matches.tables import MatchEvent
from db.matches.vocabulary import ChallengeState, Outcome, Side
from db.recordings import commands, machines, operations, outputs
from db.recordings.following import follow_events, follow_present, is_followed
from db.recordings.outputs import Output
from db.recordings.tables import OBSCommand, OBSMachine, Recording
from db.recordings.vocabulary import OBSCommandKind, RecordingKind
from tests.db.stored import NOW, lay_mat
from tests.support.competition import begun_fight, loaded_fight, say
from tests.support.operators import correct, load, make_operator
from tests.support.recordings import make_machine, make_recording

MINUTE = timedelta(minutes=1)
ENDED: dict[str, Any] = {"path": "/1.mkv", "ended_at": NOW + MINUTE, "now": NOW + MINUTE}


@pytest.fixture
async def obs(db: Database) -> OBSMachine:
    return await make_machine(db, (await lay_mat(db)).id, NOW)


async def do(db: Database, operation: Any, *given: Any, **named: Any) -> Any:
    async with db.transaction() as tx:
        return await operation(tx, *given, **named)


async def recordings(db: Database) -> list[tuple[str, str, str]]:
    async with db.read() as session:
        rows = await session.rows(select(Recording).order_by(col(Recording.created_at), col(Recording.id)))
    return [(str(one.kind), str(one.state), one.path) for one in rows]


async def queued(db: Database) -> list[tuple[str, str, timedelta]]:
    async with db.read() as session:
        rows = await session.rows(select(OBSCommand).order_by(col(OBSCommand.created_at), col(OBSCommand.kind)))
    return [(str(one.kind), str(one.state), one.due_at - NOW) for one in rows]


async def test_what_is_told_twice_counts_once(db: Database, obs: OBSMachine) -> None:
    for _ in range(2):
        await do(db, outputs.output_started, obs, RecordingKind.RECORDING, match_id=None, now=NOW)
    for _ in range(2):
        await do(db, outputs.output_stopped, obs, RecordingKind.RECORDING, **ENDED)
    for _ in range(2):
        await do(db, outputs.replay_saved, obs, path="/2.mkv", ended_at=NOW, match_id=None, now=NOW + MINUTE)

    assert await recordings(db) == [("RECORDING", "FINISHED", "/1.mkv"), ("REPLAY", "FINISHED", "/2.mkv")]


async def test_a_stop_of_what_nobody_saw_begin_is_noted_with_its_end_alone(db: Database, obs: OBSMachine) -> None:
    made = await do(db, outputs.output_stopped, obs, RecordingKind.RECORDING, **ENDED)

    assert (made.state, made.started_at, made.ended_at) == ("FINISHED", None, NOW + MINUTE)


async def test_what_was_lost_is_found_by_its_file(db: Database, obs: OBSMachine) -> None:
    await do(db, outputs.output_started, obs, RecordingKind.RECORDING, match_id=None, now=NOW)
    await do(db, outputs.take_stock, obs, [Output(kind=RecordingKind.RECORDING, is_active=False)], now=NOW)
    lost = await recordings(db)

    await do(db, outputs.output_stopped, obs, RecordingKind.RECORDING, **ENDED)

    assert (lost, await recordings(db)) == ([("RECORDING", "LOST", "")], [("RECORDING", "FINISHED", "/1.mkv")])


async def test_an_end_lies_where_it_can_also_if_our_clock_was_set_back(db: Database, obs: OBSMachine) -> None:
    made = await do(db, outputs.output_started, obs, RecordingKind.STREAM, match_id=None, now=NOW)
    for is_paused, minutes in ((True, 2), (False, 3), (True, 1), (False, 0)):
        await do(db, outputs.output_paused, obs, RecordingKind.STREAM, is_paused=is_paused, now=NOW + minutes * MINUTE)

    ended = await do(db, outputs.output_stopped, obs, RecordingKind.STREAM, **ENDED)

    assert (ended.id, ended.state, ended.ended_at) == (made.id, "FINISHED", NOW + 3 * MINUTE)


async def test_stock_is_taken_of_each_output_on_its_own(db: Database, obs: OBSMachine) -> None:
    film, stream = RecordingKind.RECORDING, RecordingKind.STREAM
    same = await make_recording(db, obs.mat_id, NOW, kind=stream, machine_id=obs.id)
    gone = await make_recording(db, obs.mat_id, NOW, machine_id=obs.id)
    found = [
        Output(kind=film, is_active=True, duration=MINUTE, size_bytes=7),
        Output(kind=stream, is_active=True, is_paused=True, duration=5 * MINUTE),
    ]

    running = await do(db, outputs.take_stock, obs, found, now=NOW + 5 * MINUTE)

    assert running[stream].id == same.id
    assert running[film].id != gone.id
    assert (running[film].started_at, running[film].clock_offset_ms) == (NOW + 4 * MINUTE, 0)
    states = [("STREAM", "RECORDING", ""), ("RECORDING", "LOST", ""), ("RECORDING", "RECORDING", "")]
    assert await recordings(db) == states


async def test_what_begins_while_nobody_is_there_belongs_to_the_fight_that_it_was_begun_for(
    db: Database, obs: OBSMachine
) -> None:
    await do(db, say, obs.mat_id, NOW, *loaded_fight("1"))
    await do(db, follow_present, obs, now=NOW)
    command = await do(db, commands.claim_command, obs.id, now=NOW)
    found = [Output(kind=RecordingKind.RECORDING, is_active=True, duration=MINUTE)]

    running = await do(db, outputs.take_stock, obs, found, now=NOW + MINUTE)

    assert command.match_id is not None
    assert running[RecordingKind.RECORDING].match_id == command.match_id


async def test_a_fight_is_followed_entry_by_entry_once(db: Database, obs: OBSMachine) -> None:
    await do(
        db, say, obs.mat_id, NOW, *begun_fight("1"), "ch1", "ch1;1", "ch1;1;0", "win;BLUE", "ch9;x", "wmh;A;2-1 PTF"
    )
    async with db.read() as session:
        events = await session.rows(select(MatchEvent).order_by(col(MatchEvent.seq)))
    followed = [event for event in events if is_followed(event)]

    for _ in range(2):
        await do(db, follow_events, obs, followed, now=NOW)
        await do(db, follow_present, obs, now=NOW)

    winner = next(event for event in events if event.kind == "WINNER")
    assert [event.raw.decode() for event in followed] == ["rdy;FightReady", "clk;02:00;start", "ch1", "win;BLUE"]
    assert await queued(db) == [
        ("SAVE_REPLAY", "QUEUED", timedelta(0)),
        ("START_RECORDING", "QUEUED", timedelta(0)),
        ("STOP_RECORDING", "QUEUED", winner.received_at - NOW + timedelta(seconds=30)),
    ]


async def test_a_fight_that_is_run_by_hand_is_followed_alike(db: Database, obs: OBSMachine) -> None:
    by = By(viewer=await make_operator(db, NOW), now=NOW, revision=None)
    match = await load(db, obs.mat_id, by)
    await correct(db, by_hand.start_clock, match.id, by=by)
    for state in (ChallengeState.ASKED, ChallengeState.LOST):
        await correct(db, by_hand.decide_challenge, match.id, by=by, side=Side.RED, state=state)
    await correct(db, by_hand.declare_winner, match.id, by=by, outcome=Outcome.RED)
    async with db.read() as session:
        events = await session.rows(select(MatchEvent).order_by(col(MatchEvent.seq)))

    followed = [event for event in events if is_followed(event)]
    await do(db, follow_events, obs, followed, now=NOW)

    assert [event.seq for event in followed] == [1, 2, 3, 5]
    assert await queued(db) == [
        ("SAVE_REPLAY", "QUEUED", timedelta(0)),
        ("START_RECORDING", "QUEUED", timedelta(0)),
        ("STOP_RECORDING", "QUEUED", timedelta(seconds=30)),
    ]


async def test_a_machine_that_is_to_do_nothing_by_itself_does_nothing(db: Database, obs: OBSMachine) -> None:
    idle = await do(db, machines.update_machine, obs.id, {"records_matches": False, "saves_challenges": False})
    await do(db, say, obs.mat_id, NOW, *begun_fight("1"), "ch1", "win;BLUE")
    async with db.read() as session:
        events = await session.rows(select(MatchEvent))

    await do(db, follow_events, idle, events, now=NOW)
    await do(db, follow_present, idle, now=NOW)

    assert await queued(db) == []


async def test_a_fight_that_was_loaded_long_ago_is_not_recorded_any_more(db: Database, obs: OBSMachine) -> None:
    await do(db, say, obs.mat_id, NOW, *loaded_fight("1"))

    await do(db, follow_present, obs, now=NOW + timedelta(hours=7))

    assert await queued(db) == []


async def test_a_start_that_failed_is_queued_again_and_one_that_was_done_is_not(db: Database, obs: OBSMachine) -> None:
    await do(db, say, obs.mat_id, NOW, *loaded_fight("1"))
    for end in (commands.fail_command, commands.finish_command):
        await do(db, follow_present, obs, now=NOW)
        command = await do(db, commands.claim_command, obs.id, now=NOW)
        await do(db, end, command.id, now=NOW, **({"message": "No."} if end is commands.fail_command else {}))
    await do(db, follow_present, obs, now=NOW)

    assert await queued(db) == [("START_RECORDING", "DONE", timedelta(0))]


async def test_the_next_fight_stops_at_once_what_was_to_be_stopped_later(db: Database, obs: OBSMachine) -> None:
    await do(db, say, obs.mat_id, NOW, *begun_fight("1"), "win;BLUE")
    await do(db, follow_present, obs, now=NOW)
    running = await make_recording(db, obs.mat_id, NOW, machine_id=obs.id)
    await do(db, say, obs.mat_id, NOW + MINUTE / 6, *loaded_fight("2"))
    await do(db, follow_present, obs, now=NOW + MINUTE / 6)

    kinds = [await do(db, commands.claim_command, obs.id, now=NOW + MINUTE / 6) for _ in range(2)]
    assert [one.kind for one in kinds] == [OBSCommandKind.STOP_RECORDING, OBSCommandKind.START_RECORDING]
    # What somebody else has begun is nobody's to stop.
    assert running.match_id is None
    await do(db, operations.finish_recording, running.id, now=NOW + MINUTE)
