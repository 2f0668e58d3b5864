"""`ringside replay`: a capture sent over real UDP."""

import asyncio
import socket
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count
from pathlib import Path

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from api.capture import CapturedMessage, read_capture
from api.commands.output import errors, plain, print_json
from api.replay import Network, over, replay, shorten
from db.errors import Invalid

_LARGEST_PORT = 65_535
# Between one time and the next of a capture that is sent for ever.
_PAUSE_SECONDS = 5.0


def address_of(text: str) -> tuple[str, int]:
    """Read `host:port`. Raises `Invalid`, saying what it looks like."""
    host, separator, port = text.rpartition(":")
    is_number = port.isascii() and port.isdecimal()
    if not separator or not is_number or not 0 < int(port) <= _LARGEST_PORT:
        raise Invalid(f"An address looks like 127.0.0.1:6000, this does not: {text!r}")
    return host.strip("[]") or "127.0.0.1", int(port)


@dataclass(frozen=True, kw_only=True)
class Manner:
    """How a capture is sent: how fast, over which network, how long its silences are, how often."""

    speed: float = 1.0
    longest_silence: float | None = None
    network: Network = field(default_factory=Network)
    seed: int = 0
    # None is for ever.
    times: int | None = 1


async def send_file(path: Path, address: tuple[str, int], manner: Manner, *, as_json: bool) -> None:
    """Send a capture, showing how far it is."""
    sent = await send(path.name, read_capture(path), address, manner, is_silent=as_json)
    if as_json:
        print_json({"file": str(path), "sent": sent, "to": f"{address[0]}:{address[1]}"})


async def send(
    name: str, messages: Sequence[CapturedMessage], address: tuple[str, int], manner: Manner, *, is_silent: bool
) -> int:
    """Send messages, showing how far it is; return how many were sent. Raises `Invalid` for a machine that is none."""
    if manner.longest_silence is not None:
        messages = shorten(messages, timedelta(seconds=manner.longest_silence))
    sent = 0
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=errors, disable=is_silent) as progress:
        task = progress.add_task(name, total=len(messages))

        def note(message: CapturedMessage) -> None:
            nonlocal sent
            sent += 1
            progress.update(task, advance=1, description=plain(message.wire[:24].ljust(24)))

        for time in count() if manner.times is None else range(manner.times):
            # Another seed each time: the same messages are not lost again.
            arriving = over(messages, manner.network, manner.seed + time)
            progress.reset(task, total=len(arriving))
            try:
                await replay(arriving, address, speed=manner.speed, on_sent=note)
            except socket.gaierror as error:
                raise Invalid(f"There is no machine called {address[0]!r}.") from error
            if manner.times is None:
                await asyncio.sleep(_PAUSE_SECONDS / manner.speed)
        progress.update(task, description=name.ljust(24))
    return sent
