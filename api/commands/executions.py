"""`ringside executions`: what was carried out, asked of the server that runs."""

from typing import Annotated, Any

import typer

from api.client import Client
from api.commands.options import AsJSON, run_plainly
from api.commands.output import console, plain, print_json, print_table
from db.accounts.vocabulary import ExecutionState
from db.errors import NotFound

execution = typer.Typer(help="See what was carried out, cancel it or try again.", no_args_is_help=True)

Server = Annotated[str, typer.Option("--url", help="Where the server is.", envvar="RINGSIDE_URL")]
Secret = Annotated[str, typer.Option("--token", help="The token to ask it with.", envvar="RINGSIDE_TOKEN")]

_URL = "http://127.0.0.1:8000"

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


@execution.command("list", epilog="Example: ringside executions list --state UNKNOWN --state FAILED")
def list_executions(
    *,
    count: Annotated[int, typer.Option(help="How many.", min=1, max=100)] = 20,
    state: Annotated[list[ExecutionState] | None, typer.Option(help="Only those in this state.")] = None,
    url: Server = _URL,
    token: Secret = "",
    as_json: AsJSON = False,
) -> None:
    """List the newest executions."""
    states = [one.value for one in state or ()]
    run_plainly(lambda: show_all(Client(url=url, token=token), count=count, states=states, as_json=as_json))


@execution.command("show", epilog="Example: ringside executions show execution_…")
def show_execution(
    *,
    execution_id: Annotated[str, typer.Argument(metavar="EXECUTION", help="Id of the execution.")],
    url: Server = _URL,
    token: Secret = "",
    as_json: AsJSON = False,
) -> None:
    """Show an execution with all that happened to it."""
    run_plainly(lambda: show(Client(url=url, token=token), execution=execution_id, as_json=as_json))


@execution.command("cancel", epilog="Example: ringside executions cancel execution_…")
def cancel_execution(
    *,
    execution_id: Annotated[str, typer.Argument(metavar="EXECUTION", help="Id of the execution.")],
    url: Server = _URL,
    token: Secret = "",
    as_json: AsJSON = False,
) -> None:
    """Cancel an execution, as far as that is still possible."""
    client = Client(url=url, token=token)
    run_plainly(lambda: change(client, "executionCancel", execution=execution_id, as_json=as_json))


@execution.command("retry", epilog="Example: ringside executions retry execution_…")
def retry_execution(
    *,
    execution_id: Annotated[str, typer.Argument(metavar="EXECUTION", help="Id of the execution.")],
    may_repeat: Annotated[
        bool, typer.Option("--may-repeat", help="Also if it may have been carried out, or was within a day.")
    ] = False,
    url: Server = _URL,
    token: Secret = "",
    as_json: AsJSON = False,
) -> None:
    """Queue an execution again."""
    client = Client(url=url, token=token)
    run_plainly(
        lambda: change(client, "executionRetry", execution=execution_id, may_repeat=may_repeat, as_json=as_json)
    )


async def show_all(client: Client, *, count: int, states: list[str], as_json: bool) -> None:
    """List the newest executions."""
    wanted = {"states": [state.upper() for state in states]} if states else None
    found = (await client.execute(_LIST, first=count, filter=wanted))["executions"]["nodes"]
    if as_json:
        print_json(found)
        return
    columns = ["Queued (UTC)", "Id", "What", "State", "For", "Cost"]
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
    said = f"[bold]{one['state'].lower()}[/] {plain(one['serviceName'])} for {plain(one['targetUrl'])}, {_cost(one)}"
    console.print(f"{said}{trouble}", highlight=False, soft_wrap=True)


def _row(one: dict[str, Any]) -> list[object]:
    state = f"{one['state']} ({one['skipReason']})" if one["skipReason"] else one["state"]
    what = f"{one['quantity']:,} of {one['serviceName']}"
    return [_time(one["queuedAt"]), one["id"], what, state, one["targetUrl"], _cost(one)]


def _cost(one: dict[str, Any]) -> str:
    if one["charge"] is not None:
        return f"{one['charge']} {one['currency']}"
    return "" if one["estimate"] is None else f"about {one['estimate']} {one['currency']}"


def _time(instant: str) -> str:
    return instant[:19].replace("T", " ")
