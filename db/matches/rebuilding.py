"""Making all that is folded from a mat's log again, from the log alone."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import delete, update
from sqlmodel import col, select

from db.errors import NotFound
from db.matches.board import board
from db.matches.events import ScoreboardChanged
from db.matches.keeping import forget_counts, forget_facts, store_counts, store_facts
from db.matches.log import Advance, Fight, MatProgress, Received, advance
from db.matches.messages import from_record
from db.matches.operations import store_fights
from db.matches.replacing import replace
from db.matches.tables import Mat, Match, MatchEvent, Round, RoundSide, Scoreboard
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
    folded = await _fold_log(tx, mat_id, known)
    changed = await _write(tx, mat, list(folded.values()), now)
    return Rebuilt(mat=mat, entries=mat.last_seq, fights=len(folded), changed=changed)


async def _fold_log(tx: Transaction, mat_id: UUID, known: dict[int, UUID]) -> dict[UUID, Fight]:
    """Fold the whole log, storing facts and counts on the way; return each fight as it is at last, by its id."""
    progress = MatProgress(mat_id=mat_id, seq=0, fight=None)
    folded: dict[UUID, Fight] = {}
    async for rows in _entries(tx, mat_id):
        steps = advance(progress, [_received(row) for row in rows])
        ids = {fight.match_id: known[fight.begun_seq] for fight in steps.fights if fight.begun_seq in known}
        for fight in steps.fights:
            if fight.match_id in ids:
                folded[ids[fight.match_id]] = replace(fight, match_id=ids[fight.match_id])
        event_ids = {row.seq: row.id for row in rows}
        for match_id, facts in steps.facts.items():
            if match_id in ids:
                await store_facts(tx, ids[match_id], facts, event_ids)
        await store_counts(tx, mat_id, steps.logged)
        progress = steps.progress
    return folded


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


async def _write(tx: Transaction, mat: Mat, fights: Sequence[Fight], now: datetime) -> int:
    """Write fights over what is stored of them. Returns how many scoreboards changed, and tells of those."""
    changed: list[Fight] = []
    for fight in fights:
        await _forget_rounds(tx, fight)
        stored = await tx.row(select(Scoreboard).where(col(Scoreboard.match_id) == fight.match_id))
        shown = orjson.loads(orjson.dumps(board(fight.state)))
        kept: dict[str, Any]
        if stored is not None and stored.board == shown:
            kept = {"shown": stored.board, "revision": stored.revision, "changed_at": stored.changed_at}
        else:
            kept = {"shown": shown, "revision": 1 + (0 if stored is None else stored.revision), "changed_at": now}
        written: Fight = replace(fight, **kept)
        progress = MatProgress(mat_id=mat.id, seq=mat.last_seq, fight=None)
        await store_fights(tx, Advance(progress=progress, logged=[], fights=[written], facts={}), {})
        if written.changed_at == now:
            changed.append(written)
    for fight in changed:
        scoreboard: Any = await tx.row(select(Scoreboard).where(col(Scoreboard.match_id) == fight.match_id))
        tx.record(ScoreboardChanged(scoreboard=scoreboard, is_current=fight.match_id == mat.current_match_id))
    return len(changed)


async def _forget_rounds(tx: Transaction, fight: Fight) -> None:
    """Take away rounds that the log does not tell of. The others keep their ids."""
    told = {one.number for one in fight.state.rounds}
    stored = await tx.rows(select(Round).where(col(Round.match_id) == fight.match_id))
    for one in stored:
        if one.number not in told:
            await tx.execute(delete(Round).where(col(Round.id) == one.id))
    await tx.execute(delete(RoundSide).where(col(RoundSide.match_id) == fight.match_id))
