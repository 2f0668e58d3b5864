"""How an operator corrects a fight, or runs one by hand: each change is an entry of its mat's log."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Annotated, Any

import strawberry

from db.access.viewer import Role
from db.matches import by_hand, taking_back
from db.matches.held import By
from db.matches.tables import Match as MatchRow
from schema.changes import change
from schema.context import Asked
from schema.ids import decode_id
from schema.matches.inputs import MatchInput
from schema.matches.types import Match
from schema.matches.vocabulary import ChallengeState, Outcome, PointKind, Side

MatchId = Annotated[strawberry.ID, strawberry.argument(description="The match.")]
Revision = Annotated[
    int,
    strawberry.argument(
        description="The revision of the match's scoreboard that you have seen. If it has another by now, nothing is "
        "changed, and the error says which."
    ),
]
Why = Annotated[str, strawberry.argument(description="Why: at most 500 characters. It stays with the entry.")]
OfRound = Annotated[
    int | None, strawberry.argument(name="round", description="The round, one that has begun. Null: the current one.")
]
WhoseSide = Annotated[Side, strawberry.argument(description="The side.")]
OfKind = Annotated[PointKind, strawberry.argument(description="What for; it says how many points.")]
RemainingMs = Annotated[
    int | None,
    strawberry.argument(description="What remains, in milliseconds: up to an hour. Null: what does by now."),
]

_on_match = partial(change, Match, "match", result="The match after the change.", demand=Role.OPERATOR)


@strawberry.type
class OperatorMutations:
    """How an operator corrects a fight, or runs one by hand."""

    @change(
        Match,
        "match",
        "Put a fight on a mat by hand, in the place of the one that is there. It needs no scoring program.",
        result="The match, with its clock standing at the length of a round.",
        demand=Role.OPERATOR,
    )
    async def match_load(
        self,
        info: Asked,
        mat_id: Annotated[strawberry.ID, strawberry.argument(description="The mat.")],
        input: Annotated[MatchInput, strawberry.argument(description="The fight.")],
        replaced_match_id: Annotated[
            strawberry.ID | None,
            strawberry.argument(description="The match that is on the mat now, as you have seen. Null: none was ever."),
        ] = None,
        revision: Annotated[
            int | None,
            strawberry.argument(description="The revision of its scoreboard that you have seen. Null: there is none."),
        ] = None,
        why: Why = "",
    ) -> Any:
        """Put a fight on a mat."""
        named = replaced_match_id
        present = None if named is None else decode_id(named, kind="match", field="replaced_match_id")
        mat = decode_id(mat_id, kind="mat", field="mat_id")
        return await _said(info, by_hand.load_match, mat, input.load(), replaces=present, revision=revision, why=why)

    @_on_match("Give a side points. They stay on top of whatever the scoring program says later, until taken back.")
    async def match_award_points(
        self,
        info: Asked,
        id: MatchId,
        revision: Revision,
        side: WhoseSide,
        kind: OfKind,
        of_round: OfRound = None,
        why: Why = "",
    ) -> Any:
        """Give a side points."""
        return await _of_match(info, by_hand.award_points, id, revision, why, side=side, kind=kind, number=of_round)

    @_on_match(
        "Take points of a kind that a side was given, by the scoring program or by hand. They stay taken from whatever "
        "the scoring program says later, until given again."
    )
    async def match_take_back_points(
        self,
        info: Asked,
        id: MatchId,
        revision: Revision,
        side: WhoseSide,
        kind: OfKind,
        of_round: OfRound = None,
        why: Why = "",
    ) -> Any:
        """Take points back."""
        return await _of_match(info, by_hand.take_back_points, id, revision, why, side=side, kind=kind, number=of_round)

    @_on_match(
        "Give a side a penalty, and the other side its point, on top of whatever the scoring program says later."
    )
    async def match_give_gam_jeom(
        self,
        info: Asked,
        id: MatchId,
        revision: Revision,
        side: Annotated[Side, strawberry.argument(description="The side that is punished.")],
        of_round: OfRound = None,
        why: Why = "",
    ) -> Any:
        """Give a gam-jeom."""
        return await _of_match(info, by_hand.give_gam_jeom, id, revision, why, side=side, number=of_round)

    @_on_match("Take a penalty of a side back, and the other side's point for it.")
    async def match_take_back_gam_jeom(
        self,
        info: Asked,
        id: MatchId,
        revision: Revision,
        side: Annotated[Side, strawberry.argument(description="The side that was punished.")],
        of_round: OfRound = None,
        why: Why = "",
    ) -> Any:
        """Take a gam-jeom back."""
        return await _of_match(info, by_hand.take_back_gam_jeom, id, revision, why, side=side, number=of_round)

    @_on_match("Set the score of a round. It holds until the scoring program says another. The match may have ended.")
    async def match_set_score(
        self,
        info: Asked,
        id: MatchId,
        revision: Revision,
        blue: Annotated[int | None, strawberry.argument(description="Blue's: 0 to 999. Null: leave it.")] = None,
        red: Annotated[int | None, strawberry.argument(description="Red's: 0 to 999. Null: leave it.")] = None,
        of_round: OfRound = None,
        why: Why = "",
    ) -> Any:
        """Set a score."""
        return await _of_match(info, by_hand.set_score, id, revision, why, blue=blue, red=red, number=of_round)

    @_on_match("Go to a round, forwards or back. The clock stays as it is.")
    async def match_set_round(
        self,
        info: Asked,
        id: MatchId,
        revision: Revision,
        number: Annotated[int, strawberry.argument(description="The round: 1 to 99.")],
        why: Why = "",
    ) -> Any:
        """Go to a round."""
        return await _of_match(info, by_hand.set_round, id, revision, why, number=number)

    @_on_match("Say who won a round. It holds until the scoring program says another. The match may have ended.")
    async def match_decide_round(
        self,
        info: Asked,
        id: MatchId,
        revision: Revision,
        winner: Annotated[
            Side | None, strawberry.argument(description="Who won it. Null: that is not decided, after all.")
        ] = None,
        of_round: OfRound = None,
        why: Why = "",
    ) -> Any:
        """Decide a round."""
        return await _of_match(info, by_hand.decide_round, id, revision, why, winner=winner, number=of_round)

    @_on_match("Set the clock; it goes on running or standing. A scoring program's next tick sets it again.")
    async def match_set_clock(
        self,
        info: Asked,
        id: MatchId,
        revision: Revision,
        remaining_ms: Annotated[int, strawberry.argument(description="What remains, in milliseconds: up to an hour.")],
        why: Why = "",
    ) -> Any:
        """Set the clock."""
        return await _of_match(info, by_hand.set_clock, id, revision, why, remaining_ms=remaining_ms)

    @_on_match("Start the clock. The first time, that starts the match.")
    async def match_start_clock(
        self, info: Asked, id: MatchId, revision: Revision, remaining_ms: RemainingMs = None, why: Why = ""
    ) -> Any:
        """Start the clock."""
        return await _of_match(info, by_hand.start_clock, id, revision, why, remaining_ms=remaining_ms)

    @_on_match("Stop the clock.")
    async def match_stop_clock(
        self, info: Asked, id: MatchId, revision: Revision, remaining_ms: RemainingMs = None, why: Why = ""
    ) -> Any:
        """Stop the clock."""
        return await _of_match(info, by_hand.stop_clock, id, revision, why, remaining_ms=remaining_ms)

    @_on_match("Say how far a video challenge has come. It holds until the scoring program says another.")
    async def match_decide_challenge(
        self,
        info: Asked,
        id: MatchId,
        revision: Revision,
        state: Annotated[ChallengeState, strawberry.argument(description="How far it has come.")],
        side: Annotated[
            Side | None, strawberry.argument(description="Who asked for the video. Null: the referee.")
        ] = None,
        why: Why = "",
    ) -> Any:
        """Decide a challenge."""
        return await _of_match(info, by_hand.decide_challenge, id, revision, why, side=side, state=state)

    @_on_match(
        "Announce the winner, which ends the match. It holds until the scoring program announces another. "
        "The match may have ended before: then this corrects it."
    )
    async def match_declare_winner(
        self,
        info: Asked,
        id: MatchId,
        revision: Revision,
        outcome: Annotated[Outcome, strawberry.argument(description="Who won.")],
        result_code: Annotated[
            str, strawberry.argument(description="How it was won, in letters such as PTF: at most 10 of them.")
        ] = "",
        why: Why = "",
    ) -> Any:
        """Declare the winner."""
        return await _of_match(info, by_hand.declare_winner, id, revision, why, outcome=outcome, code=result_code)

    @_on_match(
        "Take an entry of the log back, whoever said it: the match is then what it would be if that had never been "
        "said. A score is what was last said of it: to take a point of the scoring program's, use "
        "`matchTakeBackPoints`. The entry stays in the log, with `voidedBy`."
    )
    async def match_void_event(
        self,
        info: Asked,
        id: MatchId,
        revision: Revision,
        event_id: Annotated[
            strawberry.ID, strawberry.argument(description="The entry: any of the match's but the first.")
        ],
        why: Why = "",
    ) -> Any:
        """Take an entry back."""
        entry = decode_id(event_id, kind="event", field="event_id")
        most = info.context.longest_fight
        return await _of_match(info, taking_back.void_event, id, revision, why, event_id=entry, most=most)

    @_on_match(
        "Take your own last correction of a match back. Asked again, it takes back the one before. "
        "`matchRedo` brings them back."
    )
    async def match_undo(self, info: Asked, id: MatchId, revision: Revision, why: Why = "") -> Any:
        """Undo."""
        return await _of_match(info, taking_back.undo, id, revision, why, most=info.context.longest_fight)

    @_on_match(
        "Bring back what your last `matchUndo` took back. Asked again, it brings back the one before. Once you have "
        "corrected anything else, there is nothing to bring back."
    )
    async def match_redo(self, info: Asked, id: MatchId, revision: Revision, why: Why = "") -> Any:
        """Redo."""
        return await _of_match(info, taking_back.redo, id, revision, why, most=info.context.longest_fight)


async def _of_match(
    info: Asked, operation: Callable[..., Awaitable[MatchRow]], id: str, revision: int, why: str, **named: Any
) -> MatchRow:
    return await _said(info, operation, decode_id(id, kind="match"), revision=revision, why=why, **named)


async def _said(
    info: Asked,
    operation: Callable[..., Awaitable[MatchRow]],
    *given: Any,
    revision: int | None,
    why: str,
    **named: Any,
) -> MatchRow:
    """Run an operation in a transaction of its own, as said by whoever asks, and now."""
    context = info.context
    by = By(viewer=context.viewer, now=context.now(), revision=revision, why=why)
    async with context.db.transaction() as tx:
        return await operation(tx, *given, by=by, **named)
