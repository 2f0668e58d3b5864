"""`ringside executions`: what its commands may be told."""

from typing import Annotated

import typer

from api.commands.options import URL, AsJSON, Secret, Server, run_plainly
from db.accounts.vocabulary import ExecutionState

execution = typer.Typer(help="See what was carried out, cancel it or try again.", no_args_is_help=True)


@execution.command("list", epilog="Example: ringside executions list --state UNKNOWN --state FAILED")
def list_executions(
    *,
    count: Annotated[int, typer.Option(help="How many.", min=1, max=100)] = 20,
    state: Annotated[list[ExecutionState] | None, typer.Option(help="Only those in this state.")] = None,
    url: Server = URL,
    token: Secret = "",
    as_json: AsJSON = False,
) -> None:
    """List the newest executions."""
    from api.client import Client
    from api.commands import executions

    states = [one.value for one in state or ()]
    run_plainly(lambda: executions.show_all(Client(url=url, token=token), count=count, states=states, as_json=as_json))


@execution.command("show", epilog="Example: ringside executions show execution_…")
def show_execution(
    *,
    execution_id: Annotated[str, typer.Argument(metavar="EXECUTION", help="Id of the execution.")],
    url: Server = URL,
    token: Secret = "",
    as_json: AsJSON = False,
) -> None:
    """Show an execution with all that happened to it."""
    from api.client import Client
    from api.commands import executions

    run_plainly(lambda: executions.show(Client(url=url, token=token), execution=execution_id, as_json=as_json))


@execution.command("cancel", epilog="Example: ringside executions cancel execution_…")
def cancel_execution(
    *,
    execution_id: Annotated[str, typer.Argument(metavar="EXECUTION", help="Id of the execution.")],
    url: Server = URL,
    token: Secret = "",
    as_json: AsJSON = False,
) -> None:
    """Cancel an execution, as far as that is still possible."""
    from api.client import Client
    from api.commands import executions

    client = Client(url=url, token=token)
    run_plainly(lambda: executions.change(client, "executionCancel", execution=execution_id, as_json=as_json))


@execution.command("retry", epilog="Example: ringside executions retry execution_…")
def retry_execution(
    *,
    execution_id: Annotated[str, typer.Argument(metavar="EXECUTION", help="Id of the execution.")],
    may_repeat: Annotated[
        bool, typer.Option("--may-repeat", help="Also if it may have been carried out, or was within a day.")
    ] = False,
    url: Server = URL,
    token: Secret = "",
    as_json: AsJSON = False,
) -> None:
    """Queue an execution again."""
    from api.client import Client
    from api.commands import executions

    client = Client(url=url, token=token)
    run_plainly(
        lambda: executions.change(
            client, "executionRetry", execution=execution_id, may_repeat=may_repeat, as_json=as_json
        )
    )
