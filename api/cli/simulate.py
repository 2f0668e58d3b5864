"""`ringside simulate`: what its commands may be told."""

from pathlib import Path
from typing import Annotated

import typer

from api.commands.options import AsJSON, Speed, run_plainly

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
    from api.commands import simulating

    run_plainly(
        lambda: simulating.play_stream(
            host=host, port=port, rate=rate, seed=seed, frames=frames, count=count, as_json=as_json
        )
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
    from api.commands import replaying, simulating

    manner = replaying.Manner(speed=speed, longest_silence=longest_silence)
    run_plainly(
        lambda: simulating.play_fight(
            seed=seed,
            number=number,
            out=out,
            overwrites=force,
            to=replaying.address_of(to),
            manner=manner,
            as_json=as_json,
        )
    )
