"""`ringside capture`: a stored fight written to a capture, to be replayed."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from api.capture import CapturedMessage, print_capture
from api.commands.output import console, plain, print_json
from db.connecting import connect
from db.errors import Conflict
from db.ids import decode_id
from db.matches.wire import read_wire


async def write(url: str, match: str, out: Path, *, overwrites: bool, as_json: bool) -> None:
    """Write what a scoring program said of a fight, as it was received."""
    match_id = decode_id(match, kind="match", field="match")
    db = await connect(url)
    try:
        async with db.read() as session:
            messages = await captured(read_wire(session, match_id))
    finally:
        await db.close()
    save(messages, out, overwrites=overwrites)
    if as_json:
        print_json({"file": str(out), "match": match, "messages": len(messages)})
        return
    console.print(f"[bold green]Wrote[/] {len(messages)} messages to {plain(out)}", highlight=False)


async def captured(entries: AsyncIterator[tuple[datetime, bytes]]) -> list[CapturedMessage]:
    """Return entries of a log as a capture, each as late as it came after the first."""
    messages: list[CapturedMessage] = []
    first: datetime | None = None
    latest = timedelta(0)
    async for received_at, raw in entries:
        first = first or received_at
        # A clock that was set back does not turn the order round.
        latest = max(latest, received_at - first)
        messages.append(CapturedMessage.of(latest, raw))
    return messages


def save(messages: Sequence[CapturedMessage], out: Path, *, overwrites: bool) -> None:
    """Write a capture. Raises `Conflict` for a file that is there, unless it may be written over."""
    try:
        with out.open("wb" if overwrites else "xb") as file:
            file.write(print_capture(messages))
    except FileExistsError as error:
        raise Conflict(f"There is a file {out} already: name another, or say --force.") from error
