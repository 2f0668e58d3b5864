"""`ringside simulate`: what the outside world would send, for who has none of it at hand."""

import time
from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import Annotated

import typer

from api.commands.capturing import save
from api.commands.options import AsJSON, run_plainly
from api.commands.output import console, plain, print_json
from api.commands.replaying import Manner, Speed, address_of, send
from api.fights import invented_fight
from api.simulation import Audience, read_frames, simulated

simulate = typer.Typer(help="Be what the outside world would be, for who has none at hand.", no_args_is_help=True)


@simulate.command("stream", epilog="Example: ringside simulate stream --rate 20")
def stream(
    *,
    host: Annotated[str, typer.Option(help="Address to answer on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to answer on; 0 takes a free one.", min=0, max=65_535)] = 21_213,
    rate: Annotated[float, typer.Option(help="Frames a second.", min=0.01, max=100_000)] = 5.0,
    seed: Annotated[int, typer.Option(help="Another audience for another number.")] = 0,
    frames: Annotated[
        Path | None, typer.Option(help="Recorded frames, one JSON object a line.", exists=True, dir_okay=False)
    ] = None,
    count: Annotated[int | None, typer.Option(help="End after so many frames.", min=1)] = None,
    as_json: AsJSON = False,
) -> None:
    """Be TikFinity: answer at its port, and send what an invented audience does."""
    run_plainly(
        lambda: play_stream(host=host, port=port, rate=rate, seed=seed, frames=frames, count=count, as_json=as_json)
    )


@simulate.command("fight", epilog="Example: ringside simulate fight --seed 7 --to 127.0.0.1:6000 --speed 10")
def fight(
    *,
    to: Annotated[str, typer.Option(help="Where to send it, host:port.")] = "127.0.0.1:6000",
    out: Annotated[Path | None, typer.Option(help="Write it to this file instead.", dir_okay=False)] = None,
    force: Annotated[bool, typer.Option("--force", help="Write over a file that is there.")] = False,
    seed: Annotated[int, typer.Option(help="Another fight for another number.")] = 0,
    number: Annotated[str | None, typer.Option(help="The match number, such as 245.A.")] = None,
    speed: Speed = 1.0,
    longest_silence: Annotated[
        float | None, typer.Option(help="Cut silences down to this many seconds.", min=0)
    ] = None,
    as_json: AsJSON = False,
) -> None:
    """Be a scoring program: invent a fight, and say it message by message."""
    manner = Manner(speed=speed, longest_silence=longest_silence)
    run_plainly(
        lambda: play_fight(
            seed=seed,
            number=number,
            out=out,
            overwrites=force,
            to=address_of(to),
            manner=manner,
            as_json=as_json,
        )
    )


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
