"""`ringside replay`: a capture sent over real UDP."""

import socket
from datetime import timedelta
from pathlib import Path

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from api.capture import CapturedMessage, read_capture
from api.commands.output import errors, plain, print_json
from api.replay import replay, shorten
from db.errors import Invalid

_LARGEST_PORT = 65_535


def address_of(text: str) -> tuple[str, int]:
    """Read `host:port`. Raises `Invalid`, saying what it looks like."""
    host, separator, port = text.rpartition(":")
    is_number = port.isascii() and port.isdecimal()
    if not separator or not is_number or not 0 < int(port) <= _LARGEST_PORT:
        raise Invalid(f"An address looks like 127.0.0.1:6000, this does not: {text!r}")
    return host.strip("[]") or "127.0.0.1", int(port)


async def send(path: Path, address: tuple[str, int], *, speed: float, longest: float | None, as_json: bool) -> None:
    """Send a capture, showing how far it is."""
    messages = read_capture(path)
    if longest is not None:
        messages = shorten(messages, timedelta(seconds=longest))
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=errors, disable=as_json) as progress:
        task = progress.add_task(path.name, total=len(messages))

        def sent(message: CapturedMessage) -> None:
            progress.update(task, advance=1, description=plain(message.wire[:24].ljust(24)))

        try:
            await replay(messages, address, speed=speed, on_sent=sent)
        except socket.gaierror as error:
            raise Invalid(f"There is no machine called {address[0]!r}.") from error
        progress.update(task, description=path.name.ljust(24))
    if as_json:
        print_json({"file": str(path), "sent": len(messages), "to": f"{address[0]}:{address[1]}"})
