"""Who comes in: tokens checked at the door, and sockets closed when theirs stops working."""

import asyncio
import contextlib
import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from db.access import operations
from db.access.viewer import Viewer
from db.clock import Clock
from db.errors import Unauthenticated, Unavailable
from db.session import Database

if TYPE_CHECKING:
    from uuid import UUID

RECHECK_SECONDS = 2.0
TOKEN_ENDED = 4403
_REMEMBERED_FOR = timedelta(seconds=RECHECK_SECONDS)
_MOST_REMEMBERED = 10_000
_NOBODY: tuple[Viewer | None, datetime] = (None, datetime.min.replace(tzinfo=UTC))


class Doorkeeper:
    """Knows viewers by their secrets, for a moment each, and watches the sockets they hold."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock
        self._known: dict[bytes, tuple[Viewer, datetime]] = {}
        self._sockets: dict[WebSocket, UUID] = {}

    async def admit(self, secret: str | None) -> Viewer:
        """Return the viewer behind a secret. Raises `Unauthenticated`, saying what to do."""
        if not secret:
            raise Unauthenticated(
                'This needs a token: send `Authorization: Bearer …`, or `{"token": "…"}` in connection_init. '
                "`ringside token create` makes one."
            )
        now = self._clock.now()
        key = hashlib.sha256(secret.encode("utf-8", "replace")).digest()
        viewer, until = self._known.get(key, (None, now))
        if viewer is None or until <= now:
            viewer = await self._look_up(secret, now)
            self._remember(key, viewer, now)
        return viewer

    def known(self, secret: bytes) -> Viewer | None:
        """Return the viewer behind a secret that was admitted a moment ago, `None` if it was not."""
        viewer, until = self._known.get(hashlib.sha256(secret).digest(), _NOBODY)
        return viewer if viewer is not None and until > self._clock.now() else None

    async def admit_socket(self, socket: WebSocket, parameters: Mapping[str, object] | None) -> Viewer:
        """Return the viewer of a socket by its `connection_init` payload, and watch the socket from now on."""
        viewer = await self.admit(_secret_in(parameters or {}))
        self._sockets[socket] = viewer.token_id
        return viewer

    def let_go(self, socket: WebSocket) -> None:
        """Stop watching a socket that is gone."""
        self._sockets.pop(socket, None)

    async def watch(self) -> None:
        """Close sockets whose token was revoked or has expired, within seconds of it. Runs until cancelled."""
        while True:
            await asyncio.sleep(RECHECK_SECONDS)
            await self.close_ended()

    async def close_ended(self) -> None:
        """Close the sockets whose token works no more."""
        held = set(self._sockets.values())
        if not held:
            return
        try:
            async with self._db.read() as session:
                ended = await operations.ended_tokens(session, held, now=self._clock.now())
        except Unavailable:
            # A database that is away must not be taken for a token that is.
            return
        for socket in [socket for socket, token in self._sockets.items() if token in ended]:
            self.let_go(socket)
            if socket.application_state is WebSocketState.CONNECTED:
                # Whoever left at this very moment must not keep the others from being told.
                with contextlib.suppress(WebSocketDisconnect, RuntimeError):
                    await socket.close(TOKEN_ENDED, "The token was revoked or has expired.")

    @property
    def socket_count(self) -> int:
        """How many sockets are watched."""
        return len(self._sockets)

    async def _look_up(self, secret: str, now: datetime) -> Viewer:
        async with self._db.read() as session:
            viewer, token = await operations.authenticate(session, secret, now=now)
        if operations.is_use_worth_noting(token, now):
            async with self._db.transaction() as tx:
                await operations.note_use(tx, token, now=now)
        return viewer

    def _remember(self, key: bytes, viewer: Viewer, now: datetime) -> None:
        if len(self._known) >= _MOST_REMEMBERED:
            self._known = {known: entry for known, entry in self._known.items() if entry[1] > now}
        self._known[key] = (viewer, now + _REMEMBERED_FOR)


def bearer_of(request: Request) -> str | None:
    """Return the secret in a request's `Authorization` header, `None` if there is none."""
    scheme, _, secret = request.headers.get("authorization", "").partition(" ")
    return secret.strip() if scheme.lower() == "bearer" and secret.strip() else None


def _secret_in(parameters: Mapping[str, object]) -> str | None:
    """Return the secret of a `connection_init` payload: `{"token": …}`, or a header's name and form."""
    given = parameters.get("token")
    if isinstance(given, str):
        return given
    header = parameters.get("Authorization") or parameters.get("authorization")
    scheme, _, secret = header.partition(" ") if isinstance(header, str) else ("", "", "")
    return secret.strip() if scheme.lower() == "bearer" else None
