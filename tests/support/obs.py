"""An OBS of our own: a real WebSocket server on this machine that speaks obs-websocket 5, and misbehaves as told."""

import base64
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import orjson
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from tests.support.house import eventually

SALT, CHALLENGE = "c2FsdA==", "Y2hhbGxlbmdl"
_STATE = "OBS_WEBSOCKET_OUTPUT_"


def proof(password: str) -> str:
    """What proves a password, written after the protocol's own description."""
    secret = base64.b64encode(hashlib.sha256((password + SALT).encode()).digest()).decode()
    return base64.b64encode(hashlib.sha256((secret + CHALLENGE).encode()).digest()).decode()


@dataclass
class OBS:
    """Records, pauses and saves as it is asked, and keeps account of who asked for what."""

    password: str | None = "opensesame"  # noqa: S105 -- a test's
    port: int = 0
    # What is refused, by the name of the request: a code and a comment.
    refuses: dict[str, tuple[int, str]] = field(default_factory=dict)
    # Whether it says so when a replay is written, and an output has stopped; otherwise `finish` does.
    is_slow: bool = False
    has_replay_buffer: bool = True
    is_recording: bool = False
    is_paused: bool = False
    duration_ms: int = 0
    requests: list[str] = field(default_factory=list)
    callers: int = 0
    most_at_once: int = 0
    _files: int = 0
    _unwritten: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    _open: set[ServerConnection] = field(default_factory=set)

    @property
    def is_connected(self) -> bool:
        return bool(self._open)

    def asked(self, kind: str) -> int:
        return self.requests.count(kind)

    # What somebody does at the OBS itself

    async def record(self, *, is_on: bool) -> None:
        await (self._start() if is_on else self._stop())

    async def pause(self, *, is_on: bool) -> None:
        self.is_paused = is_on
        await self._changed("PAUSED" if is_on else "RESUMED")

    async def save(self) -> None:
        self._files += 1
        await self._written("ReplayBufferSaved", {"savedReplayPath": f"/replays/{self._files}.mkv"})

    async def finish(self) -> None:
        """Say what was kept back."""
        told, self._unwritten = self._unwritten, []
        for name, data in told:
            await self.tell(name, data)

    async def cut(self) -> None:
        """Let everybody go without a word, as a machine does that loses power."""
        for connection in list(self._open):
            connection.transport.abort()
        await eventually(lambda: not self._open, "the cut")

    async def tell(self, name: str, data: dict[str, Any]) -> None:
        await self.say({"op": 5, "d": {"eventType": name, "eventIntent": 64, "eventData": data}})

    async def say(self, message: object) -> None:
        for connection in list(self._open):
            await connection.send(message if isinstance(message, str) else orjson.dumps(message).decode())

    # What it does when it is asked

    async def answer(self, connection: ServerConnection) -> None:
        self.callers += 1
        hello: dict[str, Any] = {"obsWebSocketVersion": "5.5.0", "rpcVersion": 1}
        if self.password is not None:
            hello["authentication"] = {"challenge": CHALLENGE, "salt": SALT}
        try:
            await connection.send(orjson.dumps({"op": 0, "d": hello}).decode())
            identify = orjson.loads(await connection.recv())
            assert identify["op"] == 1
            assert identify["d"]["rpcVersion"] == 1
            if self.password is not None and identify["d"].get("authentication") != proof(self.password):
                await connection.close(4009, "Authentication failed.")
                return
            await connection.send(orjson.dumps({"op": 2, "d": {"negotiatedRpcVersion": 1}}).decode())
            self._open.add(connection)
            self.most_at_once = max(self.most_at_once, len(self._open))
            async for frame in connection:
                await self._serve(connection, orjson.loads(frame)["d"])
        except ConnectionClosed:
            pass
        finally:
            self._open.discard(connection)

    async def _serve(self, connection: ServerConnection, asked: dict[str, Any]) -> None:
        kind = asked["requestType"]
        self.requests.append(kind)
        code, comment = self.refuses.get(kind) or self._refusal(kind)
        status = {"result": code == 100, "code": code, **({"comment": comment} if comment else {})}
        data = {"requestType": kind, "requestId": asked["requestId"], "requestStatus": status}
        answer = {"op": 7, "d": {**data, "responseData": self._status(kind)}}
        await connection.send(orjson.dumps(answer).decode())
        if code == 100:
            await self._carry_out(kind)

    def _refusal(self, kind: str) -> tuple[int, str]:
        if kind == "StartRecord" and self.is_recording:
            return 500, ""
        if (kind == "StopRecord" and not self.is_recording) or (
            kind == "SaveReplayBuffer" and not self.has_replay_buffer
        ):
            return 501, ""
        return 100, ""

    def _status(self, kind: str) -> dict[str, Any]:
        if kind == "GetRecordStatus":
            length = {"outputTimecode": "00:00:00.000", "outputDuration": self.duration_ms, "outputBytes": 1000}
            return {"outputActive": self.is_recording, "outputPaused": self.is_paused, **length}
        return {"outputActive": False} if kind == "GetStreamStatus" else {}

    async def _carry_out(self, kind: str) -> None:
        if kind == "StartRecord":
            await self._start()
        elif kind == "StopRecord":
            await self._stop()
        elif kind == "SaveReplayBuffer":
            await self.save()
        elif kind == "StartReplayBuffer":
            self.has_replay_buffer = True

    async def _start(self) -> None:
        self.is_recording = True
        self._files += 1
        await self._changed("STARTING")
        await self._changed("STARTED")

    async def _stop(self) -> None:
        self.is_recording = False
        await self._changed("STOPPING")
        await self._written("RecordStateChanged", self._state("STOPPED", path=f"/videos/{self._files}.mkv"))

    async def _changed(self, state: str) -> None:
        await self.tell("RecordStateChanged", self._state(state))

    async def _written(self, name: str, data: dict[str, Any]) -> None:
        if self.is_slow:
            self._unwritten.append((name, data))
        else:
            await self.tell(name, data)

    def _state(self, state: str, *, path: str | None = None) -> dict[str, Any]:
        return {"outputActive": self.is_recording, "outputState": f"{_STATE}{state}", "outputPath": path}


@asynccontextmanager
async def obs(**given: Any) -> AsyncIterator[OBS]:
    """Answer calls until the block ends."""
    machine = OBS(**given)
    async with serve(machine.answer, "127.0.0.1", machine.port, compression=None) as server:
        machine.port = next(iter(server.sockets)).getsockname()[1]
        yield machine
        server.close()
