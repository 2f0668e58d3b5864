"""Operators at a mat, and what they say."""

from dataclasses import replace
from datetime import datetime
from typing import Any, cast
from uuid import UUID

from sqlmodel import col, select

from db.access import operations as access
from db.access.tables import User
from db.access.viewer import Role, Viewer
from db.database import Database
from db.ids import new_id
from db.matches import by_hand, operations, taking_back
from db.matches.by_hand import FightToLoad, SideToLoad
from db.matches.held import By
from db.matches.tables import Match, MatchEvent, Scoreboard
from db.matches.vocabulary import PointKind, Side
from schema.ids import encode_id
from tests.support.competition import begun_fight, say
from tests.support.graph import Graph

FIGHT = FightToLoad(
    number="12",
    blue=SideToLoad(name="Ana One", short_name="A. ONE", country_code="SUI", background="#0000ff"),
    red=SideToLoad(name="Bo Two"),
    phase="Final",
    weight="W -57kg",
    division="Seniors",
    round_seconds=90,
)


async def make_operator(db: Database, now: datetime, name: str = "Olga") -> Viewer:
    async with db.transaction() as tx:
        user = await access.create_user(tx, name=name, role=Role.OPERATOR, now=now)
    return Viewer(user_id=user.id, token_id=new_id(), role=Role.OPERATOR)


async def revision_of(db: Database, match_id: UUID) -> int:
    async with db.read() as session:
        found: int = await session.scalar(select(col(Scoreboard.revision)).where(col(Scoreboard.match_id) == match_id))
        return found


async def correct(db: Database, operation: Any, match_id: UUID, *given: Any, by: By, **named: Any) -> Match:
    """Run an operation on a match; one that does not name a revision has seen the present one."""
    seen = by if by.revision is not None else replace(by, revision=await revision_of(db, match_id))
    async with db.transaction() as tx:
        match: Match = await operation(tx, match_id, *given, by=seen, **named)
    return match


async def load(
    db: Database, mat_id: UUID, by: By, fight: FightToLoad = FIGHT, *, replaces: Match | None = None
) -> Match:
    """Put a fight on a mat by hand, in the place of one."""
    if replaces is not None and by.revision is None:
        by = replace(by, revision=await revision_of(db, replaces.id))
    async with db.transaction() as tx:
        return await by_hand.load_match(tx, mat_id, fight, replaces=None if replaces is None else replaces.id, by=by)


async def operator_variables(graph: Graph, operator: User) -> dict[str, dict[str, Any]]:
    """What the examples of operators are asked with, by their names: each has a fight of its own, as it needs one."""
    db, now = graph.db, graph.clock.now()
    by = By(viewer=Viewer(user_id=operator.id, token_id=new_id(), role=Role.ADMIN), now=now, revision=None)
    asked = {}
    for number, (name, (before, further)) in enumerate(_EXAMPLES.items()):
        match = await _fought(db, now, f"Hand {number:02}")
        for operation, named in before:
            await correct(db, operation, match.id, by=by, **named)
        named = {"eventId": await _newest_entry(db, match.id)} if name == "VoidEvent" else further
        asked[name] = {"id": encode_id("match", match.id), "revision": await revision_of(db, match.id), **named}
    async with db.transaction() as tx:
        mat = await operations.create_mat(tx, name="Hand made", now=now)
    sides = {"blue": {"name": "Ana One", "countryCode": "SUI"}, "red": {"name": "Bo Two", "countryCode": "GER"}}
    of_match = {"matchId": asked["UndoCorrection"]["id"]}
    return {
        **asked,
        "CorrectionsOfFight": of_match,
        "LoadFightByHand": {"matId": encode_id("mat", mat.id), "input": {"number": "12", **sides}},
        "ScoreboardBack": {**of_match, "time": now.isoformat()},
    }


async def _fought(db: Database, now: datetime, mat_name: str) -> Match:
    async with db.transaction() as tx:
        mat = await operations.create_mat(tx, name=mat_name, now=now)
        await say(tx, mat.id, now, *begun_fight(mat_name))
        progress = await operations.load_progress(tx, mat.id)
        assert progress.fight is not None
        return cast("Match", await tx.row(select(Match).where(col(Match.id) == progress.fight.match_id)))


async def _newest_entry(db: Database, match_id: UUID) -> str:
    newest = select(MatchEvent).where(col(MatchEvent.match_id) == match_id).order_by(col(MatchEvent.seq).desc())
    async with db.read() as session:
        return encode_id("event", cast("MatchEvent", await session.row(newest.limit(1))).id)


_AWARDED = [(by_hand.award_points, {"side": Side.RED, "kind": PointKind.HEAD})]
_EXAMPLES: dict[str, tuple[list[tuple[Any, dict[str, Any]]], dict[str, Any]]] = {
    "AwardPoints": ([], {"side": "BLUE", "why": "The video showed it."}),
    "DecideChallenge": ([], {"side": "RED", "state": "WON"}),
    "DecideRound": ([], {"winner": "BLUE"}),
    "DeclareWinner": ([], {"outcome": "RED", "resultCode": "RSC"}),
    "GiveGamJeom": ([], {"side": "BLUE"}),
    "GoToRound": ([], {"number": 2}),
    "RedoCorrection": ([*_AWARDED, (taking_back.undo, {})], {}),
    "SetClock": ([], {"remainingMs": 61_500}),
    "SetScore": ([], {"blue": 4, "round": 1}),
    "StartClock": ([(by_hand.stop_clock, {})], {"remainingMs": 60_000}),
    "StopClock": ([], {}),
    "TakeBackGamJeom": ([(by_hand.give_gam_jeom, {"side": Side.RED})], {"side": "RED"}),
    "TakeBackPoints": ([], {"side": "BLUE", "kind": "HEAD"}),
    "UndoCorrection": (_AWARDED, {}),
    "VoidEvent": (_AWARDED, {}),
}
