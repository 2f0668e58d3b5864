"""`ringside migrate`: where a database stands, forward and back."""

from api.commands.output import console, print_json, print_table
from api.migrate import Standing, migrate_down, migrate_up, standing


def up(url: str, *, to: str, as_json: bool) -> None:
    """Move forward."""
    migrate_up(url, to)
    _report(standing(url), as_json=as_json)


def down(url: str, *, to: str, as_json: bool) -> None:
    """Move back."""
    migrate_down(url, to)
    _report(standing(url), as_json=as_json)


def status(url: str, *, as_json: bool) -> bool:
    """Show where a database stands; return whether it is where this version works."""
    found = standing(url)
    _report(found, as_json=as_json)
    return found.is_current


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
