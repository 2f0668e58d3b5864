"""How a competition may change: its mats, and the log that all fights are folded from."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, cast
from uuid import UUID

from sqlalchemy import bindparam, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlmodel import col, select

from db.batches import table_of
from db.errors import Conflict, NotFound
from db.ids import new_id
from db.matches.events import MatHeard, ScoreboardChanged
from db.matches.log import Fight, MatProgress, Received, advance, settle
from db.matches.state import from_json
from db.matches.storing import announce_entries, store_advance
from db.matches.tables import (
    Mat,
    Match,
    MatchEvent,
    Scoreboard,
    Tournament,
)
from db.matches.terms import LONGEST_NAME, NEW_TOURNAMENT, tournament_columns
from db.matches.vocabulary import SenderState
from db.session import Changes, Session, Transaction
from db.statements import fixed
from db.texts import checked

_CREATE_TOURNAMENT = fixed(
    upsert(Tournament)
    .values({name: bindparam(name, type_=column.type) for name, column in table_of(Tournament).c.items()})
    .on_conflict_do_nothing(index_elements=["name"])
    .returning(Tournament)
)


async def create_tournament(
    changes: Changes, *, name: str, city: str = "", about: Mapping[str, Any] | None = None, now: datetime
) -> Tournament:
    """Begin a tournament. `about` says more of it: see `tournament_columns`.

    Raises `Invalid` for what cannot be and `Conflict` for a taken name.
    """
    columns = {**NEW_TOURNAMENT, **tournament_columns({"name": name, "city": city, **(about or {})})}
    created = await changes.change(_CREATE_TOURNAMENT, id=new_id(), created_at=now, **columns)
    if created is None:
        raise Conflict("There is a tournament of this name.", field="name")
    return created


async def create_mat(tx: Transaction, *, name: str, tournament_id: UUID | None = None, now: datetime) -> Mat:
    """Lay a mat. Raises `Invalid` for an empty name, `Conflict` for one taken in its tournament, `NotFound`."""
    if tournament_id is not None and not await tx.row(select(Tournament).where(col(Tournament.id) == tournament_id)):
        raise NotFound("There is no such tournament.", field="tournament_id")
    name = _name(name)
    values = {**_NEW_MAT, "id": new_id(), "tournament_id": tournament_id, "name": name, "created_at": now}
    created = await tx.row(upsert(Mat).values(**values).on_conflict_do_nothing().returning(Mat))
    if created is None:
        raise Conflict("There is a mat of this name in this tournament.", field="name")
    return created


_NEW_MAT: dict[str, Any] = {
    "last_seq": 0,
    "queue_revision": 0,
    "sender_state": SenderState.UNHEARD,
    "last_sender": "",
    "unreadable_count": 0,
    "status_revision": 0,
}


async def rename_mat(tx: Transaction, mat_id: UUID, *, name: str) -> Mat:
    """Give a mat another name. Raises `Invalid`, `Conflict` and `NotFound` as `create_mat` does."""
    name = _name(name)
    mat = await tx.row(select(Mat).where(col(Mat.id) == mat_id))
    if mat is None:
        raise NotFound("There is no such mat.", field="id")
    namesake = await find_mat(tx, name, mat.tournament_id)
    if namesake is not None and namesake.id != mat_id:
        raise Conflict("There is a mat of this name in this tournament.", field="name")
    return cast("Mat", await tx.row(update(Mat).where(col(Mat.id) == mat_id).values(name=name).returning(Mat)))


async def find_mat(session: Session, name: str, tournament_id: UUID | None) -> Mat | None:
    """Return the mat of this name in a tournament, or among those without one."""
    return await session.row(select(Mat).where(col(Mat.name) == name, col(Mat.tournament_id) == tournament_id))


async def load_progress(session: Session, mat_id: UUID) -> MatProgress:
    """Return how far a mat's log has come, as the next entry finds it. Raises `NotFound`."""
    return await _progress_of(session, await session.row(select(Mat).where(col(Mat.id) == mat_id)))


async def hold_log(tx: Transaction, mat_id: UUID) -> MatProgress:
    """Return how far a mat's log has come, and let nobody else write to it before this ends. Raises `NotFound`."""
    return await _progress_of(tx, await tx.row(select(Mat).where(col(Mat.id) == mat_id).with_for_update()))


