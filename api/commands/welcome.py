"""What a person is shown when a server is up."""

from typing import Any

from api.commands.output import console, plain
from api.settings import Settings
from db.urls import without_secret


def show_welcome(settings: Settings, told: dict[str, Any]) -> None:
    """Show a person what a worker told for programs."""
    links = {"GraphiQL": told["graphql"] + fragment_of(told["token"])}
    show_links(settings, links, is_demo=False, is_first=bool(told["token"]))


def show_links(settings: Settings, links: dict[str, str], *, is_demo: bool, is_first: bool) -> None:
    """Show where everything is."""
    console.rule("[bold green]Ringside[/]", align="left", style="green")
    for line in _lines(settings, links, is_demo=is_demo, is_first=is_first):
        # Unwrapped, so that a link can be copied in one piece.
        console.print(line, soft_wrap=True, highlight=False)


def _lines(settings: Settings, links: dict[str, str], *, is_demo: bool, is_first: bool) -> list[str]:
    lines = [f"[bold]{name:<10}[/] [link={link}]{link}[/link]" for name, link in links.items()]
    lines.append(f"[bold]UDP[/]        {settings.pss_host}:{settings.pss_port} for {plain(settings.pss_mat)}")
    lines.append(f"[bold]Database[/]   {plain(without_secret(settings.database))}")
    if settings.workers > 1:
        lines.append(f"[bold]Workers[/]    {settings.workers}")
    if is_demo:
        lines += [
            "",
            "A recorded final is being replayed: points arrive within the first quarter of a minute.",
            "An invented audience fills the goals of a stream.",
            "An account posts every half minute: `executions` shows what that makes run.",
        ]
    elif is_first:
        lines += ["", "This is the first start: the link above carries the admin's token. It is not shown again."]
    else:
        lines += ["", "[dim]A link with a token: ringside token create --user admin --label laptop[/]"]
    return [*lines, "[dim]Stop with Ctrl+C.[/]"]


def fragment_of(secret: str | None) -> str:
    """Return the end of a link that carries a token: browsers never send it."""
    return "" if secret is None else f"#token={secret}"
