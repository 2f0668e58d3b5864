"""How a competition can be changed."""

from typing import Annotated

import strawberry

from db.access.viewer import Role
from db.matches import operations
from schema.context import Asked
from schema.errors import RefusalsAsData, UserError
from schema.fields import Demand
from schema.ids import decode_id
from schema.matches.types import Mat, Tournament


@strawberry.input(description="A tournament to be set up.")
class TournamentInput:
    """A tournament to be set up."""

    name: str = strawberry.field(description="What it is called: 1 to 200 characters, no two alike.")
    city: str = strawberry.field(default="", description="Where it is: at most 200 characters.")


@strawberry.type(description="What came of it.")
class TournamentCreatePayload:
    """What came of `tournamentCreate`."""

    tournament: Tournament | None = strawberry.field(description="The tournament. Null if it was refused.")
    errors: list[UserError] = strawberry.field(description="Why it was refused. Empty if it was not.")


@strawberry.input(description="A mat to be laid.")
class MatInput:
    """A mat to be laid."""

    name: str = strawberry.field(description="What it is called: 1 to 200 characters, no two alike in a tournament.")
    tournament_id: strawberry.ID | None = strawberry.field(
        default=None, description="The tournament it belongs to. Null: to none."
    )


@strawberry.type(description="What came of it.")
class MatCreatePayload:
    """What came of `matCreate`."""

    mat: Mat | None = strawberry.field(description="The mat. Null if it was refused.")
    errors: list[UserError] = strawberry.field(description="Why it was refused. Empty if it was not.")


@strawberry.type(description="What came of it.")
class MatRenamePayload:
    """What came of `matRename`."""

    mat: Mat | None = strawberry.field(description="The mat after the change. Null if it was refused.")
    errors: list[UserError] = strawberry.field(description="Why it was refused. Empty if it was not.")


@strawberry.type
class MatchMutations:
    """How a competition can be changed."""

    @strawberry.mutation(description="Set up a tournament.", extensions=[RefusalsAsData(), Demand(Role.OPERATOR)])
    async def tournament_create(
        self, info: Asked, input: Annotated[TournamentInput, strawberry.argument(description="The tournament.")]
    ) -> TournamentCreatePayload:
        """Set up a tournament."""
        context = info.context
        row = await operations.create_tournament(context.db, name=input.name, city=input.city, now=context.now())
        return TournamentCreatePayload(tournament=row, errors=[])  # type: ignore[arg-type]  # a row stands for its type

    @strawberry.mutation(description="Lay a mat.", extensions=[RefusalsAsData(), Demand(Role.OPERATOR)])
    async def mat_create(
        self, info: Asked, input: Annotated[MatInput, strawberry.argument(description="The mat.")]
    ) -> MatCreatePayload:
        """Lay a mat."""
        named = input.tournament_id
        tournament_id = None if named is None else decode_id(named, kind="tournament", field="tournament_id")
        async with info.context.db.transaction() as tx:
            row = await operations.create_mat(tx, name=input.name, tournament_id=tournament_id, now=info.context.now())
        return MatCreatePayload(mat=row, errors=[])  # type: ignore[arg-type]  # a row stands for its type

    @strawberry.mutation(description="Give a mat another name.", extensions=[RefusalsAsData(), Demand(Role.OPERATOR)])
    async def mat_rename(
        self,
        info: Asked,
        id: Annotated[strawberry.ID, strawberry.argument(description="The mat.")],
        name: Annotated[
            str, strawberry.argument(description="Its new name: 1 to 200 characters, free in its tournament.")
        ],
    ) -> MatRenamePayload:
        """Give a mat another name."""
        async with info.context.db.transaction() as tx:
            row = await operations.rename_mat(tx, decode_id(id, kind="mat"), name=name)
        return MatRenamePayload(mat=row, errors=[])  # type: ignore[arg-type]  # a row stands for its type
