"""obs-websocket, version 5: what an OBS says, parsed, and what is said to it. Pure."""

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from db.recordings.operations import LONGEST_PATH
from db.recordings.vocabulary import RecordingKind

RPC_VERSION = 1
# Of all that happens in an OBS, what happens to its outputs.
_OUTPUT_EVENTS = 1 << 6
_HELLO, _IDENTIFY, _IDENTIFIED, _EVENT, _REQUEST, _RESPONSE = 0, 1, 2, 5, 6, 7
_CHANGED = {"RecordStateChanged": RecordingKind.RECORDING, "StreamStateChanged": RecordingKind.STREAM}
_STATE = "OBS_WEBSOCKET_OUTPUT_"

# How a socket is closed by an OBS that we did not satisfy.
REFUSALS = {
    4009: "OBS says that the password is wrong.",
    4010: "This OBS speaks another version of obs-websocket: 5 is needed, which comes with OBS 28 and later.",
    4011: "OBS has ended the session: somebody let us go there.",
}
ALREADY_RUNNING = 500
NOT_RUNNING = 501


@dataclass(frozen=True, slots=True)
class Hello:
    """The greeting. Where it asks for a password, with what that is to be proved."""

    salt: str | None = None
    challenge: str | None = None


@dataclass(frozen=True, slots=True)
class Identified:
    """We are let in."""


@dataclass(frozen=True, slots=True)
class OutputChanged:
    """An output began, ends, has ended, is paused or goes on: `state` is one word of `STARTED` and the like."""

    kind: RecordingKind
    state: str
    path: str = ""


@dataclass(frozen=True, slots=True)
class ReplaySaved:
    """The replay buffer was saved to a file."""

    path: str


@dataclass(frozen=True, slots=True)
class Response:
    """The answer to a request. `code` says why it was refused, `comment` in words, which may be missing."""

    id: str
    is_ok: bool
    code: int = 0
    comment: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)


Message = Hello | Identified | OutputChanged | ReplaySaved | Response


def parse(frame: str | bytes) -> Message | None:
    """Read what an OBS says; `None` for what it says of other things, and for what it cannot mean."""
    try:
        said = orjson.loads(frame)
    except ValueError:
        return None
    operation, data = _of(said, "op"), _of(said, "d")
    if not isinstance(data, dict):
        return None
    if operation == _HELLO:
        return _hello(data)
    if operation == _IDENTIFIED:
        return Identified()
    if operation == _EVENT:
        return _event(data)
    return _response(data) if operation == _RESPONSE else None


def identify(hello: Hello, password: str) -> str:
    """Say who we are, and prove that we know the password if one is asked for."""
    data: dict[str, Any] = {"rpcVersion": RPC_VERSION, "eventSubscriptions": _OUTPUT_EVENTS}
    if hello.salt is not None and hello.challenge is not None:
        data["authentication"] = authentication(password, hello.salt, hello.challenge)
    return _written(_IDENTIFY, data)


def authentication(password: str, salt: str, challenge: str) -> str:
    """Prove a password: by its hash with the salt, hashed again with the challenge."""
    return _hashed(_hashed(password + salt) + challenge)


def request(kind: str, id: str) -> str:  # noqa: A002 -- what it is called there
    """Ask for something, under an id that the answer comes back with."""
    return _written(_REQUEST, {"requestType": kind, "requestId": id, "requestData": {}})


def _hello(data: Mapping[str, Any]) -> Hello:
    asked = _of(data, "authentication")
    salt, challenge = _of(asked, "salt"), _of(asked, "challenge")
    return Hello(salt, challenge) if isinstance(salt, str) and isinstance(challenge, str) else Hello()


def _event(data: Mapping[str, Any]) -> OutputChanged | ReplaySaved | None:
    name, said = _text(data, "eventType"), _of(data, "eventData")
    if name == "ReplayBufferSaved":
        path = _path(said, "savedReplayPath")
        return ReplaySaved(path) if path else None
    state = _text(said, "outputState")
    if name not in _CHANGED or not state.startswith(_STATE):
        return None
    return OutputChanged(_CHANGED[name], state.removeprefix(_STATE), _path(said, "outputPath"))


def _response(data: Mapping[str, Any]) -> Response | None:
    id, status, answer = _of(data, "requestId"), _of(data, "requestStatus"), _of(data, "responseData")  # noqa: A001
    if not isinstance(id, str) or not isinstance(status, dict):
        return None
    code = _of(status, "code")
    return Response(
        id=id,
        is_ok=_of(status, "result") is True,
        code=code if isinstance(code, int) else 0,
        comment=_text(status, "comment"),
        data=answer if isinstance(answer, dict) else {},
    )


def _of(said: Any, name: str) -> Any:
    return said.get(name) if isinstance(said, dict) else None


def _text(said: Any, name: str) -> str:
    found = _of(said, name)
    return found if isinstance(found, str) else ""


def _path(said: Any, name: str) -> str:
    """Return a path as it can be stored, whatever somebody makes an OBS say."""
    return _text(said, name).replace("\x00", "\ufffd").strip()[:LONGEST_PATH]


def _written(operation: int, data: Mapping[str, Any]) -> str:
    return orjson.dumps({"op": operation, "d": data}).decode()


def _hashed(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
