"""How the queues of mats can be changed."""

from typing import Annotated, Any
from uuid import UUID

import strawberry
from strawberry import Maybe

from db.access.viewer import Role
from db.matches import planning
from db.matches.planning import Place
from schema.changes import change
from schema.context import Asked
from schema.ids import decode_id
from schema.inputs import given
from schema.matches.planned_types import PlannedMatch

_PLANNED = strawberry.argument(description="The planned fight.")
_BEFORE = strawberry.argument(description="The planned fight to stand before. Null: another place.")
_AFTER = strawberry.argument(description="The planned fight to stand behind. Null: another place.")


@strawberry.input(description="Somebody who is to fight. Known by name and country, and made if new.")
class PlannedAthleteInput:
    """Somebody who is to fight."""

    name: str = strawberry.field(description="The full name, as the scoring program will say it: 1 to 200 characters.")
    short_name: str | None = strawberry.field(
        default=None, description="The name for a scoreboard. Null: as it is known, or the full one."
    )
    country_code: str | None = strawberry.field(
        default=None, description="The country, by the code the scoring program will use. Null: none."
    )


@strawberry.input(description="A fight to be planned or changed. What is absent stays; null brings the default back.")
class PlannedMatchInput:
    """A fight to be planned or changed."""

    number: Maybe[str | None] = strawberry.field(
        default=None, description="The number it will be loaded under: 1 to 32 characters. A new one needs it."
    )
    phase: Maybe[str | None] = strawberry.field(
        default=None, description="Such as `Final`: at most 200 characters. Default: not said."
    )
    weight: Maybe[str | None] = strawberry.field(
        default=None, description="The weight class: at most 200 characters. Default: not said."
    )
    division: Maybe[str | None] = strawberry.field(
        default=None, description="The age group: at most 200 characters. Default: not said."
    )
    blue: Maybe[PlannedAthleteInput | None] = strawberry.field(
        default=None, description="Who is to fight as blue. Default: nobody is named."
    )
    red: Maybe[PlannedAthleteInput | None] = strawberry.field(
        default=None, description="Who is to fight as red. Default: nobody is named."
    )
    day_id: Maybe[strawberry.ID | None] = strawberry.field(
        default=None, description="The day it is planned for, of the mat's tournament. Default: none."
    )


@strawberry.type
class MatchQueueMutations:
    """How the queues of mats can be changed."""

    @change(
        PlannedMatch,
        "planned_match",
        "Put a fight into the queue of a mat: before or behind another that waits there, or last.",
        result="The planned fight.",
        demand=Role.OPERATOR,
    )
    async def match_queue_add(
        self,
        info: Asked,
        mat_id: Annotated[strawberry.ID, strawberry.argument(description="The mat.")],
        input: Annotated[PlannedMatchInput, strawberry.argument(description="The fight.")],
        before_id: Annotated[strawberry.ID | None, _BEFORE] = None,
        after_id: Annotated[strawberry.ID | None, _AFTER] = None,
    ) -> Any:
        """Put a fight into a queue."""
        decoded, place = decode_id(mat_id, kind="mat", field="mat_id"), _place(before_id, after_id)
        async with info.context.db.transaction() as tx:
            return await planning.plan_match(tx, decoded, _said(input), place, now=info.context.now())

    @change(
        PlannedMatch,
        "planned_match",
        "Change some of a fight that waits. What is not named stays.",
        result="The planned fight after the change.",
        demand=Role.OPERATOR,
    )
    async def match_queue_update(
        self,
        info: Asked,
        id: Annotated[strawberry.ID, _PLANNED],
        revision: Annotated[
            int,
            strawberry.argument(
                description="The revision you saw. If it has another by now, the change is refused: read it again."
            ),
        ],
        input: Annotated[PlannedMatchInput, strawberry.argument(description="What to change.")],
    ) -> Any:
        """Change some of a fight that waits."""
        async with info.context.db.transaction() as tx:
            return await planning.update_planned(
                tx, decode_id(id, kind="plannedmatch"), _said(input), revision=revision
            )

    @change(
        PlannedMatch,
        "planned_match",
        "Move a fight that waits: beside another, on whichever mat that waits, or last in the queue of a mat. Name one "
        "of the places; with none it goes last in its own. Those who move at once all have their way, one by one.",
        result="The planned fight after the change.",
        demand=Role.OPERATOR,
    )
    async def match_queue_move(
        self,
        info: Asked,
        id: Annotated[strawberry.ID, _PLANNED],
        mat_id: Annotated[
            strawberry.ID | None,
            strawberry.argument(description="The mat in whose queue it is to be last. Null: another place."),
        ] = None,
        before_id: Annotated[strawberry.ID | None, _BEFORE] = None,
        after_id: Annotated[strawberry.ID | None, _AFTER] = None,
    ) -> Any:
        """Move a fight that waits."""
        goal = None if mat_id is None else decode_id(mat_id, kind="mat", field="mat_id")
        moved, place = decode_id(id, kind="plannedmatch"), _place(before_id, after_id)
        async with info.context.db.transaction() as tx:
            return await planning.move_planned(tx, moved, mat_id=goal, place=place)

    @change(
        PlannedMatch,
        "planned_match",
        "Take a fight that waits out of its queue.",
        result="The planned fight as it was.",
        demand=Role.OPERATOR,
    )
    async def match_queue_remove(self, info: Asked, id: Annotated[strawberry.ID, _PLANNED]) -> Any:
        """Take a fight out of its queue."""
        async with info.context.db.transaction() as tx:
            return await planning.remove_planned(tx, decode_id(id, kind="plannedmatch"))


def _place(before_id: strawberry.ID | None, after_id: strawberry.ID | None) -> Place:
    return Place(before_id=_decoded(before_id, "before_id"), after_id=_decoded(after_id, "after_id"))


def _decoded(id: strawberry.ID | None, field: str) -> UUID | None:
    return None if id is None else decode_id(id, kind="plannedmatch", field=field)


def _said(input: PlannedMatchInput) -> dict[str, Any]:
    """Return what an input says, in the words of `db`."""
    said = given(input)
    for side in ("blue", "red"):
        if said.get(side) is not None:
            athlete = said[side]
            said[side] = {name: getattr(athlete, name) for name in ("name", "short_name", "country_code")}
    if "day_id" in said:
        day_id = said.pop("day_id")
        day = None if day_id is None else decode_id(day_id, kind="tournamentday", field="day_id")
        said["tournament_day_id"] = day
    return said
