"""The types of housekeeping: what a database holds, and what was let go."""

import strawberry

from schema.fields import value


@value
class TableStatus:
    """A table of the database."""

    name: str = strawberry.field(description="The table.")
    row_count: float | None = strawberry.field(
        description=(
            "How many rows it has: a whole number. On PostgreSQL as it last estimated. Null if it never looked at it, "
            "or if the table is not there yet."
        )
    )


@value
class PendingMigration:
    """A step that the tables have yet to take."""

    revision: str = strawberry.field(description="The revision that it leads to.")
    title: str = strawberry.field(description="What it brings.")


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
    pending_migrations: list[PendingMigration] = strawberry.field(
        description="What `ringside migrate up` would still do to the tables, the first first. Empty if they are as "
        "the server needs them."
    )


@value
class CheckedPart:
    """Something of the database that was looked at."""

    name: str = strawberry.field(description="What it is, and what to do if it could not be looked at.")
    count: float = strawberry.field(description="How many of it there are: a whole number. 0 if it was not looked at.")
    is_checked: bool = strawberry.field(description="Whether it was looked at.")


@value
class DatabaseCheck:
    """What came of looking a database over."""

    is_sound: bool = strawberry.field(description="Whether nothing is wrong with what was looked at.")
    parts: list[CheckedPart] = strawberry.field(description="What was looked at, and what could not be.")
    wrong: list[str] = strawberry.field(description="What is wrong, a hundred things at most. Empty if nothing is.")


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
