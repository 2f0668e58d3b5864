"""`ringside simulate`: what the outside world would send, for who has none of it at hand."""

import time
from collections.abc import Iterable
from itertools import islice
from pathlib import Path

from api.commands.capturing import save
from api.commands.output import console, plain, print_json
from api.commands.replaying import Manner, send
from api.fights import invented_fight
from api.simulation import Audience, read_frames, simulated


async def play_stream(
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


async def play_fight(
    *,
    seed: int,
    number: str | None,
    out: Path | None,
    overwrites: bool,
    to: tuple[str, int],
    manner: Manner,
    as_json: bool,
) -> None:
    """Invent a fight, and send it as a scoring program would or write it to a file."""
    messages = invented_fight(seed, number=number)
    if out is not None:
        save(messages, out, overwrites=overwrites)
    else:
        await send(f"Fight {seed}", messages, to, manner, is_silent=as_json)
    told = {"seed": seed, "messages": len(messages), "result": messages[-1].wire}
    if as_json:
        print_json({**told, **({"to": f"{to[0]}:{to[1]}"} if out is None else {"file": str(out)})})
        return
    said = f"to {plain(out)}" if out is not None else f"to {to[0]}:{to[1]}"
    console.print(f"[bold green]Fought[/] {len(messages)} messages {said}: {plain(messages[-1].wire)}", highlight=False)


def _frames(path: Path | None, seed: int) -> Iterable[str]:
    # Ids of its own at each start: the same ones would be taken for a replay, and rightly.
    return Audience(seed, start_ms=time.time_ns() // 1_000_000).frames() if path is None else read_frames(path)
