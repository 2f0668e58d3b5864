"""`ringside goals`: the goals of streams, asked of the server that runs, so that every overlay hears of a change."""

from typing import Any

from rich.progress import BarColumn, Progress, TextColumn

from api.client import Client
from api.commands.output import console, plain, print_json, print_table
from db.errors import NotFound

_GOAL = "id name kind state current target percent remaining timesReached"
_LIST = f"query {{ streams(first: 100) {{ nodes {{ id name goals(first: 100) {{ nodes {{ {_GOAL} }} }} }} }} }}"
_STREAM = f"query ($id: ID!) {{ stream(id: $id) {{ id name goals(first: 100) {{ nodes {{ {_GOAL} }} }} }} }}"
_HISTORY = f"""
query ($id: ID!, $first: Int!) {{
  streamGoal(id: $id) {{
    {_GOAL}
    changes(first: $first) {{
      nodes {{ changedAt kind oldValue newValue delta threshold label cause viewerName }}
    }}
  }}
}}"""
_CREATE = f"""
mutation ($stream: ID!, $kind: StreamGoalKind!, $input: StreamGoalInput!) {{
  streamGoalCreate(streamId: $stream, kind: $kind, input: $input) {{
    goal {{ {_GOAL} }} errors {{ field message }}
  }}
}}"""
_WATCH = f"""
subscription ($id: ID!) {{
  streamGoalChanged(goalId: $id) {{
    goals {{ {_GOAL} progress }}
    movements {{ delta hasReached isTest milestones {{ threshold label }} }}
  }}
}}"""


async def show_all(client: Client, *, stream: str | None, as_json: bool) -> None:
    """List goals, of one stream or of all."""
    if stream is None:
        streams = (await client.execute(_LIST))["streams"]["nodes"]
    else:
        found = (await client.execute(_STREAM, id=stream))["stream"]
        if found is None:
            raise NotFound(f"There is no stream {stream}. `ringside goals list` shows those there are.")
        streams = [found]
    if as_json:
        print_json(streams)
        return
    for one in streams:
        rows = [_row(goal) for goal in one["goals"]["nodes"]]
        columns = ["Goal", "Id", "Counts", "So far", "Target", "%", "Reached", "State"]
        print_table(f"{plain(one['name'])} ({one['id']})", columns, rows)
    if not streams:
        console.print("There are no streams yet: streamCreate makes one, in GraphiQL.", highlight=False)


async def show(client: Client, *, goal: str, entries: int, as_json: bool) -> None:
    """Show a goal and the newest entries of its history."""
    found = (await client.execute(_HISTORY, id=goal, first=entries))["streamGoal"]
    if found is None:
        raise _no_goal(goal)
    if as_json:
        print_json(found)
        return
    _say(found)
    rows = [
        (
            change["changedAt"][:19].replace("T", " "),
            change["kind"],
            f"{change['delta']:+}" if change["delta"] else "",
            f"{change['oldValue']} → {change['newValue']}",
            change["label"] or change["threshold"],
            change["viewerName"] or change["cause"].lower(),
        )
        for change in found["changes"]["nodes"]
    ]
    print_table("History, the newest first", ["When (UTC)", "What", "By", "Count", "", "Who"], rows)


async def create(client: Client, *, stream: str, kind: str, terms: dict[str, Any], as_json: bool) -> None:
    """Set a goal."""
    given = {name: value for name, value in terms.items() if value is not None}
    _report((await client.change(_CREATE, stream=stream, kind=kind, input=given))["goal"], as_json=as_json)


async def change(client: Client, verb: str, *, goal: str, delta: int | None = None, as_json: bool) -> None:
    """Do what a mutation of a goal says: add progress, try out, reset, show, hide."""
    declared, given = ("", "") if delta is None else (", $delta: Int!", ", delta: $delta")
    payload = f"goal {{ {_GOAL} }} errors {{ message field }}"
    operation = f"mutation ($id: ID!{declared}) {{ {verb}(id: $id{given}) {{ {payload} }} }}"
    variables = {"id": goal} if delta is None else {"id": goal, "delta": delta}
    _report((await client.change(operation, **variables))["goal"], as_json=as_json)


async def watch(client: Client, *, goal: str, as_json: bool) -> None:
    """Show a goal as it fills, until stopped."""
    columns = (TextColumn("{task.description}"), BarColumn(bar_width=40), TextColumn("{task.fields[said]}"))
    with Progress(*columns, console=console, disable=as_json) as bar:
        task = bar.add_task("", total=1.0, said="")
        async with client.subscribe(_WATCH, id=goal) as answers:
            async for answer in answers:
                changed = answer["streamGoalChanged"]
                if as_json:
                    print_json(changed)
                    continue
                for one in changed["goals"]:
                    said = f"{one['current']:,} of {one['target']:,} ({one['percent']} %)"
                    bar.update(task, description=plain(one["name"]), completed=min(1.0, one["progress"]), said=said)
                for line in _lines(changed["movements"]):
                    bar.console.print(line, highlight=False)


def _lines(movements: list[dict[str, Any]]) -> list[str]:
    lines = []
    for one in movements:
        test = " [dim](a test)[/]" if one["isTest"] else ""
        milestones = "".join(f" · {plain(passed['label'] or passed['threshold'])}" for passed in one["milestones"])
        reached = " [bold green]reached[/]" if one["hasReached"] else ""
        lines.append(f"{one['delta']:+,}{milestones}{reached}{test}")
    return lines


def _report(goal: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(goal)
        return
    _say(goal)


def _say(goal: dict[str, Any]) -> None:
    console.print(
        f"[bold]{plain(goal['name'])}[/] {goal['current']:,} of {goal['target']:,} ({goal['percent']} %), "
        f"{goal['state'].lower()}, {goal['id']}",
        highlight=False,
        soft_wrap=True,
    )


def _row(goal: dict[str, Any]) -> list[object]:
    reached = goal["timesReached"] or ""
    numbers = f"{goal['current']:,}", f"{goal['target']:,}", goal["percent"], reached
    return [goal["name"], goal["id"], goal["kind"], *numbers, goal["state"]]


def _no_goal(goal: str) -> NotFound:
    return NotFound(f"There is no goal {goal}. `ringside goals list` shows those there are.")
