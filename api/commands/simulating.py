"""`ringside simulate`: what the outside world would send, for who has none of it at hand."""

import time
from collections.abc import Iterable
from itertools import islice
from pathlib import Path

from api.commands.output import console, print_json
from api.simulation import Audience, read_frames, simulated


async def stream(
    *, host: str, port: int, rate: float, seed: int, frames: Path | None, count: int | None, as_json: bool
) -> None:
    """Be TikFinity until stopped, or until all frames were sent."""
    sent = 0

    def note(_: str) -> None:
        nonlocal sent
        sent += 1

    played = _frames(frames, seed)
    played = played if count is None else islice(played, count)
    async with simulated(played, host=host, port=port, rate=rate, on_sent=note) as bound:
        if as_json:
            print_json({"url": f"ws://{host}:{bound}/"})
        else:
            console.print(f"[bold green]Playing[/] at ws://{host}:{bound}/ as TikFinity does.", highlight=False)
            console.print("It begins when a source calls. [dim]Stop with Ctrl+C.[/]", highlight=False)
    if as_json:
        print_json({"sent": sent})
    else:
        console.print(f"[bold green]Sent[/] {sent} frames.", highlight=False)


def _frames(path: Path | None, seed: int) -> Iterable[str]:
    # Ids of its own at each start: the same ones would be taken for a replay, and rightly.
    return Audience(seed, start_ms=time.time_ns() // 1_000_000).frames() if path is None else read_frames(path)
