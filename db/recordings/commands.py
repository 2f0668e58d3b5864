"""What OBS machines are told to do: a row first, then the call, then what came of it.

A command is queued once for each cause, however often that is heard of. Whoever holds the one connection to an OBS
claims what is due, in one statement, and calls with no transaction open. A command that was sent when its connection
broke off is not sent again: nobody knows whether it was heard, and a recording that is started or stopped late is worse
than none. It has failed, and says so; how OBS stands is asked when it is there again. What could not be sent in time
has failed as well.
"""

from datetime import datetime, timedelta
from typing import Any, cast
from uuid import UUID

from sqlalchemy import or_, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlmodel import col, select

from db.access.viewer import Viewer
from db.errors import Conflict, NotFound
from db.ids import new_id
from db.recordings.events import OBSCommandFailed, OBSCommandQueued
from db.recordings.tables import OBSCommand, OBSMachine
from db.recordings.vocabulary import OBSCommandKind, OBSCommandState
from db.session import Session, Transaction

# Replays that are asked for so soon behind each other are one.
SAME_REPLAY = timedelta(seconds=2)
# Whoever is told later than this would do it at the wrong time.
TOO_LATE = {
    OBSCommandKind.START_RECORDING: timedelta(minutes=2),
    OBSCommandKind.STOP_RECORDING: timedelta(hours=12),
    OBSCommandKind.SAVE_REPLAY: timedelta(seconds=15),
}
LONGEST_MESSAGE = 200
_IS_OPEN = or_(
    col(OBSCommand.state) == OBSCommandState.QUEUED,
    col(OBSCommand.state) == OBSCommandState.SENT,
)


async def queue_command(
    tx: Transaction,
    machine_id: UUID,
    kind: OBSCommandKind,
    *,
    cause: str,
    match_id: UUID | None = None,
    due_at: datetime | None = None,
    is_tried_again: bool = False,
    viewer: Viewer | None = None,
    now: datetime,
) -> OBSCommand | None:
    """Let an OBS do something, now or when it is due. `None` if that was asked for this cause before.

    `is_tried_again`: what has failed for this cause, or waits too long already, is queued anew.
    """
    values = {
        "id": new_id(),
        "machine_id": machine_id,
        "kind": kind,
        "state": OBSCommandState.QUEUED,
        "cause": cause,
        "match_id": match_id,
        "asked_by_id": None if viewer is None else viewer.user_id,
        "due_at": due_at or now,
        "message": "",
        "created_at": now,
    }
    statement = upsert(OBSCommand).values(**values)
    by_cause = ["machine_id", "cause"]
    once = statement.on_conflict_do_nothing(index_elements=by_cause)
    if is_tried_again:
        anew = {"state": OBSCommandState.QUEUED, "due_at": due_at or now, "sent_at": None, "finished_at": None}
        has_waited = or_(
            col(OBSCommand.state) == OBSCommandState.FAILED, col(OBSCommand.state) == OBSCommandState.QUEUED
        )
        once = statement.on_conflict_do_update(index_elements=by_cause, set_={**anew, "message": ""}, where=has_waited)
    queued = await tx.row(once.returning(OBSCommand))
    if queued is not None:
        tx.record(OBSCommandQueued(command=queued))
    return queued


async def save_replay(
    tx: Transaction,
    machine_id: UUID,
    *,
    cause: str | None = None,
    match_id: UUID | None = None,
    viewer: Viewer | None,
    now: datetime,
) -> OBSCommand:
    """Let an OBS save its replay buffer; what is asked within two seconds of it is the same.

    Raises `NotFound`, and `Conflict` for a machine that is switched off.
    """
    machine = await _asked(tx, machine_id, now)
    if machine is not None:
        queued = await queue_command(
            tx,
            machine_id,
            OBSCommandKind.SAVE_REPLAY,
            cause=cause or f"asked {new_id().hex}",
            match_id=match_id,
            viewer=viewer,
            now=now,
        )
        if queued is not None:
            return queued
    is_replay = col(OBSCommand.machine_id) == machine_id, col(OBSCommand.kind) == OBSCommandKind.SAVE_REPLAY
    newest = select(OBSCommand).where(*is_replay).order_by(col(OBSCommand.created_at).desc(), col(OBSCommand.id).desc())
    return cast("OBSCommand", await tx.row(newest.limit(1)))


