"""The steps of the schema's history, as the folder of migrations has them, and which a database has yet to take."""

from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from alembic.config import Config
from alembic.script import ScriptDirectory


@dataclass(frozen=True, kw_only=True)
class Migration:
    """A step: the revision that it leads to, and what it brings."""

    revision: str
    title: str


@cache
def migrations() -> tuple[Migration, ...]:
    """Return all steps, the first first."""
    config = Config()
    config.set_main_option("script_location", str(files("migrations")))
    steps = ScriptDirectory.from_config(config).walk_revisions()
    return tuple(reversed([Migration(revision=step.revision, title=step.doc) for step in steps]))


def pending_after(revision: str) -> tuple[Migration, ...]:
    """Return the steps behind a revision: all of them behind none, and none behind one that is not known."""
    steps = migrations()
    if not revision:
        return steps
    place = next((place for place, step in enumerate(steps, start=1) if step.revision == revision), len(steps))
    return steps[place:]
