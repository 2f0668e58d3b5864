"""`ringside migrate`: where a database stands, forward and back."""

from collections.abc import Callable

from alembic.util import CommandError

from api.commands.output import console, fail, print_json, print_table
from api.migrate import Standing, migrate_down, migrate_up, standing
from db.sqlite_file import find_damage
from db.urls import is_embedded, sqlite_path, without_secret


def up(url: str, *, to: str, as_json: bool) -> None:
    """Move forward."""
    _move(migrate_up, url, to)
    _report(standing(url), as_json=as_json)


def down(url: str, *, to: str, as_json: bool) -> None:
    """Move back."""
    _move(migrate_down, url, to)
    _report(standing(url), as_json=as_json)


def status(url: str, *, as_json: bool) -> bool:
    """Show where a database stands; return whether it is where this version works."""
    found = standing(url)
    _report(found, as_json=as_json)
    return found.is_current


def bring_up_to_date(url: str) -> None:
    """Migrate a file of ours; a server's database is somebody's to decide about. Ends with the command to type.

    A database that is newer is left to newer versions. One that was migrated while it is served goes on being served:
    migrations keep the version before at work.
    """
    damage = find_damage(sqlite_path(url)) if is_embedded(url) else None
    if damage is not None:
        fail(
            f"The database {url} is damaged: {damage}. Nothing was changed. Put a backup in its place "
            "(ringside backup restore), or see what sqlite3's .recover saves of a copy of it."
        )
    found = standing(url)
    if found.is_newer:
        fail(
            f"The database {without_secret(url)} is at revision {found.current}, which this version does not know: the "
            f"newest it knows is {found.newest}. A newer version made it; serve it with that one."
        )
    if is_embedded(url):
        migrate_up(url)
    elif not found.is_current:
        fail(
            f"The database {without_secret(url)} is at revision {found.current or 'none'}, this version works with "
            f"{found.newest}. Bring it up to date first: ringside migrate up --database {without_secret(url)}"
        )


def _move(move: Callable[[str, str], None], url: str, to: str) -> None:
    # Where it stands is asked first: a database that cannot be reached is then refused in our words.
    known = [one.name for one in standing(url).revisions]
    try:
        move(url, to)
    except CommandError:
        fail(f"There is no way to revision {to!r} from here. Those there are: {', '.join(known)}, head and base.")


def _report(found: Standing, *, as_json: bool) -> None:
    if as_json:
        revisions = [
            {"name": one.name, "describes": one.describes, "isApplied": one.is_applied} for one in found.revisions
        ]
        print_json({"current": found.current, "newest": found.newest, "revisions": revisions})
        return
    rows = [("✓" if one.is_applied else "", one.name, one.describes) for one in found.revisions]
    print_table("Migrations", ["", "Revision", "Brings"], rows)
    standing_at = "up to date" if found.is_current else f"at {found.current or 'nothing'}, newest is {found.newest}"
    console.print(f"The database is {standing_at}.", highlight=False)
