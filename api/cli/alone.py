"""The commands that stand alone: serve, replay, capture, explain, schema; and what they may be told."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from api.commands.options import AsJSON, Database, Speed, plainly, run_plainly, settings_of, url_of
from db.clock import SystemClock

alone = typer.Typer()


@alone.command(epilog="Example: ringside serve --demo --speed 2")
def serve(
    *,
    demo: Annotated[
        bool, typer.Option("--demo", help="A throw-away database with a recorded fight.", envvar="RINGSIDE_DEMO")
    ] = False,
    database: Database = None,
    host: Annotated[str | None, typer.Option(help="Address to serve on.", envvar="RINGSIDE_HOST")] = None,
    port: Annotated[
        int | None, typer.Option(help="Port to serve on; 0 takes a free one.", envvar="RINGSIDE_PORT")
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            help="Processes that serve on the port; more than one need PostgreSQL.", envvar="RINGSIDE_WORKERS"
        ),
    ] = None,
    pss_host: Annotated[
        str | None, typer.Option(help="Address to hear the scoring program on.", envvar="RINGSIDE_PSS_HOST")
    ] = None,
    pss_port: Annotated[
        int | None, typer.Option(help="UDP port to hear it on; 0 takes a free one.", envvar="RINGSIDE_PSS_PORT")
    ] = None,
    pss_mat: Annotated[
        str | None, typer.Option(help="Name of the mat it speaks for.", envvar="RINGSIDE_PSS_MAT")
    ] = None,
    speed: Annotated[float | None, typer.Option(help="How fast the demo plays.", envvar="RINGSIDE_SPEED")] = None,
    log_level: Annotated[
        str | None, typer.Option(help="DEBUG, INFO, WARNING or ERROR.", envvar="RINGSIDE_LOG_LEVEL")
    ] = None,
    as_json: AsJSON = False,
) -> None:
    """Serve the graph, GraphiQL and overlays until stopped."""
    given = {
        "database": database,
        "host": host,
        "port": port,
        "workers": workers,
        "pss_host": pss_host,
        "pss_port": pss_port,
        "pss_mat": pss_mat,
        "speed": speed,
        "log_level": log_level,
    }
    settings = settings_of(**given)
    if settings.workers > 1:
        from api.commands.fleet import serve_with_many as serve_until_stopped
    else:
        from api.commands.serve import serve as serve_until_stopped
    plainly(lambda: serve_until_stopped(settings, is_demo=demo, as_json=as_json))


@alone.command(epilog="Example: ringside replay fight.tsv --to 127.0.0.1:6000 --speed 4 --loop")
def replay(
    *,
    capture: Annotated[
        Path, typer.Argument(help="A capture: tab-separated offset_ms, wire, text_is.", exists=True, dir_okay=False)
    ],
    to: Annotated[str, typer.Option(help="Where to send it, host:port.")] = "127.0.0.1:6000",
    speed: Speed = 1.0,
    loop: Annotated[bool, typer.Option("--loop", help="Again and again, until stopped.")] = False,
    jitter: Annotated[float, typer.Option(help="Let messages be late by up to this many seconds.", min=0, max=60)] = 0,
    loss: Annotated[float, typer.Option(help="Lose this share of them: 0.05 is one in twenty.", min=0, max=1)] = 0,
    reorder: Annotated[float, typer.Option(help="Let this share be overtaken by the next.", min=0, max=1)] = 0,
    seed: Annotated[int, typer.Option(help="Other ones are lost and late for another number.")] = 0,
    longest_silence: Annotated[
        float | None, typer.Option(help="Cut silences down to this many seconds.", min=0)
    ] = None,
    as_json: AsJSON = False,
) -> None:
    """Send a captured fight over UDP, as the scoring program once did."""
    from api.commands import replaying
    from api.replay import Network

    manner = replaying.Manner(
        speed=speed,
        longest_silence=longest_silence,
        network=Network(jitter=timedelta(seconds=jitter), loss=loss, reorder=reorder),
        seed=seed,
        times=None if loop else 1,
    )
    run_plainly(lambda: replaying.send_file(capture, replaying.address_of(to), manner, as_json=as_json))


@alone.command(epilog="Example: ringside capture match_… --out fight.tsv")
def capture(
    *,
    match: Annotated[str, typer.Argument(help="Id of the match.")],
    out: Annotated[Path, typer.Option(help="The file to write.", dir_okay=False)],
    force: Annotated[bool, typer.Option("--force", help="Write over a file that is there.")] = False,
    database: Database = None,
    as_json: AsJSON = False,
) -> None:
    """Write what the scoring program said of a stored fight to a capture."""
    from api.commands import capturing, tokens

    url = url_of(database)
    plainly(lambda: tokens.prepare(url, may_make=False))
    run_plainly(lambda: capturing.write(url, match, out, overwrites=force, as_json=as_json))


@alone.command(epilog="Example: ringside explain graphql-examples/matches/ListMats.graphql --sql")
def explain(
    *,
    file: Annotated[Path, typer.Argument(help="A document with one query.", exists=True, dir_okay=False)],
    variables: Annotated[str, typer.Option(help="Its variables, as a JSON object.")] = "{}",
    sql: Annotated[bool, typer.Option("--sql", help="Show the statements, too.")] = False,
    database: Database = None,
    as_json: AsJSON = False,
) -> None:
    """Run a query and show its plan: the steps, how many rows each read, and how long it took."""
    from api.commands import explaining

    run_plainly(
        lambda: explaining.explain(
            url_of(database),
            SystemClock(),
            file.name,
            file.read_text(),
            variables=variables,
            shows_sql=sql,
            as_json=as_json,
        )
    )


@alone.command(epilog="Example: ringside schema > schema.graphql")
def schema() -> None:
    """Print the schema, for code generators."""
    from schema import print_contract

    typer.echo(print_contract(), nl=False)
