"""A conversation with an OBS machine, from when it lets us in until it breaks off."""

import asyncio
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID

from websockets.asyncio.client import ClientConnection

from api.workers.obs_protocol import (
    ALREADY_RUNNING,
    NOT_RUNNING,
    OutputChanged,
    ReplaySaved,
    Response,
    parse,
    request,
)
from db.bus import Lagged
from db.recordings import commands, outputs
from db.recordings.events import OBSCommandQueued
from db.recordings.operations import recordings_under_way, see_recording
from db.recordings.outputs import Output
from db.recordings.tables import OBSCommand, Recording
from db.recordings.timing import LONGEST, MILLISECOND
from db.recordings.vocabulary import OBSCommandKind, RecordingKind
from db.session import Transaction
from db.together import together

if TYPE_CHECKING:
    from api.workers.obs_client import OBSClient

# More than any OBS says while the database is away; whoever says more is not one.
_MOST_WAITING = 10_000
# Somebody at the machine's own console may have queued something without our hearing of it.
_LOOK_AGAIN_SECONDS = 10.0
_STATUS = {RecordingKind.RECORDING: "GetRecordStatus", RecordingKind.STREAM: "GetStreamStatus"}
_LARGEST_SIZE = 1 << 50


class Refused(Exception):
    """The machine is not what it should be, or does not let us in. The message can be shown."""


class _Happened(NamedTuple):
    """Something that OBS told by itself, and when we heard of it."""

    message: OutputChanged | ReplaySaved
    at: datetime


class _Sent(NamedTuple):
    """A command that OBS has taken, when that was, and what hears of its end."""

    command: OBSCommand
    at: datetime
    ended: "asyncio.Future[None]"


