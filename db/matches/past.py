"""How a fight's log is read, whole or as far as a moment, and what it came to by then."""

import asyncio
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, and_, func, select
from sqlmodel import col

from db.batches import table_of
from db.errors import Invalid
from db.matches.board import board
from db.matches.fold import Entry
from db.matches.history import refold
from db.matches.messages import from_record
from db.matches.tables import Match, MatchEvent, Scoreboard
from db.parameters import any_of
from db.session import Session
from db.statements import row_class

# Entries of a fight that may be folded again at once, if nobody says otherwise.
LONGEST_FIGHT = 20_000


@dataclass(frozen=True, kw_only=True)
class LogPoint:
    """A point in a fight's log: behind the entry of a number, or a moment. One of the two is given."""

    seq: int | None = None
    time: datetime | None = None

    def __post_init__(self) -> None:
        """Raise `Invalid` unless one is given."""
        if (self.seq is None) == (self.time is None):
            raise Invalid("Give either `seq` or `time`.", field="seq")

    def includes(self, seq: Any, at: Any) -> Any:
        """Say of an entry's number and its time, be they values or columns, whether it comes before."""
        return at <= self.time if self.seq is None else seq <= self.seq


async def read_log(
    session: Session, match_ids: Iterable[UUID], *, until: LogPoint | None = None, most: int | None = None
) -> list[Any]:
    """Return what is folded of the entries of fights, each fight's in order, and at most so many of all of them."""
    columns = (MatchEvent.match_id, MatchEvent.id, MatchEvent.seq, MatchEvent.received_at, MatchEvent.kind)
    further = (MatchEvent.record, MatchEvent.voided_by_id)
    statement = select(*map(col, (*columns, *further))).where(any_of(col(MatchEvent.match_id), match_ids))
    if until is not None:
        statement = statement.where(until.includes(col(MatchEvent.seq), col(MatchEvent.received_at)))
    ordered = statement.order_by(col(MatchEvent.match_id), col(MatchEvent.seq))
    return await session.rows(ordered if most is None else ordered.limit(most))


def entry_of(row: Any) -> Entry:
    """Read an entry back from a row of the log."""
    return Entry(seq=row.seq, received_at=row.received_at, message=from_record(row.kind, row.record))


async def left_at(session: Session, match_ids: Iterable[UUID]) -> dict[UUID, tuple[int, datetime]]:
    """Return with which entry, and when, other fights took the mats of fights; those still on theirs are left out."""
    fight, other, later = (table_of(Match).alias(name) for name in ("fight", "other", "later"))
    first = (
        select(func.min(later.c.begun_seq))
        .where(later.c.mat_id == fight.c.mat_id, later.c.begun_seq > fight.c.begun_seq)
        .correlate(fight)
        .scalar_subquery()
    )
    is_next: ColumnElement[bool] = and_(other.c.mat_id == fight.c.mat_id, other.c.begun_seq == first)
    statement = select(fight.c.id, other.c.begun_seq, other.c.loaded_at).select_from(fight.join(other, is_next))
    rows = await session.tuples(statement.where(any_of(fight.c.id, match_ids)))
    return {match_id: (begun_seq, loaded_at) for match_id, begun_seq, loaded_at in rows}


async def scoreboards_at(
    session: Session,
    match_ids: Collection[UUID],
    *,
    point: LogPoint,
    most: int | None = None,
    note: Callable[[int], None] = lambda _: None,
) -> dict[UUID, Any]:
    """Return what was known of fights at a point, as scoreboards of the revision 0; none of a fight not begun by then.

    Only what was taken back by then is left out: what came later was not known. `note` is told how many entries were
    read, never more than one beyond `most`, and may raise.
    """
    rows = await read_log(session, match_ids, until=point, most=(most or LONGEST_FIGHT) + 1)
    note(len(rows))
    left = await left_at(session, match_ids)
    mats = dict(map(tuple, await session.tuples(_mats_of(match_ids))))
    # A long fight takes a while, and everything else goes on.
    return await asyncio.to_thread(_scoreboards, rows, left, point, mats)


def _mats_of(match_ids: Collection[UUID]) -> Any:
    return select(col(Match.id), col(Match.mat_id)).where(any_of(col(Match.id), match_ids))


def _scoreboards(
    rows: Iterable[Any], left: Mapping[UUID, tuple[int, datetime]], until: LogPoint, mats: Mapping[UUID, UUID]
) -> dict[UUID, Any]:
    logs: dict[UUID, list[Entry]] = {}
    for row in rows:
        logs.setdefault(row.match_id, []).append(entry_of(row))
    return {
        match_id: _scoreboard(match_id, mats[match_id], entries, _left_by(left.get(match_id), until))
        for match_id, entries in logs.items()
    }


def _left_by(left: tuple[int, datetime] | None, until: LogPoint) -> int | None:
    return left[0] if left is not None and until.includes(*left) else None


def _scoreboard(match_id: UUID, mat_id: UUID, entries: list[Entry], left: int | None) -> Any:
    state = refold(entries, left_at=left)
    return _SCOREBOARD_ROW(
        match_id=match_id,
        mat_id=mat_id,
        seq=state.seq,
        fold={},
        board=board(state),
        revision=0,
        changed_at=entries[-1].received_at,
    )


_SCOREBOARDS = table_of(Scoreboard)
_SCOREBOARD_ROW = row_class(_SCOREBOARDS.name, tuple(_SCOREBOARDS.c.keys()), _SCOREBOARDS)
