"""Files of goals, taken in and given out over the graph."""

from typing import Annotated

import strawberry

from db.access.viewer import Role
from db.practice.document import Refused
from db.practice.importing import export_goals, import_goals
from db.practice.templates import zone_of
from schema.changes import changed
from schema.context import Asked
from schema.errors import RefusalsAsData, UserError
from schema.fields import Demand, value

# What somebody's goals and sessions are taken to be before they are read.
_ROWS_OF_A_FILE = 1000


@value
class GoalImportRemark:
    """Something about a node of a file."""

    place: str = strawberry.field(
        description="Where it stands: `2.1` is the first under the second. Empty for the whole file."
    )
    uuid: str = strawberry.field(description="Its id in the file. Empty if it has none.")
    reason: str = strawberry.field(description="What is to be said of it.")


@value
class GoalImportReport:
    """What became of a file."""

    made: int = strawberry.field(description="How many goals and sessions were new.")
    merged: int = strawberry.field(description="How many were there, and changed.")
    unchanged: int = strawberry.field(description="How many were there as the file has them.")
    linked: int = strawberry.field(description="How many times a session came to be for a goal.")
    refused: list[GoalImportRemark] = strawberry.field(
        description="What cannot be taken in, and why not. With any of it nothing was stored. A thousand at most."
    )
    dangling: list[GoalImportRemark] = strawberry.field(
        description="Parents that are nowhere. The session stands without them. A thousand at most."
    )


@strawberry.type(description="What came of it.")
class GoalsImportPayload:
    """What came of `goalsImport`."""

    report: GoalImportReport | None = strawberry.field(
        description="What became of the file, also where it was not stored. Null if nobody looked at it."
    )
    errors: list[UserError] = strawberry.field(description="Why nobody looked at it. Empty if somebody did.")


@strawberry.type
class GoalTransferMutations:
    """Files of goals, taken in."""

    @strawberry.mutation(
        description=(
            "Take in a file of goals as `goalsExport` gives it, merged by id with what is there: all of it, or with "
            "anything wrong nothing. The same file again changes nothing. `ringside import goals` takes larger ones."
        ),
        extensions=[RefusalsAsData(), Demand(Role.MEMBER, rows=_ROWS_OF_A_FILE)],
    )
    async def goals_import(
        self,
        info: Asked,
        document: Annotated[str, strawberry.argument(description="The file: a list of trees, as JSON.")],
        is_dry_run: Annotated[  # noqa: FBT002 -- GraphQL's arguments have names
            bool, strawberry.argument(description="Whether to look at it and store nothing.")
        ] = False,
    ) -> GoalsImportPayload:
        """Take in a file."""
        owner_id = info.context.viewer.user_id
        found = await changed(info, import_goals, document, owner_id=owner_id, is_dry_run=is_dry_run)
        report = GoalImportReport(
            made=found.made,
            merged=found.merged,
            unchanged=found.unchanged,
            linked=found.linked,
            refused=_shown(found.refused),
            dangling=_shown(found.dangling),
        )
        return GoalsImportPayload(report=report, errors=[])


@strawberry.type
class GoalTransferQueries:
    """Files of goals, given out."""

    @strawberry.field(
        description="All your goals and sessions as a file, which `goalsImport` takes. A session stands in it under "
        "each goal that it is for. Each of them is a row that is read: `ringside export goals` gives out what is too "
        "much for an operation.",
        extensions=[Demand(None, rows=_ROWS_OF_A_FILE)],
    )
    async def goals_export(self, info: Asked) -> str:
        """Give out a file."""
        viewer, note = info.context.viewer, info.context.rows.note
        async with info.context.db.read() as session:
            zone = await zone_of(session, viewer.user_id)
            file = await export_goals(session, owner_id=viewer.user_id, zone=zone, viewer=viewer, note=note)
        return file.decode()


def _shown(remarks: list[Refused]) -> list[GoalImportRemark]:
    return [GoalImportRemark(place=one.place, uuid=one.node_id, reason=one.reason) for one in remarks]