class Conversation:
    """Reads what OBS says, stores what happened in its order, and sends what is due."""

    def __init__(self, client: "OBSClient", socket: ClientConnection) -> None:
        self._client = client
        self._socket = socket
        self._machine = client.machine
        self._numbers = count(1)
        self._asked: dict[str, asyncio.Future[Response]] = {}
        self._happened: deque[_Happened] = deque()
        self._has_happened = asyncio.Event()
        self._has_stock = False
        # What was sent and is not done: one at most of starting and stopping, and replays in the order of asking.
        self._outputs: dict[OBSCommandKind, _Sent] = {}
        self._replays: deque[_Sent] = deque()
        self._stopping: dict[RecordingKind, datetime] = {}

    async def run(self) -> None:
        """Speak until the socket breaks. Raises what breaks it."""
        try:
            await together(self._store(), self._read(), self._send(), self._look())
        finally:
            await self._store_what_waits()

    # Reading

    async def _read(self) -> None:
        async for frame in self._socket:
            message = parse(frame)
            if isinstance(message, Response):
                asked = self._asked.pop(message.id, None)
                if asked is not None and not asked.done():
                    asked.set_result(message)
            elif isinstance(message, OutputChanged | ReplaySaved):
                self._happened.append(_Happened(message, self._client.clock.now()))
                self._has_happened.set()
                if len(self._happened) > _MOST_WAITING:
                    raise Refused("This OBS says more than any OBS would.")

    async def _ask(self, kind: str) -> Response:
        """Ask for something, and return the answer. Raises `TimeoutError`."""
        id = str(next(self._numbers))  # noqa: A001 -- what it is called there
        answered: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
        self._asked[id] = answered
        try:
            async with asyncio.timeout(self._client.patience.answer):
                await self._socket.send(request(kind, id))
                return await answered
        except TimeoutError as error:
            raise TimeoutError(f"OBS did not answer {kind} within {self._client.patience.answer:g} s.") from error
        finally:
            self._asked.pop(id, None)

    # Storing

    async def _store(self) -> None:
        """Compare how OBS stands with what is known, then store what happens."""
        stock = [await self._status(kind) for kind in _STATUS]
        await self._client.store(lambda tx: outputs.take_stock(tx, self._machine, stock, now=self._now()))
        self._has_stock = True
        while True:
            await self._has_happened.wait()
            self._has_happened.clear()
            await self._take_all()

    async def _store_what_waits(self) -> None:
        """Store what was told before the socket broke: an OBS that is closed says first what it ends."""
        if self._has_stock:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._client.patience.answer):
                    await self._take_all()

    async def _take_all(self) -> None:
        # Let go of only when it is stored: whoever is interrupted takes it again, and it counts once.
        while self._happened:
            await self._take(self._happened[0])
            self._happened.popleft()

    async def _status(self, kind: RecordingKind) -> Output:
        answer = await self._ask(_STATUS[kind])
        data = answer.data if answer.is_ok else {}
        return Output(
            kind=kind,
            is_active=data.get("outputActive") is True,
            is_paused=data.get("outputPaused") is True,
            duration=_number(data, "outputDuration", LONGEST // MILLISECOND) * MILLISECOND,
            size_bytes=_number(data, "outputBytes", _LARGEST_SIZE),
        )

    async def _take(self, happened: _Happened) -> None:
        message, at = happened
        if isinstance(message, ReplaySaved):
            await self._take_replay(message, at)
        elif message.state == "STARTED":
            await self._take_start(message, at)
        elif message.state == "STOPPING":
            self._stopping[message.kind] = at
        elif message.state == "STOPPED":
            await self._take_stop(message, at)
        elif message.state in {"PAUSED", "RESUMED"}:
            is_paused = message.state == "PAUSED"
            await self._client.store(
                lambda tx: outputs.output_paused(tx, self._machine, message.kind, is_paused=is_paused, now=at)
            )

    async def _take_start(self, message: OutputChanged, at: datetime) -> None:
        sent = self._sent(message.kind, OBSCommandKind.START_RECORDING)
        match_id = None if sent is None else sent.command.match_id

        async def started(tx: Transaction) -> None:
            made = await outputs.output_started(
                tx, self._machine, message.kind, path=message.path, match_id=match_id, now=at
            )
            await self._finish(tx, sent, made.id)

        await self._client.store(started)
        self._end(sent)

    async def _take_stop(self, message: OutputChanged, at: datetime) -> None:
        sent = self._sent(message.kind, OBSCommandKind.STOP_RECORDING)
        # The last picture was taken when it began to stop; writing the rest of the file may take a while.
        ended_at = self._stopping.get(message.kind, at)

        async def stopped(tx: Transaction) -> None:
            made = await outputs.output_stopped(
                tx, self._machine, message.kind, path=message.path, ended_at=ended_at, now=at
            )
            await self._finish(tx, sent, made.id)

        await self._client.store(stopped)
        self._stopping.pop(message.kind, None)
        self._end(sent)

    async def _take_replay(self, message: ReplaySaved, at: datetime) -> None:
        sent = self._replays[0] if self._replays else None
        # It shows what was until OBS was told; of one that somebody saved there, until it was written at the latest.
        ended_at = at if sent is None else sent.at
        match_id = None if sent is None else sent.command.match_id

        async def saved(tx: Transaction) -> None:
            made = await outputs.replay_saved(
                tx, self._machine, path=message.path, ended_at=ended_at, match_id=match_id, now=at
            )
            await self._finish(tx, sent, made.id)

        await self._client.store(saved)
        if sent is not None and sent in self._replays:
            self._replays.remove(sent)
        self._end(sent)

    def _sent(self, kind: RecordingKind, command: OBSCommandKind) -> _Sent | None:
        return self._outputs.get(command) if kind is RecordingKind.RECORDING else None

    async def _finish(self, tx: Transaction, sent: _Sent | None, recording_id: UUID | None) -> None:
        if sent is not None:
            await commands.finish_command(tx, sent.command.id, recording_id=recording_id, now=self._now())

    def _end(self, sent: _Sent | None) -> None:
        if sent is None:
            return
        if self._outputs.get(sent.command.kind) is sent:
            del self._outputs[sent.command.kind]
        if not sent.ended.done():
            sent.ended.set_result(None)

    # Sending

    async def _send(self) -> None:
        """Send what is due, one after the other: a recording is not begun while another is being ended."""
        listening = self._client.db.bus.listen(
            self._machine.id, of=OBSCommandQueued, latest_only=True, is_standing=True
        )
        with listening as heard:
            while True:
                command = await self._client.store(self._claim)
                if command is not None:
                    await self._carry_out(command)
                    continue
                due_at = await self._client.store(lambda tx: commands.next_due(tx, self._machine.id))
                try:
                    async with asyncio.timeout(self._until(due_at)):
                        await anext(heard)
                except (TimeoutError, Lagged):
                    continue
                except StopAsyncIteration:
                    return

    async def _claim(self, tx: Transaction) -> OBSCommand | None:
        await commands.give_up_late(tx, self._machine.id, now=self._now())
        return await commands.claim_command(tx, self._machine.id, now=self._now())

    def _until(self, due_at: datetime | None) -> float:
        if due_at is None:
            return _LOOK_AGAIN_SECONDS
        return min(_LOOK_AGAIN_SECONDS, max(0.0, (due_at - self._now()).total_seconds()))

    async def _carry_out(self, command: OBSCommand) -> None:
        if command.kind is OBSCommandKind.SAVE_REPLAY:
            await self._save(command)
        elif command.kind is OBSCommandKind.START_RECORDING:
            await self._start(command)
        else:
            await self._stop(command)

    async def _save(self, command: OBSCommand) -> None:
        sent = self._begin(command)
        # Before the answer: what was saved may be told first.
        self._replays.append(sent)
        answer = await self._ask("SaveReplayBuffer")
        if answer.is_ok:
            return
        if sent in self._replays:
            self._replays.remove(sent)
        message = _why(answer)
        if answer.code == NOT_RUNNING:
            started = await self._ask("StartReplayBuffer")
            message = "The replay buffer was not running. " + (
                "It has been started." if started.is_ok else f"It could not be started: {_why(started)}"
            )
        await self._fail(sent, message)

    async def _start(self, command: OBSCommand) -> None:
        sent = self._outputs[command.kind] = self._begin(command)
        answer = await self._ask("StartRecord")
        if answer.is_ok:
            await self._wait(sent)
        elif answer.code == ALREADY_RUNNING:
            # Somebody records for a purpose of his own: that is left to run, and shows the fight as well.
            running = await self._client.store(self._running)
            await self._client.store(lambda tx: self._finish(tx, sent, None if running is None else running.id))
            self._end(sent)
        else:
            await self._fail(sent, _why(answer))

    async def _stop(self, command: OBSCommand) -> None:
        running = await self._client.store(self._running)
        sent = self._begin(command)
        if running is None or running.match_id != command.match_id:
            # What was begun for this fight has ended, and what others have begun is not ours to end.
            await self._client.store(lambda tx: self._finish(tx, sent, None))
            return
        self._outputs[command.kind] = sent
        answer = await self._ask("StopRecord")
        if answer.is_ok:
            await self._wait(sent)
        elif answer.code == NOT_RUNNING:
            await self._client.store(lambda tx: self._finish(tx, sent, None))
            self._end(sent)
        else:
            await self._fail(sent, _why(answer))

    async def _running(self, tx: Transaction) -> Recording | None:
        found = await recordings_under_way(tx, self._machine.id)
        return next((one for one in found if one.kind is RecordingKind.RECORDING), None)

    async def _wait(self, sent: _Sent) -> None:
        """Wait until OBS says that it is done, or for as long as that may take."""
        patience = self._client.patience.done
        done, _ = await asyncio.wait([sent.ended], timeout=patience)
        if not done:
            await self._fail(sent, f"OBS did not say within {patience:g} s that it was done.")

    async def _fail(self, sent: _Sent, message: str) -> None:
        await self._client.store(
            lambda tx: commands.fail_command(tx, sent.command.id, message=message, now=self._now())
        )
        self._end(sent)

    def _begin(self, command: OBSCommand) -> _Sent:
        return _Sent(command, self._now(), asyncio.get_running_loop().create_future())

    # Looking

    async def _look(self) -> None:
        """See now and then that what is under way is, and give up replays that are never written."""
        while True:
            await asyncio.sleep(self._client.patience.look)
            for kind in _STATUS:
                output = await self._status(kind)
                if output.is_active:
                    await self._client.store(partial(self._see, output=output))
            longest = timedelta(seconds=self._client.patience.replay)
            while self._replays and self._now() - self._replays[0].at > longest:
                await self._fail(self._replays.popleft(), "OBS never said that the replay was written.")

    async def _see(self, tx: Transaction, *, output: Output) -> None:
        for one in await recordings_under_way(tx, self._machine.id):
            if one.kind is output.kind:
                await see_recording(tx, one.id, size_bytes=output.size_bytes, now=self._now())

    def _now(self) -> datetime:
        return self._client.clock.now()


def _why(answer: Response) -> str:
    """Say why OBS did not do what it was asked."""
    return f"OBS refused: {answer.comment or 'it did not say why'} ({answer.code})."


def _number(data: Mapping[str, Any], name: str, most: int) -> int:
    """Return a number that OBS tells, within what can be."""
    found = data.get(name)
    return min(max(0, int(found)), most) if isinstance(found, int | float) else 0
