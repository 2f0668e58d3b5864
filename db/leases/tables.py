"""What is stored of leases: which work there is for one server alone, and who does it until when."""

from sqlalchemy import BigInteger, UniqueConstraint

from db.base import UUID, Field, Stored, datetime


class Lease(Stored, table=True):
    """The right to do a piece of background work. Nobody holds it while `holder_id` is null."""

    __tablename__ = "leases"
    # The second makes the fence a part of a key, so that on PostgreSQL taking a lease waits for whoever commits under
    # it (`FOR KEY SHARE`), and renewing it does not.
    __table_args__ = (UniqueConstraint("name"), UniqueConstraint("name", "fence"))

    name: str
    # One run of one server, the name of its machine, its process there, and that machine until it is started again.
    holder_id: UUID | None = None
    host: str = ""
    process: int = 0
    machine: str = ""
    # Raised by one whenever somebody takes it.
    fence: int = Field(default=0, sa_type=BigInteger)
    taken_at: datetime | None = None
    until: datetime | None = None
