"""`ringside executions`: what was carried out, asked of the server that runs."""

from typing import Any

from api.client import Client
from api.commands.output import console, plain, print_json, print_table
from db.errors import NotFound

_EXECUTION = (
    "id state skipReason cause platform serviceName targetUrl quantity estimate charge currency queuedAt lastError"
)
_LIST = f"""
query ($first: Int!, $filter: ExecutionFilter) {{
  executions(first: $first, filter: $filter) {{ nodes {{ {_EXECUTION} }} }}
}}"""
_ONE = f"""
query ($id: ID!) {{
  execution(id: $id) {{ {_EXECUTION} timeline(first: 100) {{ nodes {{ happenedAt state note }} }} }}
}}"""


async def show_all(client: Client, *, count: int, states: list[str], as_json: bool) -> None:
    """List the newest executions."""
    wanted = {"states": [state.upper() for state in states]} if states else None
    found = (await client.execute(_LIST, first=count, filter=wanted))["executions"]["nodes"]
    if as_json:
        print_json(found)
        return
    columns = ["What, for what, and its id", "State", "Queued (UTC)"]
    print_table("Executions, the newest first", columns, [_row(one) for one in found])


async def show(client: Client, *, execution: str, as_json: bool) -> None:
    """Show an execution and all that happened to it."""
    found = (await client.execute(_ONE, id=execution))["execution"]
    if found is None:
        raise NotFound(f"There is no execution {execution}. `ringside executions list` shows those there are.")
    if as_json:
        print_json(found)
        return
    _say(found)
    rows = [(_time(one["happenedAt"]), one["state"], one["note"]) for one in found["timeline"]["nodes"]]
    print_table("What happened", ["When (UTC)", "State", ""], rows)


async def change(client: Client, verb: str, *, execution: str, may_repeat: bool = False, as_json: bool) -> None:
    """Do what a mutation of an execution says: cancel, retry."""
    more = ", mayRepeat: true" if may_repeat else ""
    payload = f"execution {{ {_EXECUTION} }} errors {{ field message }}"
    operation = f"mutation ($id: ID!) {{ {verb}(id: $id{more}) {{ {payload} }} }}"
    found = (await client.change(operation, id=execution))["execution"]
    if as_json:
        print_json(found)
        return
    _say(found)


def _say(one: dict[str, Any]) -> None:
    trouble = f" [dim]{plain(one['lastError'])}[/]" if one["lastError"] else ""
    said = f"[bold]{_state(one)}[/]: {plain(_what(one))} for {plain(one['targetUrl'])}"
    console.print(f"{said}{trouble}", highlight=False, soft_wrap=True)


def _row(one: dict[str, Any]) -> list[object]:
    # Few columns, so that an id has room in a terminal of 80.
    return [(_what(one), one["targetUrl"], one["id"]), _state(one), tuple(_time(one["queuedAt"]).split())]


def _what(one: dict[str, Any]) -> str:
    cost = _cost(one)
    return f"{one['quantity']:,} of {one['serviceName']}" + (f", {cost}" if cost else "")


def _state(one: dict[str, Any]) -> str:
    state, reason = (plain(one[name] or "").lower().replace("_", " ") for name in ("state", "skipReason"))
    return f"{state} ({reason})" if reason else state


def _cost(one: dict[str, Any]) -> str:
    if one["charge"] is not None:
        return f"{one['charge']} {one['currency']}"
    return "" if one["estimate"] is None else f"about {one['estimate']} {one['currency']}"


def _time(instant: str) -> str:
    return instant[:19].replace("T", " ")
