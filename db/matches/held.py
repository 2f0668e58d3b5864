"""A fight in an operator's hand: held against whoever else writes to its log, as the operator has seen it."""

from dataclasses import dataclass
from datetime import datetime
from typing import cast
from uuid import UUID

import orjson
from sqlmodel import col, select

from db.access.tables import User
from db.access.viewer import Viewer
from db.errors import Conflict, Invalid, NotFound, Stale
from db.matches.corrections import Correction
from db.matches.log import Advance, Fight, MatProgress, Received, correct
from db.matches.messages import to_record
from db.matches.operations import hold_log, load_fight
from db.matches.state import FightState
from db.matches.storing import store_advance
from db.matches.tables import Match, Scoreboard
from db.matches.vocabulary import MatchState
from db.session import Transaction
from db.texts import checked

LONGEST_WHY = 500


@dataclass(frozen=True, kw_only=True)
class By:
    """Who says something by hand, when, why, and the revision of the scoreboard he has seen; None if there is none."""

    viewer: Viewer
    now: datetime
    revision: int | None
    why: str = ""


@dataclass(frozen=True, kw_only=True)
class HeldMatch:
    """A fight that nobody else changes before the transaction ends."""

    tx: Transaction
    by: By
    progress: MatProgress
    fight: Fight

    @property
    def state(self) -> FightState:
        """What is known of it."""
        return self.fight.state

    def check_is_fought(self) -> None:
        """Raise `Conflict` unless it is on its mat, and no winner was announced."""
        if self.progress.fight is None or self.progress.fight.match_id != self.fight.match_id:
            raise Conflict("The match is not on its mat any more.", field="id")
        if self.state.state is MatchState.ENDED:
            raise Conflict("The match has ended.", field="id")

    def round_or_current(self, number: int | None) -> int:
        """Return a round that has begun, the current one if none is given. Raises `Invalid`."""
        if number is None or number == self.state.round:
            return self.state.round
        if number not in {one.number for one in self.state.rounds}:
            raise Invalid(f"Round {number} has not begun.", field="round")
        return number

    async def say(self, message: Correction, *, state: FightState | None = None, voids_id: UUID | None = None) -> Match:
        """Add it to the log, and return the match after it. `state` is what the fight comes to, if it was folded."""
        said = await received(self.tx, self.by, message, voids_id=voids_id)
        return await self._store(correct(self.progress, self.fight, said, state))

    async def _store(self, steps: Advance) -> Match:
        await store_advance(self.tx, self.progress, steps, (self.fight,))
        return await stored_match(self.tx, self.fight.match_id)


async def hold_match(tx: Transaction, match_id: UUID, by: By) -> HeldMatch:
    """Take a fight in hand. Raises `NotFound`, and `Stale` if its scoreboard is not of the revision that was seen."""
    seen = await tx.row(select(Scoreboard).where(col(Scoreboard.match_id) == match_id))
    if seen is None:
        raise NotFound("There is no such match.", field="id")
    # Before waiting for the log as well: those who are late anyway do not hold up the others.
    check_revision(seen.revision, by)
    progress = await hold_log(tx, seen.mat_id)
    is_current = progress.fight is not None and progress.fight.match_id == match_id
    fight = progress.fight if is_current else await load_fight(tx, match_id)
    if fight is None:
        raise NotFound("There is no such match.", field="id")
    check_revision(fight.revision, by)
    return HeldMatch(tx=tx, by=by, progress=progress, fight=fight)


def check_revision(present: int, by: By) -> None:
    """Raise `Stale` if the operator has not seen the present scoreboard."""
    if by.revision != present:
        raise Stale(
            f"The match was changed meanwhile: its scoreboard has the revision {present}. Look at it again.",
            revision=present,
        )


async def received(tx: Transaction, by: By, message: Correction, *, voids_id: UUID | None = None) -> Received:
    """Make of what an operator says what a log takes. Raises `Invalid` for a reason that cannot be."""
    why = checked(by.why, "A reason", field="why", shortest=0, longest=LONGEST_WHY)
    user = await tx.row(select(User).where(col(User.id) == by.viewer.user_id))
    return Received(
        received_at=by.now,
        sender=f"@{'' if user is None else user.username}",
        raw=orjson.dumps(to_record(message)),
        message=message,
        made_by_id=by.viewer.user_id,
        why=why,
        voids_id=voids_id,
    )


async def stored_match(tx: Transaction, match_id: UUID) -> Match:
    """Return a match that is there, as it is stored."""
    return cast("Match", await tx.row(select(Match).where(col(Match.id) == match_id)))
