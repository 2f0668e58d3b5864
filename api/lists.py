"""What the doors of exports and imports have in common: who comes in, what a file is called, how a refusal is told."""

from collections.abc import Collection, Mapping

from starlette.requests import Request

from api.auth import Doorkeeper
from api.export_formats import ExportFormat
from api.transport.admitting import admit
from api.transport.answers import Fault
from api.transport.graphql import GraphQLDoor
from db.errors import Forbidden, Invalid, NotFound, Refusal, Unavailable
from schema.context import Context

_STATUSES: Mapping[type[Refusal], int] = {Forbidden: 403, Invalid: 400, NotFound: 404, Unavailable: 503}


async def admitted(door: GraphQLDoor, doorkeeper: Doorkeeper, request: Request) -> Context:
    """Return the context of a request, counted among its token's operations. Raises `Fault`."""
    context = door.context_of(await admit(doorkeeper, request))
    unwelcome = door.count(context)
    if unwelcome is not None:
        raise too_many(unwelcome.message, (unwelcome.extensions or {}).get("retryAfterSeconds", 1))
    return context


def file_of(name: str, door: str) -> tuple[str, ExportFormat]:
    """Return the list and the format that the name of a file at a door says. Raises `NotFound`."""
    kind, _, ending = name.rpartition(".")
    if ending not in set(ExportFormat):
        example = f"/{door.lower()[:-1]}/athletes.csv"
        raise NotFound(f"{door} end with .csv or .jsonl, as {example} does; {name[:80]!r} does not.")
    return kind, ExportFormat(ending)


def check_parameters(request: Request, known: Collection[str], door: str) -> None:
    """See that a request says nothing that a door does not know. Raises `Invalid`."""
    strange = sorted(set(request.query_params) - set(known))
    if strange:
        raise Invalid(f"{door} knows no {strange[0][:40]!r}: {', '.join(sorted(known))}.", field=None)


def fault_of(refusal: Refusal) -> Fault:
    """Return how a door tells of a refusal."""
    return Fault(status=_STATUSES.get(type(refusal), 400), code=refusal.code, message=refusal.message)


def too_many(message: str, seconds: int = 10) -> Fault:
    """Return how a door tells of what may be done later."""
    return Fault(status=429, code="RATE_LIMITED", message=message, headers={"Retry-After": str(seconds)})
