"""Admitting requests: whose they are, or how they are turned away."""

from starlette.requests import Request

from api.auth import Doorkeeper, TooManyWrongTokens, address_of, bearer_of
from api.transport.answers import Fault
from db.access.viewer import Viewer
from db.errors import Refusal, Unauthenticated


async def admit(doorkeeper: Doorkeeper, request: Request) -> Viewer:
    """Return whose request it is. Raises `Fault`: nobody comes in without a token, which stands in a header."""
    try:
        return await doorkeeper.admit(bearer_of(request), address_of(request))
    except Unauthenticated as refusal:
        raise Fault(
            status=401, code=refusal.code, message=refusal.message, headers={"WWW-Authenticate": "Bearer"}
        ) from None
    except TooManyWrongTokens as refusal:
        raise Fault(status=429, code=refusal.code, message=refusal.message, headers={"Retry-After": "60"}) from None
    except Refusal as refusal:
        raise Fault(status=503, code=refusal.code, message=refusal.message, headers={"Retry-After": "1"}) from None