async def load_fight(session: Session, match_id: UUID) -> Fight | None:
    """Return a fight as its log has told it so far, `None` if there is no such match."""
    match = await session.row(select(Match).where(col(Match.id) == match_id))
    scoreboard = await session.row(select(Scoreboard).where(col(Scoreboard.match_id) == match_id))
    if match is None or scoreboard is None:
        return None
    return Fight(
        match_id=match_id,
        begun_seq=match.begun_seq,
        state=from_json(scoreboard.fold),
        shown=scoreboard.board,
        revision=scoreboard.revision,
        changed_at=scoreboard.changed_at,
    )


async def catch_up(tx: Transaction, progress: MatProgress) -> tuple[MatProgress, list[MatchEvent]]:
    """Return how far a mat's log has come, with the entries behind `progress`, and tell of them.

    For a writer who found out that he does not know: somebody else wrote, or an answer was lost after the commit.
    Who heard of it already is told again, and knows by its number. Nobody else writes to the log before the transaction
    ends, so that what is logged from here goes in, however many others wait. Raises `NotFound`.
    """
    present = await hold_log(tx, progress.mat_id)
    is_missed = col(MatchEvent.seq) > progress.seq, col(MatchEvent.seq) <= present.seq
    of_mat = select(MatchEvent).where(col(MatchEvent.mat_id) == progress.mat_id, *is_missed)
    missed = await tx.rows(of_mat.order_by(col(MatchEvent.seq)))
    announce_entries(tx, missed)
    current = None if present.fight is None else present.fight.match_id
    for match_id in dict.fromkeys([*(entry.match_id for entry in missed), current]):
        scoreboard = await tx.row(select(Scoreboard).where(col(Scoreboard.match_id) == match_id))
        if scoreboard is not None:
            tx.record(ScoreboardChanged(scoreboard=scoreboard, is_current=match_id == current))
    return present, missed


async def log_messages(tx: Transaction, progress: MatProgress, received: Iterable[Received]) -> MatProgress:
    """Append messages to a mat's log and fold them, in one transaction. Returns how far the log has come then.

    `progress` is what the last call returned; what this returns may be used once the transaction is committed.
    Raises `Conflict` if somebody else has written to this log meanwhile: load the progress again.
    """
    steps = advance(progress, received)
    await store_advance(tx, progress, steps, () if progress.fight is None else (progress.fight,))
    return steps.progress


async def settle_scoreboard(tx: Transaction, progress: MatProgress, *, now: datetime) -> MatProgress:
    """Show the fight on a mat as it stands, after a silence inside a burst. Raises `Conflict` as `log_messages`."""
    settled = settle(progress, now)
    fight = settled.fight
    if fight is None or progress.fight is None or fight.revision == progress.fight.revision:
        return progress
    # An operator's correction is stored by whoever holds the log: no two may raise one revision to the same.
    await tx.execute(select(col(Mat.id)).where(col(Mat.id) == progress.mat_id).with_for_update())
    changed = await tx.row(
        update(Scoreboard)
        .where(col(Scoreboard.match_id) == fight.match_id, col(Scoreboard.revision) == progress.fight.revision)
        .values(board=fight.shown, revision=col(Scoreboard.revision) + 1, changed_at=now)
        .returning(Scoreboard)
    )
    if changed is None:
        raise Conflict("The scoreboard was changed by somebody else.")
    tx.record(ScoreboardChanged(scoreboard=changed, is_current=True))
    return settled


async def note_silence(tx: Transaction, mat_id: UUID, *, since: datetime) -> None:
    """Note that nothing has come from the sender of a mat since an instant, and something should have."""
    is_silent = col(Mat.sender_state) == SenderState.ALIVE, col(Mat.last_received_at) <= since
    values = {"sender_state": SenderState.SILENT, "status_revision": col(Mat.status_revision) + 1}
    mat = await tx.row(update(Mat).where(col(Mat.id) == mat_id, *is_silent).values(**values).returning(Mat))
    if mat is not None:
        tx.record(MatHeard(mat=mat))


async def _progress_of(session: Session, mat: Mat | None) -> MatProgress:
    if mat is None:
        raise NotFound("There is no such mat.", field="mat_id")
    current = mat.current_match_id
    fight = None if current is None else await load_fight(session, current)
    return MatProgress(mat_id=mat.id, seq=mat.last_seq, fight=fight)


def _name(name: str) -> str:
    return checked(name, "A name", field="name", longest=LONGEST_NAME)
