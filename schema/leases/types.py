"""The types of leases: which server does a piece of background work."""

from datetime import datetime

import strawberry

from schema.fields import value


@value
class Lease:
    """The right to do a piece of background work, which one server of a database has at a time."""

    name: str = strawberry.field(description="The work, as health names it.")
    holder: str | None = strawberry.field(
        description="The machine and the process of the server that does it. Null while nobody does."
    )
    taken_at: datetime | None = strawberry.field(description="Since when it does. Null while nobody does.")
    expires_at: datetime | None = strawberry.field(
        description="Until when no other may take it over, unless it says so anew. Null while nobody does it."
    )
    is_over: bool = strawberry.field(
        description="Whether that time has gone by, by the database's clock: whoever did it has not been heard of."
    )
    fence: float = strawberry.field(description="How often it was taken: a whole number.")
