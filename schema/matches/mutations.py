"""How mats can be laid and named."""

from typing import Annotated, Any

import strawberry

from db.access.viewer import Role
from db.matches import operations, tournaments
from schema.changes import change
from schema.context import Asked
from schema.ids import decode_id
from schema.matches.types import Mat


@strawberry.input(description="A mat to be laid.")
class MatInput:
    """A mat to be laid."""

    name: str = strawberry.field(description="What it is called: 1 to 200 characters, no two alike in a tournament.")
    tournament_id: strawberry.ID | None = strawberry.field(
        default=None, description="The tournament it belongs to. Null: to none."
    )


@strawberry.type
class MatchMutations:
    """How mats can be laid and named."""

    @change(Mat, "mat", "Lay a mat.", result="The mat.", demand=Role.OPERATOR)
    async def mat_create(
        self, info: Asked, input: Annotated[MatInput, strawberry.argument(description="The mat.")]
    ) -> Any:
        """Lay a mat."""
        named = input.tournament_id
        tournament_id = None if named is None else decode_id(named, kind="tournament", field="tournament_id")
        async with info.context.db.transaction() as tx:
            return await operations.create_mat(tx, name=input.name, tournament_id=tournament_id, now=info.context.now())

    @change(
        Mat,
        "mat",
        "Let a mat belong to a tournament from now on, or to none. Fights that were loaded on it before stay where "
        "they are; what is planned on it is planned for no day any more.",
        result="The mat after the change.",
        demand=Role.OPERATOR,
    )
    async def mat_assign(
        self,
        info: Asked,
        id: Annotated[strawberry.ID, strawberry.argument(description="The mat.")],
        tournament_id: Annotated[
            strawberry.ID | None, strawberry.argument(description="The tournament. Null: none.")
        ] = None,
    ) -> Any:
        """Let a mat belong to a tournament."""
        named = None if tournament_id is None else decode_id(tournament_id, kind="tournament", field="tournament_id")
        async with info.context.db.transaction() as tx:
            return await tournaments.assign_mat(tx, decode_id(id, kind="mat"), named)

    @change(Mat, "mat", "Give a mat another name.", result="The mat after the change.", demand=Role.OPERATOR)
    async def mat_rename(
        self,
        info: Asked,
        id: Annotated[strawberry.ID, strawberry.argument(description="The mat.")],
        name: Annotated[
            str, strawberry.argument(description="Its new name: 1 to 200 characters, free in its tournament.")
        ],
    ) -> Any:
        """Give a mat another name."""
        async with info.context.db.transaction() as tx:
            return await operations.rename_mat(tx, decode_id(id, kind="mat"), name=name)
