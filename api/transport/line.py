"""A WebSocket as uvicorn holds it, which can be written to at once, says when it is full, and is let go if it is stuck.

ASGI knows but `await send(…)`, which waits for as long as a client does not read. Whoever tells a thousand clients
cannot wait for one of them, and need not frame the same text a thousand times.
"""

import asyncio
import socket
from typing import TYPE_CHECKING, Any, cast

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.http11 import Request

if TYPE_CHECKING:
    from collections.abc import Callable

# Where a socket's scope holds its line.
LINE = "ringside.line"
# Bytes that may wait to be sent before a line is full, and those that the system may hold beside them.
FULL_AT = 32 * 1024
_SYSTEM_BUFFER = 64 * 1024
STUCK_SECONDS = 30.0
STUCK = 4440
# How long a close may take before the connection is cut.
_CLOSING_SECONDS = 2.0
_LONGEST_REASON = 123


class Impatient(asyncio.Protocol):
    """A connection whose client is let go if he does not read what is sent to him for too long."""

    loop: asyncio.AbstractEventLoop
    transport: asyncio.Transport
    _stuck_timer: asyncio.TimerHandle | None = None

    def let_go(self) -> None:
        """Let him go."""
        self.transport.abort()

    def hold_little(self) -> None:
        """Hold little for a client that does not read, here and in the system."""
        self.transport.set_write_buffer_limits(high=FULL_AT)
        connection = self.transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SYSTEM_BUFFER)

    def pause_writing(self) -> None:
        """What is sent is not read: give the client a while."""
        super().pause_writing()
        if self._stuck_timer is None:
            self._stuck_timer = self.loop.call_later(STUCK_SECONDS, self._lose_patience)

    def resume_writing(self) -> None:
        """He reads again."""
        super().resume_writing()
        self._forget_stuck()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nobody is there any more."""
        self._forget_stuck()
        super().connection_lost(exc)

    def _lose_patience(self) -> None:
        self._stuck_timer = None
        self.let_go()

    def _forget_stuck(self) -> None:
        if self._stuck_timer is not None:
            self._stuck_timer.cancel()
            self._stuck_timer = None


class Line(Impatient, WebSocketsSansIOProtocol):
    """One socket's line. `on_room` is called when a line that was full is not any more."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self.on_room: Callable[[], None] | None = None
        # Whether the client does not take what was sent.
        self.is_full = False

    def say(self, text: bytes) -> None:
        """Send a text in one frame, at once."""
        self.send_frame(frame_of(text))

    def send_frame(self, frame: bytes) -> None:
        """Send a frame, at once. What is sent on a line that is closing is not heard."""
        if not self.close_sent and not self.transport.is_closing():
            self.transport.write(frame)

    def forget_handshake(self) -> None:
        """Let go of what was only needed to open the socket."""
        del self.request, self.response
        self.scope["headers"] = []

    def hang_up(self, code: int, reason: str) -> None:
        """Close with a code and a reason, and cut the connection if the client does not answer soon."""
        if self.close_sent or self.disconnected or not self.handshake_complete:
            return
        reason = _shortened(reason)
        self.queue.put_nowait({"type": "websocket.disconnect", "code": code, "reason": reason})
        self.conn.send_close(code, reason)
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        if self.read_paused:
            self.read_paused = False
            self.transport.resume_reading()
        self.close_timer = self.loop.call_later(_CLOSING_SECONDS, self.transport.abort)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Hold little for a client that does not read."""
        super().connection_made(transport)
        self.hold_little()

    def handle_connect(self, event: Request) -> None:
        """Let the application have the line."""
        super().handle_connect(event)
        if self.response.status_code == 101:  # noqa: PLR2004 -- Switching Protocols
            cast("dict[str, Any]", self.scope["extensions"])[LINE] = self

    def pause_writing(self) -> None:
        """The line is full: give the client a while."""
        super().pause_writing()
        self.is_full = True

    def resume_writing(self) -> None:
        """There is room again."""
        super().resume_writing()
        self.is_full = False
        if self.on_room is not None:
            self.on_room()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nobody is there any more, and nobody has to wait."""
        self.is_full = False
        super().connection_lost(exc)
        # Leave no circle behind, which would wait for the collector: the scope holds us, the parser its connection.
        self.scope["extensions"].clear()
        self.conn.parser.close()

    def shutdown(self) -> None:
        """Say 1012 because the server stops, and cut the connection of whoever does not take it."""
        super().shutdown()
        self.loop.call_later(_CLOSING_SECONDS, self.transport.abort)

    def let_go(self) -> None:
        """Tell a client why, who may read it at last, and cut the connection."""
        self.hang_up(STUCK, f"What is sent to you was not read for {STUCK_SECONDS:.0f} seconds.")


def frame_of(*parts: bytes) -> bytes:
    """Return a text as the frame a server sends, whole and unmasked."""
    size = sum(map(len, parts))
    if size < 126:  # noqa: PLR2004 -- RFC 6455, 5.2
        return b"".join((bytes((0x81, size)), *parts))
    if size < 65_536:  # noqa: PLR2004 -- as above
        return b"".join((b"\x81\x7e", size.to_bytes(2), *parts))
    return b"".join((b"\x81\x7f", size.to_bytes(8), *parts))


def _shortened(reason: str) -> str:
    """Return as many sentences as a close has room for. The rest stands in the documentation."""
    while len(reason.encode()) > _LONGEST_REASON:
        reason = reason[: reason.rstrip(".").rindex(". ") + 1] if ". " in reason.rstrip(".") else reason[:60]
    return reason
