"""`ringside goals`: what its commands may be told."""

from typing import Annotated

import typer

from api.commands.options import URL, AsJSON, Secret, Server, run_plainly
from db.streams.vocabulary import StreamGoalKind, StreamGoalMode, StreamGoalPeriod

goal = typer.Typer(help="Set, fill and watch the goals of streams, on a server that runs.", no_args_is_help=True)


@goal.command("list", epilog="Example: ringside goals list --token rs_…")
def list_goals(
    *,
    stream: Annotated[str | None, typer.Option(help="Id of one stream; all of them if not said.")] = None,
    url: Server = URL,
    token: Secret = "",
    as_json: AsJSON = False,
) -> None:
    """List the goals of streams."""
    from api.client import Client
    from api.commands import goals

    run_plainly(lambda: goals.show_all(Client(url=url, token=token), stream=stream, as_json=as_json))


@goal.command("show", epilog="Example: ringside goals show streamgoal_… --entries 50")
def show_goal(
    *,
    goal_id: Annotated[str, typer.Argument(metavar="GOAL", help="Id of the goal.")],
    entries: Annotated[int, typer.Option(help="How much of its history.", min=0, max=100)] = 20,
    url: Server = URL,
    token: Secret = "",
    as_json: AsJSON = False,
) -> None:
    """Show a goal with its history."""
    from api.client import Client
    from api.commands import goals

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
    url: Server = URL,
    token: Secret = "",
    as_json: AsJSON = False,
) -> None:
    """Set a goal for a stream."""
    from api.client import Client
    from api.commands import goals

    terms = {"name": name, "target": target, "start": start, "mode": mode, "step": step, "period": period}
    client = Client(url=url, token=token)
    run_plainly(lambda: goals.create(client, stream=stream, kind=kind, terms=terms, as_json=as_json))


@goal.command("add", epilog="Example: ringside goals add streamgoal_… 25")
def add_to_goal(
    *,
    goal_id: Annotated[str, typer.Argument(metavar="GOAL", help="Id of the goal.")],
    delta: Annotated[int, typer.Argument(help="By how much; write -- before a number below 0.")],
    is_test: Annotated[bool, typer.Option("--test", help="Show it on overlays, and count nothing.")] = False,
    url: Server = URL,
    token: Secret = "",
    as_json: AsJSON = False,
) -> None:
    """Move a goal."""
    verb = "streamGoalTest" if is_test else "streamGoalAddProgress"
    _change(verb, goal_id, url=url, token=token, as_json=as_json, delta=delta)


@goal.command("reset", epilog="Example: ringside goals reset streamgoal_…")
def reset_goal(
    *,
    goal_id: Annotated[str, typer.Argument(metavar="GOAL", help="Id of the goal.")],
    url: Server = URL,
    token: Secret = "",
    as_json: AsJSON = False,
) -> None:
    """Let a goal begin anew."""
    _change("streamGoalReset", goal_id, url=url, token=token, as_json=as_json)


@goal.command("hide", epilog="Example: ringside goals hide streamgoal_…")
def hide_goal(
    *,
    goal_id: Annotated[str, typer.Argument(metavar="GOAL", help="Id of the goal.")],
    url: Server = URL,
    token: Secret = "",
    as_json: AsJSON = False,
) -> None:
    """Take a goal off the overlay. It counts all the same."""
    _change("streamGoalHide", goal_id, url=url, token=token, as_json=as_json)


@goal.command("unhide", epilog="Example: ringside goals unhide streamgoal_…")
def unhide_goal(
    *,
    goal_id: Annotated[str, typer.Argument(metavar="GOAL", help="Id of the goal.")],
    url: Server = URL,
    token: Secret = "",
    as_json: AsJSON = False,
) -> None:
    """Bring a hidden goal back."""
    _change("streamGoalShow", goal_id, url=url, token=token, as_json=as_json)


@goal.command("watch", epilog="Example: ringside goals watch streamgoal_…")
def watch_goal(
    *,
    goal_id: Annotated[str, typer.Argument(metavar="GOAL", help="Id of the goal.")],
    url: Server = URL,
    token: Secret = "",
    as_json: AsJSON = False,
) -> None:
    """Watch a goal fill, until stopped."""
    from api.client import Client
    from api.commands import goals

    run_plainly(lambda: goals.watch(Client(url=url, token=token), goal=goal_id, as_json=as_json))


def _change(verb: str, goal_id: str, *, url: str, token: str, as_json: bool, delta: int | None = None) -> None:
    from api.client import Client
    from api.commands import goals

    run_plainly(lambda: goals.change(Client(url=url, token=token), verb, goal=goal_id, delta=delta, as_json=as_json))
