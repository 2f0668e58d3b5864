"""The demonstration's fight without a scoring program: an operator runs it, mistypes once, and takes that back."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from db.access.viewer import Viewer
from db.matches import by_hand, taking_back
from db.matches.by_hand import FightToLoad, SideToLoad
from db.matches.held import By
from db.matches.vocabulary import PointKind, Side
from db.session import Transaction

_FIGHT = FightToLoad(
    number="212",
    blue=SideToLoad(name="Mina Park", short_name="M. PARK", country_code="KOR", background="#0000ff"),
    red=SideToLoad(name="Sofia Rossi", short_name="S. ROSSI", country_code="ITA", background="#ff0000"),
    phase="Semifinals",
    weight="W -57kg",
    division="Seniors",
)
# So many seconds after the clock was started, with the reason.
_SAID: tuple[tuple[int, str, Any, dict[str, Any]], ...] = (
    (14, "", by_hand.award_points, {"side": Side.BLUE, "kind": PointKind.BODY}),
    (31, "", by_hand.award_points, {"side": Side.RED, "kind": PointKind.HEAD}),
    (36, "It was blue's kick", taking_back.undo, {}),
    (38, "", by_hand.award_points, {"side": Side.BLUE, "kind": PointKind.HEAD}),
    (52, "Grabbed", by_hand.give_gam_jeom, {"side": Side.RED}),
    (58, "", by_hand.stop_clock, {}),
)


async def set_up_fight(tx: Transaction, mat_id: UUID, operator: Viewer, now: datetime) -> None:
    """Run a fight on a mat up to where its clock stands in the first round, a minute before now."""
    began = now - timedelta(minutes=1)
    revision: int | None = None

    def by(seconds: int, why: str = "") -> By:
        return By(viewer=operator, now=began + timedelta(seconds=seconds), revision=revision, why=why)

    match = await by_hand.load_match(tx, mat_id, _FIGHT, by=by(-30))
    # Each of them raises it by one.
    revision = 1
    await by_hand.start_clock(tx, match.id, by=by(0))
    for seconds, why, operation, named in _SAID:
        revision += 1
        await operation(tx, match.id, by=by(seconds, why), **named)
