"""The types of housekeeping: what a database holds, and what was let go."""

import strawberry

from schema.fields import value


@value
class TableStatus:
    """A table of the database."""

    name: str = strawberry.field(description="The table.")
    row_count: float | None = strawberry.field(
        description=(
            "How many rows it has: a whole number. On PostgreSQL as it last estimated; null if it never looked at it."
        )
    )


@value
class DatabaseStatus:
    """What the database holds."""

    engine: str = strawberry.field(description="`sqlite` or `postgresql`.")
    version: str = strawberry.field(description="Which of it.")
    revision: str = strawberry.field(description="The revision of the tables, which is the one that the server needs.")
    size: float = strawberry.field(description="How many bytes it has: a whole number.")
    log_size: float = strawberry.field(
        description="How many bytes its log of changes has beside that: a whole number. 0 on PostgreSQL."
    )
    tables: list[TableStatus] = strawberry.field(description="All its tables, by name.")


@value
class RetiredTable:
    """What was let go of a table, or would be."""

    name: str = strawberry.field(description="What it is, as keys of settings name it.")
    row_count: int = strawberry.field(description="How many rows.")
    file: str = strawberry.field(description="The file at the backups' target that they are in. Empty if in none.")


@value
class Housekeeping:
    """What was let go, or would be."""

    is_dry_run: bool = strawberry.field(description="Whether nothing was changed.")
    tables: list[RetiredTable] = strawberry.field(description="Everything that grows and may be let go of.")
