"""The command line: `ringside`, its commands, and what each of them may be told."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from api.client import Client
from api.commands import (
    backing_up,
    capturing,
    configuring,
    executions,
    explaining,
    feeds,
    flags,
    goals,
    housekeeping,
    migrations,
    rebuilding,
    recounting,
    replaying,
    simulating,
    tokens,
    transferring,
)
from api.commands import serve as serving
from api.commands.options import AsJSON, Database, plainly, run_plainly, settings_of, url_of
from api.replay import Network
from db.access.viewer import Role
from db.clock import SystemClock
from db.streams.vocabulary import StreamGoalKind, StreamGoalMode, StreamGoalPeriod
from schema import print_contract

app = typer.Typer(
    name="ringside",
    help="One GraphQL server for everything that happens live around a stream, a practice room and a competition mat.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
migrate = typer.Typer(help="Move a database forward and back through the schema's history.", no_args_is_help=True)
token = typer.Typer(help="Make, list and revoke tokens.", no_args_is_help=True)
app.add_typer(migrate, name="migrate")
app.add_typer(token, name="token")
goal = typer.Typer(help="Set, fill and watch the goals of streams, on a server that runs.", no_args_is_help=True)
social = typer.Typer(help="Look after what people write.", no_args_is_help=True)
matches = typer.Typer(help="Look after fights and their logs.", no_args_is_help=True)
app.add_typer(goal, name="goals")
app.add_typer(flags.flag, name="flags")
app.add_typer(feeds.feed, name="feeds")
app.add_typer(executions.execution, name="executions")
app.add_typer(matches, name="matches")
app.add_typer(social, name="social")
app.add_typer(simulating.simulate, name="simulate")
app.add_typer(backing_up.backup, name="backup")
app.add_typer(configuring.configuring, name="settings")
app.add_typer(housekeeping.housekeeping, name="housekeeping")
app.add_typer(housekeeping.database, name="database")
app.add_typer(transferring.importing, name="import")
app.add_typer(transferring.exporting, name="export")

Server = Annotated[str, typer.Option("--url", help="Where the server is.", envvar="RINGSIDE_URL")]
Secret = Annotated[str, typer.Option("--token", help="The token to ask it with.", envvar="RINGSIDE_TOKEN")]

_URL = "http://127.0.0.1:8000"


@app.command(epilog="Example: ringside serve --demo --speed 2")
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
        "pss_host": pss_host,
        "pss_port": pss_port,
        "pss_mat": pss_mat,
        "speed": speed,
        "log_level": log_level,
    }
    plainly(lambda: serving.serve(settings_of(**given), is_demo=demo, as_json=as_json))


@app.command(epilog="Example: ringside replay fight.tsv --to 127.0.0.1:6000 --speed 4 --loop")
def replay(
    *,
    capture: Annotated[
        Path, typer.Argument(help="A capture: tab-separated offset_ms, wire, text_is.", exists=True, dir_okay=False)
    ],
    to: Annotated[str, typer.Option(help="Where to send it, host:port.")] = "127.0.0.1:6000",
    speed: replaying.Speed = 1.0,
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
    manner = replaying.Manner(
        speed=speed,
        longest_silence=longest_silence,
        network=Network(jitter=timedelta(seconds=jitter), loss=loss, reorder=reorder),
        seed=seed,
        times=None if loop else 1,
    )
    run_plainly(lambda: replaying.send_file(capture, replaying.address_of(to), manner, as_json=as_json))


@app.command(epilog="Example: ringside capture match_… --out fight.tsv")
def capture(
    *,
    match: Annotated[str, typer.Argument(help="Id of the match.")],
    out: Annotated[Path, typer.Option(help="The file to write.", dir_okay=False)],
    force: Annotated[bool, typer.Option("--force", help="Write over a file that is there.")] = False,
    database: Database = None,
    as_json: AsJSON = False,
) -> None:
    """Write what the scoring program said of a stored fight to a capture."""
    url = url_of(database)
    plainly(lambda: tokens.prepare(url, may_make=False))
    run_plainly(lambda: capturing.write(url, match, out, overwrites=force, as_json=as_json))


@app.command(epilog="Example: ringside explain graphql-examples/matches/ListMats.graphql --sql")
def explain(
    *,
    file: Annotated[Path, typer.Argument(help="A document with one query.", exists=True, dir_okay=False)],
    variables: Annotated[str, typer.Option(help="Its variables, as a JSON object.")] = "{}",
    sql: Annotated[bool, typer.Option("--sql", help="Show the statements, too.")] = False,
    database: Database = None,
    as_json: AsJSON = False,
) -> None:
    """Run a query and show its plan: the steps, how many rows each read, and how long it took."""
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


@app.command(epilog="Example: ringside schema > schema.graphql")
def schema() -> None:
    """Print the schema, for code generators."""
    typer.echo(print_contract(), nl=False)


@migrate.command(epilog="Example: ringside migrate up --database postgresql://ringside@localhost/ringside")
def up(
    *,
    to: Annotated[str, typer.Argument(help="A revision, or head for the newest.")] = "head",
    database: Database = None,
    as_json: AsJSON = False,
) -> None:
    """Bring a database up to date, or up to one revision."""
    plainly(lambda: migrations.up(url_of(database), to=to, as_json=as_json))


@migrate.command(epilog="Example: ringside migrate down 0001")
def down(
    *,
    to: Annotated[
        str, typer.Argument(help="A revision, or base for before the first. What newer tables hold is lost.")
    ],
    database: Database = None,
    as_json: AsJSON = False,
) -> None:
    """Take a database back to a revision."""
    plainly(lambda: migrations.down(url_of(database), to=to, as_json=as_json))


@migrate.command(epilog="Example: ringside migrate status --json")
def status(*, database: Database = None, as_json: AsJSON = False) -> None:
    """Show where a database stands. Ends with 1 if it is not up to date."""
    if not plainly(lambda: migrations.status(url_of(database), as_json=as_json)):
        raise typer.Exit(1)


@token.command("create", epilog="Example: ringside token create --user anna --role OPERATOR --label laptop")
def create_token(
    *,
    label: Annotated[str, typer.Option(help="What it is for.")],
    user: Annotated[str, typer.Option(help="Whom it speaks for; made if there is none of this name.")] = "admin",
    role: Annotated[Role, typer.Option(help="The role of a user who is made now.")] = Role.VIEWER,
    overlay_of: Annotated[
        list[str] | None,
        typer.Option(
            help="Id of a mat, match, stream or stream goal: makes an overlay's token, which reads these alone."
        ),
    ] = None,
    days: Annotated[
        float | None, typer.Option(help="How long it works; for ever if not said.", min=0.0001, max=3650)
    ] = None,
    trusted_only: Annotated[
        bool, typer.Option("--trusted-only", help="It runs the documents given to the server, and no others.")
    ] = False,
    database: Database = None,
    as_json: AsJSON = False,
) -> None:
    """Make a token and show it, this once."""
    url = url_of(database)
    plainly(lambda: tokens.prepare(url, may_make=True))
    run_plainly(
        lambda: tokens.create(
            url,
            SystemClock(),
            user=user,
            role=role,
            label=label,
            overlay_of=overlay_of or [],
            days=days,
            is_trusted_only=trusted_only,
            as_json=as_json,
        )
    )


@token.command("list", epilog="Example: ringside token list")
def list_tokens(*, database: Database = None, as_json: AsJSON = False) -> None:
    """List tokens by how they begin; the tokens themselves are stored nowhere."""
    url = url_of(database)
    plainly(lambda: tokens.prepare(url, may_make=False))
    run_plainly(lambda: tokens.show(url, as_json=as_json))


@token.command("revoke", epilog="Example: ringside token revoke rs_h7Kq2mPx")
def revoke_token(
    *,
    prefix: Annotated[str, typer.Argument(help="How the token begins, as `token list` shows it.")],
    database: Database = None,
    as_json: AsJSON = False,
) -> None:
    """Make a token stop working, open sockets included."""
    url = url_of(database)
    plainly(lambda: tokens.prepare(url, may_make=False))
    run_plainly(lambda: tokens.revoke(url, SystemClock(), prefix=prefix, as_json=as_json))


@goal.command("list", epilog="Example: ringside goals list --token rs_…")
def list_goals(
    *,
    stream: Annotated[str | None, typer.Option(help="Id of one stream; all of them if not said.")] = None,
    url: Server = _URL,
    token: Secret = "",
    as_json: AsJSON = False,
) -> None:
    """List the goals of streams."""
    run_plainly(lambda: goals.show_all(Client(url=url, token=token), stream=stream, as_json=as_json))


@goal.command("show", epilog="Example: ringside goals show streamgoal_… --entries 50")
def show_goal(
    *,
    goal_id: Annotated[str, typer.Argument(metavar="GOAL", help="Id of the goal.")],
    entries: Annotated[int, typer.Option(help="How much of its history.", min=0, max=100)] = 20,
    url: Server = _URL,
    token: Secret = "",
    as_json: AsJSON = False,
) -> None:
    """Show a goal with its history."""
    run_plainly(lambda: goals.show(Client(url=url, token=token), goal=goal_id, entries=entries, as_json=as_json))


@goal.command("create", epilog="Example: ringside goals create stream_… COINS --name Tonight --target 5000 --mode ADD")
def create_goal(
    *,
    stream: Annotated[str, typer.Argument(help="Id of the stream.")],
    kind: Annotated[StreamGoalKind, typer.Argument(help="What it counts.")],
    name: Annotated[str, typer.Option(help="What viewers read.")],
    target: Annotated[int, typer.Option(help="The count that reaches it.")],
    start: Annotated[int | None, typer.Option(help="The count it begins with.")] = None,
    mode: Annotated[StreamGoalMode | None, typer.Option(help="What becomes of it when it is reached.")] = None,
    step: Annotated[int | None, typer.Option(help="By how much ADD moves the target on.")] = None,
    period: Annotated[StreamGoalPeriod | None, typer.Option(help="How often it begins anew.")] = None,
    url: Server = _URL,
    token: Secret = "",
    as_json: AsJSON = False,
) -> None:
    """Set a goal for a stream."""
    terms = {"name": name, "target": target, "start": start, "mode": mode, "step": step, "period": period}
    client = Client(url=url, token=token)
    run_plainly(lambda: goals.create(client, stream=stream, kind=kind, terms=terms, as_json=as_json))


@goal.command("add", epilog="Example: ringside goals add streamgoal_… 25")
def add_to_goal(
    *,
    goal_id: Annotated[str, typer.Argument(metavar="GOAL", help="Id of the goal.")],
    delta: Annotated[int, typer.Argument(help="By how much; write -- before a number below 0.")],
    is_test: Annotated[bool, typer.Option("--test", help="Show it on overlays, and count nothing.")] = False,
    url: Server = _URL,
    token: Secret = "",
    as_json: AsJSON = False,
) -> None:
    """Move a goal."""
    verb = "streamGoalTest" if is_test else "streamGoalAddProgress"
    run_plainly(lambda: goals.change(Client(url=url, token=token), verb, goal=goal_id, delta=delta, as_json=as_json))


@goal.command("reset", epilog="Example: ringside goals reset streamgoal_…")
def reset_goal(
    *,
    goal_id: Annotated[str, typer.Argument(metavar="GOAL", help="Id of the goal.")],
    url: Server = _URL,
    token: Secret = "",
    as_json: AsJSON = False,
) -> None:
    """Let a goal begin anew."""
    run_plainly(lambda: goals.change(Client(url=url, token=token), "streamGoalReset", goal=goal_id, as_json=as_json))


@goal.command("hide", epilog="Example: ringside goals hide streamgoal_…")
def hide_goal(
    *,
    goal_id: Annotated[str, typer.Argument(metavar="GOAL", help="Id of the goal.")],
    url: Server = _URL,
    token: Secret = "",
    as_json: AsJSON = False,
) -> None:
    """Take a goal off the overlay. It counts all the same."""
    run_plainly(lambda: goals.change(Client(url=url, token=token), "streamGoalHide", goal=goal_id, as_json=as_json))


@goal.command("unhide", epilog="Example: ringside goals unhide streamgoal_…")
def unhide_goal(
    *,
    goal_id: Annotated[str, typer.Argument(metavar="GOAL", help="Id of the goal.")],
    url: Server = _URL,
    token: Secret = "",
    as_json: AsJSON = False,
) -> None:
    """Bring a hidden goal back."""
    run_plainly(lambda: goals.change(Client(url=url, token=token), "streamGoalShow", goal=goal_id, as_json=as_json))


@goal.command("watch", epilog="Example: ringside goals watch streamgoal_…")
def watch_goal(
    *,
    goal_id: Annotated[str, typer.Argument(metavar="GOAL", help="Id of the goal.")],
    url: Server = _URL,
    token: Secret = "",
    as_json: AsJSON = False,
) -> None:
    """Watch a goal fill, until stopped."""
    run_plainly(lambda: goals.watch(Client(url=url, token=token), goal=goal_id, as_json=as_json))


@social.command("recount", epilog="Example: ringside social recount --repair")
def recount(
    *,
    repair: Annotated[bool, typer.Option("--repair", help="Mend the counters that are wrong.")] = False,
    database: Database = None,
    as_json: AsJSON = False,
) -> None:
    """Compare counters with what they count. Ends with 1 if one of them is wrong and was not mended."""
    url = url_of(database)
    plainly(lambda: tokens.prepare(url, may_make=False))
    run_plainly(lambda: recounting.recount(url, repairs=repair, as_json=as_json))


@matches.command("rebuild", epilog="Example: ringside matches rebuild --mat mat_…")
def rebuild(
    *,
    mat: Annotated[str | None, typer.Option(help="Id of one mat; all of them if not said.")] = None,
    database: Database = None,
    as_json: AsJSON = False,
) -> None:
    """Make all that is folded from logs again: fights, rounds, points, counts, scoreboards. Logs and ids stay."""
    url = url_of(database)
    plainly(lambda: tokens.prepare(url, may_make=False))
    run_plainly(lambda: rebuilding.rebuild(url, SystemClock(), mat=mat, as_json=as_json))