async def claim_command(tx: Transaction, machine_id: UUID, *, now: datetime) -> OBSCommand | None:
    """Take the command that has been due for longest: it is then sent, by whoever took it and by nobody else."""
    due = (
        select(col(OBSCommand.id))
        .where(
            col(OBSCommand.machine_id) == machine_id,
            col(OBSCommand.state) == OBSCommandState.QUEUED,
            col(OBSCommand.due_at) <= now,
        )
        .order_by(col(OBSCommand.due_at), col(OBSCommand.created_at), col(OBSCommand.id))
        .limit(1)
        .scalar_subquery()
    )
    claimed = update(OBSCommand).where(col(OBSCommand.id) == due, col(OBSCommand.state) == OBSCommandState.QUEUED)
    return await tx.row(claimed.values(state=OBSCommandState.SENT, sent_at=now).returning(OBSCommand))


async def next_due(session: Session, machine_id: UUID) -> datetime | None:
    """Return when the next command is due, `None` if there is none."""
    waiting = col(OBSCommand.machine_id) == machine_id, col(OBSCommand.state) == OBSCommandState.QUEUED
    found = await session.row(select(OBSCommand).where(*waiting).order_by(col(OBSCommand.due_at)).limit(1))
    return None if found is None else found.due_at


async def finish_command(
    tx: Transaction, command_id: UUID, *, recording_id: UUID | None = None, now: datetime
) -> OBSCommand | None:
    """Note that a command was carried out, and what was recorded by it. `None` if it had ended before."""
    values = {"state": OBSCommandState.DONE, "recording_id": recording_id, "finished_at": now}
    return await _end(tx, command_id, values)


async def fail_command(tx: Transaction, command_id: UUID, *, message: str, now: datetime) -> OBSCommand | None:
    """Note that a command came to nothing, and tell of it. `None` if it had ended before."""
    values = {"state": OBSCommandState.FAILED, "message": message[:LONGEST_MESSAGE], "finished_at": now}
    failed = await _end(tx, command_id, values)
    if failed is not None:
        await _tell_of_failures(tx, [failed])
    return failed


async def give_up_late(tx: Transaction, machine_id: UUID, *, now: datetime) -> list[OBSCommand]:
    """Give up what could not be sent in time, and return it."""
    given_up: list[OBSCommand] = []
    for kind, patience in TOO_LATE.items():
        is_late = col(OBSCommand.kind) == kind, col(OBSCommand.due_at) < now - patience
        message = f"OBS could not be reached within {int(patience.total_seconds())} s."
        given_up += await _fail_all(
            tx, machine_id, *is_late, col(OBSCommand.state) == OBSCommandState.QUEUED, message=message, now=now
        )
    return given_up


async def give_up_sent(tx: Transaction, machine_id: UUID, *, message: str, now: datetime) -> list[OBSCommand]:
    """Give up what was sent over a connection that is gone, and return it."""
    is_sent = col(OBSCommand.state) == OBSCommandState.SENT
    return await _fail_all(tx, machine_id, is_sent, message=message, now=now)


async def _asked(tx: Transaction, machine_id: UUID, now: datetime) -> OBSMachine | None:
    """Note that a replay was asked for; `None` if that is the one which was asked for just now."""
    asked_at = col(OBSMachine.replay_asked_at)
    is_another = or_(asked_at.is_(None), asked_at <= now - SAME_REPLAY, asked_at > now + SAME_REPLAY)
    noted = update(OBSMachine).where(col(OBSMachine.id) == machine_id, col(OBSMachine.is_enabled).is_(True), is_another)
    machine = await tx.row(noted.values(replay_asked_at=now).returning(OBSMachine))
    if machine is not None:
        return machine
    known = await tx.row(select(OBSMachine).where(col(OBSMachine.id) == machine_id))
    if known is None:
        raise NotFound("There is no such OBS machine.", field="id")
    if not known.is_enabled:
        raise Conflict("This machine is switched off.", field="id")
    return None


async def _end(tx: Transaction, command_id: UUID, values: dict[str, Any]) -> OBSCommand | None:
    ended = update(OBSCommand).where(col(OBSCommand.id) == command_id, _IS_OPEN).values(**values)
    return await tx.row(ended.returning(OBSCommand))


async def _fail_all(
    tx: Transaction, machine_id: UUID, *conditions: Any, message: str, now: datetime
) -> list[OBSCommand]:
    failed = update(OBSCommand).where(col(OBSCommand.machine_id) == machine_id, *conditions)
    values = {"state": OBSCommandState.FAILED, "message": message, "finished_at": now}
    commands = await tx.rows(failed.values(**values).returning(OBSCommand))
    await _tell_of_failures(tx, commands)
    return commands


async def _tell_of_failures(tx: Transaction, commands: list[OBSCommand]) -> None:
    for command in commands:
        machine = await tx.row(select(OBSMachine).where(col(OBSMachine.id) == command.machine_id))
        if machine is not None:
            tx.record(OBSCommandFailed(command=command, mat_id=machine.mat_id))
