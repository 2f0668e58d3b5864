"""What a scoring program said of a fight, as it was received."""

from collections.abc import AsyncIterator
from datetime import datetime
from uuid import UUID

from sqlalchemy import Integer, Uuid, bindparam
from sqlmodel import col, select

from db.errors import NotFound
from db.matches.tables import Match, MatchEvent
from db.session import Session

_AT_A_TIME = 1000
_ENTRIES = (
    select(col(MatchEvent.seq), col(MatchEvent.received_at), col(MatchEvent.raw))
    .where(col(MatchEvent.match_id) == bindparam("match_id", type_=Uuid()))
    # What an operator says by hand names him so, and was on no wire.
    .where(col(MatchEvent.sender).not_like("@%"))
    .where(col(MatchEvent.seq) > bindparam("seq", type_=Integer()))
    .order_by(col(MatchEvent.seq))
    .limit(bindparam("limit", type_=Integer()))
)


async def read_wire(session: Session, match_id: UUID) -> AsyncIterator[tuple[datetime, bytes]]:
    """Yield what was received of a fight, in order, each with when. Raises `NotFound`."""
    if await session.row(select(Match).where(col(Match.id) == match_id)) is None:
        raise NotFound("There is no such match.", field="match_id")
    seq, has_more = -1, True
    while has_more:
        rows = await session.tuples(_ENTRIES, match_id=match_id, seq=seq, limit=_AT_A_TIME)
        for seq, received_at, raw in rows:  # noqa: B007 -- the last one is where the next page begins
            yield received_at, raw
        has_more = len(rows) == _AT_A_TIME
