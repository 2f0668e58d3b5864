"""Who comes in: tokens checked at the door, and sockets closed when theirs stops working or opens something else."""

import asyncio
import hashlib
import math
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Protocol

from starlette.requests import Request

from api.collector import Collector
from api.transport.buckets import Buckets
from db.access import operations
from db.access.viewer import Viewer
from db.clock import Clock
from db.database import Database
from db.errors import Refusal, Unauthenticated, Unavailable

if TYPE_CHECKING:
    from uuid import UUID

RECHECK_SECONDS = 2.0
TOKEN_ENDED = 4403
_BETWEEN_FAREWELLS_SECONDS = 0.05
_REMEMBERED_FOR = timedelta(seconds=RECHECK_SECONDS)
_MOST_REMEMBERED = 10_000
_NOBODY: tuple[Viewer | None, datetime] = (None, datetime.min.replace(tzinfo=UTC))


class Guest(Protocol):
    """Whoever stays: a socket, or a stream of events."""

    @property
    def is_answering(self) -> bool:
        """Whether an answer to him is under way: to a question or a change, which ends by itself."""
        ...

    def dismiss(self, reason: str) -> None:
        """Be told that the token works no more, and go."""
        ...

    def turn_away(self, reason: str) -> None:
        """Be told that the token opens something else by now, and go: whoever comes back is somebody new."""
        ...

    def cut(self) -> None:
        """Go, because the server stops."""
        ...


class TooManyWrongTokens(Refusal):
    """From an address came so many tokens that are none that another is not looked up."""

    code = "RATE_LIMITED"


class TooManyGuests(Refusal):
    """There are as many as there may be."""

    code = "RATE_LIMITED"


@dataclass(frozen=True, kw_only=True, slots=True)
class GuestLimits:
    """How many sockets and streams may be open at once."""

    per_address: int = 50
    per_token: int = 20
    per_overlay: int = 5
    # Of one address, not guests but tokens that are none.
    wrong_tokens_per_minute: int = 10


