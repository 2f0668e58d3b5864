"""How tournaments and their days can be changed."""

from datetime import date
from typing import Annotated, Any

import strawberry
from strawberry import Maybe

from db.access.viewer import Role
from db.matches import operations, tournaments
from db.matches.logos import read_logo, set_logo
from schema.changes import change
from schema.context import Asked
from schema.ids import decode_id
from schema.inputs import given
from schema.matches.planned_types import TournamentDay
from schema.matches.types import Tournament

_TOURNAMENT = strawberry.argument(description="The tournament.")
_DAY = strawberry.argument(description="The day.")
_REVISION = strawberry.argument(
    description="The revision you saw. If it has another by now, the change is refused: read it again."
)


@strawberry.input(
    description="A tournament to be set up or changed. What is absent stays; null brings the default back."
)
class TournamentInput:
    """A tournament to be set up or changed."""

    name: Maybe[str | None] = strawberry.field(
        default=None, description="What it is called: 1 to 200 characters, no two alike. A new one needs it."
    )
    city: Maybe[str | None] = strawberry.field(
        default=None, description="Where it is: at most 200 characters. Default: not said."
    )
    country_code: Maybe[str | None] = strawberry.field(
        default=None, description="The country it is in: a code of at most 8 characters. Default: not said."
    )
    starts_on: Maybe[date | None] = strawberry.field(default=None, description="Its first day. Default: not said.")
    ends_on: Maybe[date | None] = strawberry.field(
        default=None, description="Its last day, on which it starts or later. Default: not said."
    )


@strawberry.input(description="A day of a tournament to be added or changed. What is absent stays.")
class TournamentDayInput:
    """A day of a tournament to be added or changed."""

    held_on: date | None = strawberry.field(
        default=None, description="Its date, which no other day of the tournament has. A new one needs it."
    )
    number: int | None = strawberry.field(
        default=None, description="Which day it is: 1 to 999. Default: the one behind the last."
    )


@strawberry.type
class TournamentMutations:
    """How tournaments and their days can be changed."""

    @change(Tournament, "tournament", "Set up a tournament.", result="The tournament.", demand=Role.OPERATOR)
    async def tournament_create(
        self, info: Asked, input: Annotated[TournamentInput, strawberry.argument(description="The tournament.")]
    ) -> Any:
        """Set up a tournament."""
        context = info.context
        said = {"name": "", **given(input)}
        return await operations.create_tournament(
            context.db, name=said.pop("name") or "", city=said.pop("city", "") or "", about=said, now=context.now()
        )

    @change(
        Tournament,
        "tournament",
        "Change some of a tournament. What is not named stays.",
        result="The tournament after the change.",
        demand=Role.OPERATOR,
    )
    async def tournament_update(
        self,
        info: Asked,
        id: Annotated[strawberry.ID, _TOURNAMENT],
        revision: Annotated[int, _REVISION],
        input: Annotated[TournamentInput, strawberry.argument(description="What to change.")],
    ) -> Any:
        """Change some of a tournament."""
        async with info.context.db.transaction() as tx:
            return await tournaments.update_tournament(
                tx, decode_id(id, kind="tournament"), given(input), revision=revision
            )

    @change(
        Tournament,
        "tournament",
        "Give a tournament a logo, in place of the one it has, or take that away. Overlays show it.",
        result="The tournament after the change.",
        demand=Role.OPERATOR,
    )
    async def tournament_set_logo(
        self,
        info: Asked,
        id: Annotated[strawberry.ID, _TOURNAMENT],
        revision: Annotated[int, _REVISION],
        image: Annotated[
            str | None,
            strawberry.argument(
                description="The image in base64: SVG, PNG, JPEG, GIF or WebP, at most 512 KiB and no larger than a "
                "request may be. Null takes the logo away."
            ),
        ],
    ) -> Any:
        """Give a tournament a logo, or take it away."""
        read = None if image is None else read_logo(image)
        async with info.context.db.transaction() as tx:
            return await set_logo(tx, decode_id(id, kind="tournament"), read, revision=revision)

    @change(
        Tournament,
        "tournament",
        "Open a tournament, also one that was ended too early.",
        result="The tournament after the change.",
        demand=Role.OPERATOR,
    )
    async def tournament_start(self, info: Asked, id: Annotated[strawberry.ID, _TOURNAMENT]) -> Any:
        """Open a tournament."""
        async with info.context.db.transaction() as tx:
            return await tournaments.start_tournament(tx, decode_id(id, kind="tournament"))

    @change(
        Tournament,
        "tournament",
        "End a tournament, and with it the day that is on.",
        result="The tournament after the change.",
        demand=Role.OPERATOR,
    )
    async def tournament_end(self, info: Asked, id: Annotated[strawberry.ID, _TOURNAMENT]) -> Any:
        """End a tournament."""
        async with info.context.db.transaction() as tx:
            return await tournaments.end_tournament(tx, decode_id(id, kind="tournament"))

    @change(TournamentDay, "day", "Add a day to a tournament.", result="The day.", demand=Role.OPERATOR)
    async def tournament_day_create(
        self,
        info: Asked,
        tournament_id: Annotated[strawberry.ID, _TOURNAMENT],
        input: Annotated[TournamentDayInput, strawberry.argument(description="The day.")],
    ) -> Any:
        """Add a day to a tournament."""
        decoded = decode_id(tournament_id, kind="tournament", field="tournament_id")
        async with info.context.db.transaction() as tx:
            return await tournaments.create_day(
                tx, decoded, held_on=input.held_on, number=input.number, now=info.context.now()
            )

    @change(
        TournamentDay,
        "day",
        "Give a day another date or number. What is not named stays.",
        result="The day after the change.",
        demand=Role.OPERATOR,
    )
    async def tournament_day_update(
        self,
        info: Asked,
        id: Annotated[strawberry.ID, _DAY],
        revision: Annotated[int, _REVISION],
        input: Annotated[TournamentDayInput, strawberry.argument(description="What to change.")],
    ) -> Any:
        """Give a day another date or number."""
        async with info.context.db.transaction() as tx:
            return await tournaments.update_day(
                tx, decode_id(id, kind="tournamentday"), held_on=input.held_on, number=input.number, revision=revision
            )

    @change(
        TournamentDay,
        "day",
        "Open a day of a tournament that is on, also one that was ended too early: fights that are loaded from now on "
        "are of it.",
        result="The day after the change.",
        demand=Role.OPERATOR,
    )
    async def tournament_day_start(self, info: Asked, id: Annotated[strawberry.ID, _DAY]) -> Any:
        """Open a day."""
        async with info.context.db.transaction() as tx:
            return await tournaments.start_day(tx, decode_id(id, kind="tournamentday"))

    @change(TournamentDay, "day", "End a day.", result="The day after the change.", demand=Role.OPERATOR)
    async def tournament_day_end(self, info: Asked, id: Annotated[strawberry.ID, _DAY]) -> Any:
        """End a day."""
        async with info.context.db.transaction() as tx:
            return await tournaments.end_day(tx, decode_id(id, kind="tournamentday"))
