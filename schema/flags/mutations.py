"""How flags can be changed: by those who run the event."""

from dataclasses import asdict
from typing import Annotated, Any

import strawberry

from db.access.viewer import Role
from db.flags import operations
from db.flags.scanning import Scan, scan_configured
from schema.changes import change, change_one, changed
from schema.context import Asked
from schema.errors import RefusalsAsData, UserError
from schema.fields import Demand, value
from schema.flags.types import Flag, FlagMapping
from schema.ids import decode_id

_MOST_TOLD = 100


@strawberry.input(description="A code that a scoring program writes.")
class FlagMappingInput:
    """A code that a scoring program writes."""

    pss_code: str = strawberry.field(description="The code: 2 to 8 letters and digits, no two alike.")
    ioc_code: str = strawberry.field(description="The code whose flag is shown for it.")
    country_name: str = strawberry.field(description="Whose it is: 1 to 200 characters.")


@value
class RefusedFlag:
    """A file that was not taken."""

    file_name: str = strawberry.field(description="Its name.")
    reason: str = strawberry.field(description="Why not.")


@value
class FlagScan:
    """What came of looking through the folder of flags."""

    file_count: int = strawberry.field(description="Images that lie there.")
    added_count: int = strawberry.field(description="Those that are new.")
    changed_count: int = strawberry.field(description="Those that are other images than before.")
    unchanged_count: int = strawberry.field(description="Those that are as they were.")
    recognized_count: int = strawberry.field(description="Those of which it is known whose flag they show.")
    unrecognized: list[str] = strawberry.field(description="The first 100 names of those of which it is not.")
    refused: list[RefusedFlag] = strawberry.field(description="The first 100 that were not taken.")


@strawberry.type(description="What came of it.")
class FlagsScanPayload:
    """What came of `flagsScan`."""

    scan: FlagScan | None = strawberry.field(description="What was found. Null if it was refused.")
    errors: list[UserError] = strawberry.field(description="Why it was refused. Empty if it was not.")


@strawberry.type
class FlagMutations:
    """How flags can be changed."""

    @strawberry.mutation(
        description=(
            "Look through the folder that the server was told of in RINGSIDE_FLAGS_DIRECTORY, store its images, and "
            "recognise each by its file's name. What somebody said by hand stays so."
        ),
        extensions=[RefusalsAsData(), Demand(Role.OPERATOR)],
    )
    async def flags_scan(self, info: Asked) -> FlagsScanPayload:
        """Look through the folder."""
        context = info.context
        return FlagsScanPayload(
            scan=_shown(await scan_configured(context.db, context.flags, now=context.now())), errors=[]
        )

    @change(Flag, "flag", "Say whose flag an image shows.", result="The flag.", demand=Role.OPERATOR)
    async def flag_recognize(
        self,
        info: Asked,
        id: Annotated[strawberry.ID, strawberry.argument(description="The image.")],
        code: Annotated[str, strawberry.argument(description="Whose it is: a code that is known.")],
    ) -> Any:
        """Say whose it is."""
        return await changed(info, operations.recognize_flag, decode_id(id, kind="flag"), code)

    flag_delete = change_one(
        "flag_delete",
        "Remove an image with its history. The surest of the others of the same country is shown instead. A scan finds "
        "it again if its file is still there.",
        operations.delete_flag,
        of=Flag,
        name="flag",
        kind="flag",
        argument="The image.",
        result="The flag as it was.",
        demand=Role.OPERATOR,
    )

    @change(
        FlagMapping,
        "mapping",
        "Add a code that a scoring program writes, and say whose flag is shown for it.",
        result="The code.",
        demand=Role.OPERATOR,
    )
    async def flag_mapping_create(
        self, info: Asked, input: Annotated[FlagMappingInput, strawberry.argument(description="The code.")]
    ) -> Any:
        """Add a code."""
        most = info.context.flags.most_codes
        return await changed(info, operations.create_mapping, most=most, **asdict(input))

    flag_mapping_delete = change_one(
        "flag_mapping_delete",
        "Remove a code that was added here.",
        operations.delete_mapping,
        of=FlagMapping,
        name="mapping",
        kind="flagmapping",
        argument="The code.",
        result="The code as it was.",
        demand=Role.OPERATOR,
    )


def _shown(scan: Scan) -> FlagScan:
    return FlagScan(
        file_count=scan.files,
        added_count=scan.added,
        changed_count=scan.changed,
        unchanged_count=scan.unchanged,
        recognized_count=scan.recognized,
        unrecognized=scan.unrecognized[:_MOST_TOLD],
        refused=[RefusedFlag(file_name=one.file_name, reason=one.reason) for one in scan.refused[:_MOST_TOLD]],
    )