class Doorkeeper:
    """Knows viewers by their secrets, for a moment each, and watches the guests: whoever holds a socket or stream."""

    def __init__(
        self, db: Database, clock: Clock, limits: GuestLimits | None = None, collector: Collector | None = None
    ) -> None:
        self._db = db
        self._clock = clock
        self._limits = limits or GuestLimits()
        self._collector = collector or Collector()
        self._known: dict[bytes, tuple[Viewer, datetime]] = {}
        most = self._limits.wrong_tokens_per_minute
        self._wrong = Buckets(most=most, per_second=most / 60)
        # How many there were, from anywhere.
        self.wrong_tokens = 0
        self._guests: dict[Guest, Viewer] = {}
        self._by_token: Counter[UUID] = Counter()
        self._by_address: Counter[str] = Counter()

    async def admit(self, secret: str | None, address: str = "") -> Viewer:
        """Return the viewer behind a secret. Raises `Unauthenticated`, saying what to do, and `TooManyWrongTokens`."""
        if not secret:
            raise Unauthenticated(
                'This needs a token: send `Authorization: Bearer …`, or `{"token": "…"}` in connection_init. '
                "`ringside token create` makes one."
            )
        now = self._clock.now()
        key = hashlib.sha256(secret.encode("utf-8", "replace")).digest()
        viewer, known_at = self._known.get(key, (None, now))
        if viewer is None or not _is_fresh(known_at, now):
            # Whoever was admitted before has not guessed.
            if viewer is None and self._wrong.left(address, now.timestamp()) < 1:
                raise TooManyWrongTokens("Too many tokens that are none came from this address. Try again in a minute.")
            try:
                viewer = await self._look_up(secret, now)
            except Unauthenticated:
                self._note_wrong(key, address, now)
                raise
            self._remember(key, viewer, now)
        return viewer

    def known(self, secret: bytes) -> Viewer | None:
        """Return the viewer behind a secret that was admitted a moment ago, `None` if it was not."""
        viewer, known_at = self._known.get(hashlib.sha256(secret).digest(), _NOBODY)
        return viewer if viewer is not None and _is_fresh(known_at, self._clock.now()) else None

    def let_in(self, address: str) -> bool:
        """Count a guest from an address, before he has introduced himself; False if there are too many from there."""
        if self._by_address[address] >= self._limits.per_address:
            return False
        self._by_address[address] += 1
        return True

    def let_out(self, address: str) -> None:
        """Count a guest less from an address."""
        _less(self._by_address, address)

    async def admit_guest(self, guest: Guest, parameters: Mapping[str, object], address: str) -> Viewer:
        """Return the viewer of a socket by its `connection_init` payload, and watch the socket from now on."""
        viewer = await self.admit(_secret_in(parameters), address)
        self.hold(guest, viewer)
        return viewer

    def hold(self, guest: Guest, viewer: Viewer) -> None:
        """Watch a guest from now on. Raises `TooManyGuests`."""
        most = self._limits.per_overlay if viewer.is_overlay else self._limits.per_token
        if self._by_token[viewer.token_id] >= most:
            raise TooManyGuests(f"This token holds {most} sockets already, which is as many as it may.")
        self._guests[guest] = viewer
        self._by_token[viewer.token_id] += 1
        self._collector.note_arrival(len(self._guests))

    def let_go(self, guest: Guest) -> None:
        """Stop watching a guest who is gone."""
        viewer = self._guests.pop(guest, None)
        if viewer is not None:
            _less(self._by_token, viewer.token_id)

    async def watch(self) -> None:
        """Close sockets whose token has ended or opens something else, within seconds of it. Runs until cancelled."""
        while True:
            await asyncio.sleep(RECHECK_SECONDS)
            self._wrong.forget(self._clock.now().timestamp())
            await self.look_again()

    async def look_again(self) -> None:
        """Close the sockets whose token works no more, or whose viewer is not any more what he was."""
        held = {viewer.token_id for viewer in self._guests.values()}
        if not held:
            return
        try:
            async with self._db.read() as session:
                found = await operations.viewers_of(session, held, now=self._clock.now())
        except Unavailable:
            # A database that is away must not be taken for a token that is.
            return
        # Who came while this was read is looked at the next time.
        changed = {
            guest: viewer
            for guest, viewer in self._guests.items()
            if viewer.token_id in held and found.get(viewer.token_id) != viewer
        }
        self._forget({viewer.token_id for viewer in changed.values()})
        for guest, viewer in changed.items():
            self.let_go(guest)
            if viewer.token_id in found:
                guest.turn_away("What this token may do has changed: connect again.")
            else:
                guest.dismiss("The token was revoked or has expired.")

    async def close(self, *, per_second: float, seconds: float) -> None:
        """Let all guests go, because the server stops: so many in a second, or more if that takes too many `seconds`.

        Whoever is being answered goes when he has his answer, and this returns when there is nobody like that.
        """
        guests = list(self._guests)
        pace = max(per_second, len(guests) / max(seconds, _BETWEEN_FAREWELLS_SECONDS))
        at_once = max(1, math.ceil(pace * _BETWEEN_FAREWELLS_SECONDS))
        for place in range(0, len(guests), at_once):
            for guest in guests[place : place + at_once]:
                if guest in self._guests:
                    guest.cut()
            if place + at_once < len(guests):
                await asyncio.sleep(_BETWEEN_FAREWELLS_SECONDS)
        for guest in self._guests.keys() - guests:
            guest.cut()
        while any(guest.is_answering for guest in self._guests):  # noqa: ASYNC110 -- it ends in many ways
            await asyncio.sleep(_BETWEEN_FAREWELLS_SECONDS)

    def facts(self) -> dict[str, object]:
        """Say what health shows."""
        return {"sockets": self.socket_count, "wrongTokens": self.wrong_tokens}

    @property
    def socket_count(self) -> int:
        """How many sockets and streams are watched."""
        return len(self._guests)

    def _note_wrong(self, key: bytes, address: str, now: datetime) -> None:
        self.wrong_tokens += 1
        self._known.pop(key, None)
        self._wrong.take(address, now.timestamp())

    async def _look_up(self, secret: str, now: datetime) -> Viewer:
        async with self._db.read() as session:
            viewer, token = await operations.authenticate(session, secret, now=now)
        if operations.is_use_worth_noting(token, now):
            async with self._db.transaction() as tx:
                await operations.note_use(tx, token, now=now)
        return viewer

    def _forget(self, token_ids: Collection["UUID"]) -> None:
        """Look tokens up anew: who comes back at once must not be taken for who he was."""
        if token_ids:
            self._known = {key: entry for key, entry in self._known.items() if entry[0].token_id not in token_ids}

    def _remember(self, key: bytes, viewer: Viewer, now: datetime) -> None:
        if len(self._known) >= _MOST_REMEMBERED:
            self._known = {known: entry for known, entry in self._known.items() if _is_fresh(entry[1], now)}
        self._known[key] = (viewer, now)


def _is_fresh(known_at: datetime, now: datetime) -> bool:
    """Say whether what was known then still holds; not if the clock was set back, or it would hold for that long."""
    return known_at <= now < known_at + _REMEMBERED_FOR


def _less(counter: Counter[Any], key: Any) -> None:
    counter[key] -= 1
    if counter[key] <= 0:
        del counter[key]


def address_of(request: Request) -> str:
    """Return the address that a request comes from; nothing where there is no network between."""
    return request.client.host if request.client is not None else ""


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
