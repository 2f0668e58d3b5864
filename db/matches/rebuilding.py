"""Making all that is folded from a mat's log again, from the log alone."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import zip_longest
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import delete, update
from sqlmodel import col, select

from db.errors import NotFound
from db.matches.board import board
from db.matches.events import ScoreboardChanged
from db.matches.keeping import counts_steps, facts_steps, forget_counts, forget_facts
from db.matches.log import Advance, Fight, Logged, MatProgress, Received
from db.matches.messages import from_record
from db.matches.past import entry_of, read_log
from db.matches.replacing import replace
from db.matches.storing import store_fights
from db.matches.tables import Mat, Match, MatchEvent, Round, RoundSide, Scoreboard
from db.matches.taking_back import fold_again, mark_voided
from db.session import Session, Transaction

_AT_A_TIME = 2_000


@dataclass(frozen=True, kw_only=True)
class Rebuilt:
    """What was made again: how many entries were folded to how many fights, and how many scoreboards are others now."""

    mat: Mat
    entries: int
    fights: int
    changed: int


async def rebuild_mat(tx: Transaction, mat_id: UUID, *, now: datetime) -> Rebuilt:
    """Fold a mat's log again and write what it comes to over what is stored: fights, rounds, points, counts, boards.

    Ids, planned fights and the log itself stay as they are. Nobody else writes to the log meanwhile. Raises `NotFound`.
    """
    # Named so that the row is held, and nothing of it changed.
    held = update(Mat).where(col(Mat.id) == mat_id).values(last_seq=col(Mat.last_seq)).returning(Mat)
    mat = await tx.row(held)
    if mat is None:
        raise NotFound("There is no such mat.", field="mat_id")
    known = {row.begun_seq: row.id for row in await tx.rows(select(Match).where(col(Match.mat_id) == mat_id))}
    await forget_counts(tx, mat_id)
    for match_id in known.values():
        await forget_facts(tx, match_id)
    await _count_log(tx, mat_id)
    begun = sorted(known)
    changed = 0
    for begun_seq, left in zip_longest(begun, begun[1:]):
        fight = await _fold_fight(tx, known[begun_seq], begun_seq, left)
        changed += fight is not None and await _write(tx, mat, fight, now)
    return Rebuilt(mat=mat, entries=mat.last_seq, fights=len(known), changed=changed)


async def _count_log(tx: Transaction, mat_id: UUID) -> None:
    """Count all that the log of a mat holds."""
    async for rows in _entries(tx, mat_id):
        logged = [Logged(entry=entry_of(row), received=_received(row), fight=None) for row in rows]
        await tx.execute_all(counts_steps(mat_id, logged))


async def _fold_fight(tx: Transaction, match_id: UUID, begun_seq: int, left: int | None) -> Fight | None:
    """Fold all that was said of a fight, and store its facts; `left` is the entry with which another took its mat."""
    rows = await read_log(tx, [match_id])
    if not rows:
        return None
    state, facts, voided = await fold_again(rows, left=left)
    await tx.execute_all(facts_steps({match_id: facts}, {row.seq: row.id for row in rows}))
    await mark_voided(tx, match_id, rows, voided)
    return Fight(
        match_id=match_id,
        begun_seq=begun_seq,
        state=state,
        shown=board(state),
        revision=0,
        changed_at=rows[-1].received_at,
    )


async def _entries(session: Session, mat_id: UUID) -> AsyncIterator[Sequence[MatchEvent]]:
    seq = 0
    while True:
        later = select(MatchEvent).where(col(MatchEvent.mat_id) == mat_id, col(MatchEvent.seq) > seq)
        rows = await session.rows(later.order_by(col(MatchEvent.seq)).limit(_AT_A_TIME))
        if not rows:
            return
        yield rows
        seq = rows[-1].seq


def _received(row: MatchEvent) -> Received:
    return Received(
        received_at=row.received_at, sender=row.sender, raw=row.raw, message=from_record(row.kind, row.record)
    )


async def _write(tx: Transaction, mat: Mat, fight: Fight, now: datetime) -> bool:
    """Write a fight over what is stored of it. Says whether its scoreboard changed, and then tells of it."""
    await _forget_rounds(tx, fight)
    stored = await tx.row(select(Scoreboard).where(col(Scoreboard.match_id) == fight.match_id))
    shown = orjson.loads(orjson.dumps(fight.shown))
    is_same = stored is not None and stored.board == shown
    kept: dict[str, Any]
    if stored is not None and is_same:
        kept = {"shown": stored.board, "revision": stored.revision, "changed_at": stored.changed_at}
    else:
        kept = {"shown": shown, "revision": 1 + (0 if stored is None else stored.revision), "changed_at": now}
    written: Fight = replace(fight, **kept)
    progress = MatProgress(mat_id=mat.id, seq=mat.last_seq, fight=None)
    await tx.execute_all(await store_fights(tx, Advance(progress=progress, logged=[], fights=[written], facts={}), {}))
    if not is_same:
        scoreboard: Any = await tx.row(select(Scoreboard).where(col(Scoreboard.match_id) == fight.match_id))
        tx.record(ScoreboardChanged(scoreboard=scoreboard, is_current=fight.match_id == mat.current_match_id))
    return not is_same


async def _forget_rounds(tx: Transaction, fight: Fight) -> None:
    """Take away rounds that the log does not tell of. The others keep their ids."""
    told = {one.number for one in fight.state.rounds}
    stored = await tx.rows(select(Round).where(col(Round.match_id) == fight.match_id))
    for one in stored:
        if one.number not in told:
            await tx.execute(delete(Round).where(col(Round.id) == one.id))
    await tx.execute(delete(RoundSide).where(col(RoundSide.match_id) == fight.match_id))
