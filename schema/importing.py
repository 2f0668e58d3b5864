"""Imports: which lists are taken in, and the mutation that does so with rows that fit into a request."""

from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import aclosing
from enum import StrEnum
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Any, cast

import strawberry
from strawberry.scalars import JSON

from db.access.viewer import Role
from db.accounts.taking_in import ACCOUNTS
from db.errors import Invalid, NotFound
from db.flags.importing import FLAG_MAPPINGS
from db.import_readers import check_headers, flat
from db.importing import Bringer, Importing, ImportReport, Said, take_in
from db.matches.importing import ATHLETES, PLANNED_MATCHES, TOURNAMENTS
from db.settings.importing import SETTINGS
from db.social.importing import ENTRIES, USERS
from schema.context import Asked
from schema.errors import RefusalsAsData, UserError
from schema.exporting import Exports
from schema.fields import Demand, enum, value

if TYPE_CHECKING:
    from schema import Schema

# As many as may be in a request, and a few are no more work than one.
MOST_ROWS = 1000
_ROWS_AT_ONCE = 250

_ALL: Sequence[Importing] = (
    ACCOUNTS,
    ATHLETES,
    ENTRIES,
    FLAG_MAPPINGS,
    PLANNED_MATCHES,
    SETTINGS,
    TOURNAMENTS,
    USERS,
)
IMPORTS: Mapping[str, Importing] = {one.name: one for one in _ALL}


def find_import(name: str, *others: str) -> Importing:
    """Return how a list is taken in. Raises `NotFound`, with those there are and the `others` that the caller knows."""
    found = IMPORTS.get(name)
    if found is None:
        raise NotFound(f"There is no list {name[:80]!r} to import: {', '.join((*IMPORTS, *others))}.", field="kind")
    return found


def known_columns(exports: Exports, importing: Importing) -> list[str]:
    """Return the columns that may be brought: those that are taken in, and those that an export has beside them."""
    exported = {one.header for one in exports.prepare(importing.name).columns}
    return [*dict.fromkeys(one.header for one in importing.fields), *sorted(exported)]


class ImportedList(StrEnum):
    """A list that is taken in; its value is what it is called elsewhere."""

    ACCOUNTS = "accounts"
    ATHLETES = "athletes"
    ENTRIES = "entries"
    FLAG_MAPPINGS = "flag-mappings"
    PLANNED_MATCHES = "planned-matches"
    SETTINGS = "settings"
    TOURNAMENTS = "tournaments"
    USERS = "users"


enum(
    ImportedList,
    "A list that can be taken in.",
    ACCOUNTS="Accounts, of whichever owners; told apart by owner, platform and username. For admins.",
    ATHLETES="Athletes; told apart by name and country. For operators.",
    ENTRIES="What people wrote, whoever they are; told apart by ids. For admins.",
    FLAG_MAPPINGS="Codes that scoring programs write for countries. For operators.",
    PLANNED_MATCHES="The queues of mats; told apart by ids. For operators.",
    SETTINGS="Settings, by their keys. For admins.",
    TOURNAMENTS="Tournaments; told apart by name. For operators.",
    USERS="Users with their roles; told apart by username. For admins.",
)


@value
class ListImportProblem:
    """What is wrong with a row."""

    row: int = strawberry.field(description="Which row: the first is 1.")
    column: str = strawberry.field(description="The column at fault. Empty if it is no single one.")
    reason: str = strawberry.field(description="What is wrong, and what to do.")


@value
class ListImportReport:
    """What became of rows."""

    rows: int = strawberry.field(description="How many were looked at.")
    made: int = strawberry.field(description="How many were new.")
    changed: int = strawberry.field(description="How many were there, and differed.")
    unchanged: int = strawberry.field(description="How many were there as they were brought.")
    is_stored: bool = strawberry.field(
        description="Whether it is stored. With any problem, and in a dry run, nothing is."
    )
    problem_count: int = strawberry.field(description="How much is wrong.")
    problems: list[ListImportProblem] = strawberry.field(description="What is wrong: the first hundred.")


@strawberry.type(description="What came of it.")
class ListImportPayload:
    """What came of `listImport`."""

    report: ListImportReport | None = strawberry.field(
        description="What became of the rows, also where nothing was stored. Null if nobody looked at them."
    )
    errors: list[UserError] = strawberry.field(description="Why nobody looked at them. Empty if somebody did.")


@strawberry.type
class ImportMutations:
    """Lists, taken in."""

    @strawberry.mutation(
        description="Take rows of a list in: all of them, or with anything wrong none. A row that names an id, or what "
        "else tells one from another, changes that one where it differs, so that the same rows again change nothing. "
        "Columns are named as exports name them; those that are left out stay as they are. Whoever watches hears of it "
        "when it is stored. `POST /import/athletes.csv` takes files.",
        extensions=[RefusalsAsData(), Demand(Role.OPERATOR, rows=MOST_ROWS)],
    )
    async def list_import(
        self,
        info: Asked,
        list: Annotated[ImportedList, strawberry.argument(description="Which list.")],
        rows: Annotated[
            "Sequence[JSON]",
            strawberry.argument(
                description="The rows, 1,000 at most: objects, as `{name: …, countryCode: …}`. What lies in another "
                'thing is said within it or by its path: `{mat: {id: …}}`, `{"mat.id": …}`.'
            ),
        ],
        is_dry_run: Annotated[  # noqa: FBT002 -- GraphQL's arguments have names
            bool, strawberry.argument(description="Whether to look at them and store nothing.")
        ] = False,
    ) -> ListImportPayload:
        """Take rows in."""
        context, importing = info.context, IMPORTS[list.value]
        known = _known(cast("Schema", info.schema), list.value)
        by = Bringer(viewer=context.viewer, now=context.now())
        try:
            async with aclosing(_pages(rows, known)) as pages:
                found = await take_in(context.db, importing, pages, by, is_dry_run=is_dry_run, most=MOST_ROWS)
        except Invalid as refusal:
            raise Invalid(refusal.message, field="rows" if refusal.field == "file" else refusal.field) from None
        context.rows.note(found.rows)
        return ListImportPayload(report=_shown(found), errors=[])


# Whichever schema it is: all have the same types.
@lru_cache(maxsize=len(IMPORTS))
def _known(schema: "Schema", name: str) -> list[str]:
    return known_columns(Exports(schema.anew()), IMPORTS[name])


async def _pages(rows: Sequence[Any], known: Sequence[str]) -> AsyncGenerator[Sequence[Said], None]:
    if len(rows) > MOST_ROWS:
        raise Invalid(f"There are {MOST_ROWS} rows at most: send a file to `/import`.", field="file")
    for place in range(0, len(rows), _ROWS_AT_ONCE):
        yield [*_read(rows[place : place + _ROWS_AT_ONCE], known, place + 1)]


def _read(rows: Sequence[Any], known: Sequence[str], first: int) -> Iterator[Said]:
    for number, said in enumerate(rows, start=first):
        if not isinstance(said, dict):
            raise Invalid(f"Row {number} is no object.", field="file")
        row = dict(flat(said, known))
        check_headers(row, known, f"Row {number}")
        yield number, row


def _shown(found: ImportReport) -> ListImportReport:
    return ListImportReport(
        rows=found.rows,
        made=found.made,
        changed=found.changed,
        unchanged=found.unchanged,
        is_stored=found.is_stored,
        problem_count=found.problem_count,
        problems=[ListImportProblem(row=one.line, column=one.column, reason=one.reason) for one in found.problems],
    )
