"""Other sites: which of them may read what is answered here, told as browsers ask for it, and nothing to the rest."""

from collections.abc import Collection

from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from api.transport.answers import Fault, refused

# What programs of other sites send and read beside what every page may.
_SENT = ["Authorization", "Content-Type", "Last-Event-ID", "X-Requested-With"]
_READ = ["Retry-After", "X-Ringside-Path"]
_REMEMBERED_SECONDS = 600
_CHANGING_NOTHING = {"GET", "HEAD", "OPTIONS"}
_NOT_FROM_THERE = Fault(
    status=403,
    code="FORBIDDEN",
    message="A page of another site has sent this. RINGSIDE_ALLOWED_ORIGINS names the sites that may.",
)


class Origins:
    """Lets pages of the sites that are named read and send, word for word as they are named; all others get nothing."""

    def __init__(self, app: ASGIApp, origins: Collection[str]) -> None:
        self._app = app
        self._origins = frozenset(origin.encode("latin-1", "replace") for origin in origins if origin != "null")
        self._named = CORSMiddleware(
            app,
            allow_origins=list(origins),
            allow_methods=["GET", "POST"],
            allow_headers=_SENT,
            expose_headers=_READ,
            max_age=_REMEMBERED_SECONDS,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a page that may ask; hand on what comes from no page of another site."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        if headers.get(b"origin") in self._origins:
            await self._named(scope, receive, send)
        elif headers.get(b"sec-fetch-site") == b"cross-site" and scope["method"] not in _CHANGING_NOTHING:
            # Tokens stand in headers, which no page of another site can send unasked: this is a second line.
            await refused(_NOT_FROM_THERE)(scope, receive, send)
        else:
            await self._app(scope, receive, send)
