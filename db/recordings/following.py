"""What an OBS machine does by itself: it records each fight, and saves a replay at each challenge."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import update
from sqlmodel import col, select

from db.matches.tables import Mat, Match, MatchEvent
from db.matches.vocabulary import ChallengeState, MatchEventKind, MatchState
from db.recordings.commands import queue_command, save_replay
from db.recordings.operations import recordings_under_way
from db.recordings.tables import OBSCommand, OBSMachine
from db.recordings.timing import MILLISECOND
from db.recordings.vocabulary import OBSCommandKind, OBSCommandState, RecordingKind
from db.session import Session, Transaction

# A fight that was put on its mat longer ago is not one that somebody waits for.
_STALE = timedelta(hours=6)

# What a scoring program says, and what operators do.
_READY = {MatchEventKind.FIGHT_READY, MatchEventKind.LOADED_BY_HAND, MatchEventKind.CLOCK_STARTED}
_CHALLENGES = {MatchEventKind.CHALLENGE, MatchEventKind.CHALLENGE_DECIDED}
_WINNERS = {MatchEventKind.WINNER, MatchEventKind.WINNER_DECLARED}


def is_followed(event: MatchEvent) -> bool:
    """Say whether an entry of a log is one that a machine may do something at."""
    return _is_ready(event) or _is_asked(event) or event.kind in _WINNERS


async def follow_events(tx: Transaction, machine: OBSMachine, events: Iterable[MatchEvent], *, now: datetime) -> None:
    """Queue what a machine is to do at entries of its mat's log; what was queued for them before is left alone."""
    for event in events:
        if event.match_id is None or not event.is_valid:
            continue
        if machine.saves_challenges and _is_asked(event):
            cause = f"challenge {event.id.hex}"
            await save_replay(tx, machine.id, cause=cause, match_id=event.match_id, viewer=None, now=now)
        if machine.records_matches and _is_ready(event):
            await _record(tx, machine, event.match_id, now)
        if machine.records_matches and event.kind in _WINNERS:
            await _stop(tx, machine, event.match_id, event.received_at, now)


async def follow_present(tx: Transaction, machine: OBSMachine, *, now: datetime) -> None:
    """Queue what a machine is to do for the fight on its mat, for who was not there when it was loaded."""
    match = await _on_mat(tx, machine.mat_id)
    if not machine.records_matches or match is None or match.loaded_at < now - _STALE:
        return
    if match.state in {MatchState.LOADED, MatchState.LIVE}:
        await _record(tx, machine, match.id, now)
    elif match.state is MatchState.ENDED and match.ended_at is not None:
        await _stop(tx, machine, match.id, match.ended_at, now)


async def _record(tx: Transaction, machine: OBSMachine, match_id: UUID, now: datetime) -> None:
    """Let a fight be recorded. What is recorded of one before it is stopped first, and at once."""
    waiting = (
        col(OBSCommand.machine_id) == machine.id,
        col(OBSCommand.kind) == OBSCommandKind.STOP_RECORDING,
        col(OBSCommand.state) == OBSCommandState.QUEUED,
        col(OBSCommand.match_id) != match_id,
        col(OBSCommand.due_at) > now,
    )
    await tx.execute(update(OBSCommand).where(*waiting).values(due_at=now))
    for one in await recordings_under_way(tx, machine.id):
        if one.kind is RecordingKind.RECORDING and one.match_id is not None and one.match_id != match_id:
            await _stop(tx, machine, one.match_id, None, now)
    await queue_command(
        tx,
        machine.id,
        OBSCommandKind.START_RECORDING,
        cause=f"start {match_id.hex}",
        match_id=match_id,
        is_tried_again=True,
        now=now,
    )


async def _stop(tx: Transaction, machine: OBSMachine, match_id: UUID, ended_at: datetime | None, now: datetime) -> None:
    """Let the recording of a fight be stopped: some time after its winner, or at once if it had none."""
    await queue_command(
        tx,
        machine.id,
        OBSCommandKind.STOP_RECORDING,
        cause=f"stop {match_id.hex}",
        match_id=match_id,
        due_at=now if ended_at is None else ended_at + machine.stop_delay_ms * MILLISECOND,
        now=now,
    )


async def _on_mat(session: Session, mat_id: UUID) -> Match | None:
    mat = await session.row(select(Mat).where(col(Mat.id) == mat_id))
    if mat is None or mat.current_match_id is None:
        return None
    return await session.row(select(Match).where(col(Match.id) == mat.current_match_id))


def _is_ready(event: MatchEvent) -> bool:
    """Say whether a fight is ready or, where nobody said that, has begun."""
    if event.kind is MatchEventKind.CLOCK:
        return bool(event.record.get("action") == "start")
    return event.kind in _READY


def _is_asked(event: MatchEvent) -> bool:
    return event.kind in _CHALLENGES and event.record.get("state") == ChallengeState.ASKED
