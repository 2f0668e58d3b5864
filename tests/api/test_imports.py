"""Lists taken in: what an export wrote changes nothing, what is wrong is told by line, and counters stay exact."""

import asyncio
import csv
from collections.abc import Iterable, Mapping
from contextlib import aclosing
from pathlib import Path
from typing import Any

import orjson
import pytest
from sqlalchemy import func
from sqlmodel import col, select
from typer.testing import CliRunner, Result

from api import import_files
from api.cli import app
from api.export_formats import ExportFormat, ExportWriter
from db.access.tables import User
from db.access.viewer import Role, Viewer
from db.database import Database
from db.errors import Invalid, NotFound
from db.ids import new_id
from db.importing import Bringer, ImportReport, Problem, take_in
from db.matches.tables import Athlete, PlannedMatch
from db.social.recount import find_drift
from db.social.tables import Entry
from schema.context import Context
from schema.exporting import Exports
from schema.ids import encode_id
from schema.importing import IMPORTS, find_import
from tests.conftest import ManualClock
from tests.db.stored import NOW, everything
from tests.support.competition import hold
from tests.support.graph import the_schema
from tests.support.social import make_person, write
from tests.support.world import StandingClock, make_world

_ADMIN = Viewer(user_id=new_id(), token_id=new_id(), role=Role.ADMIN)


@pytest.fixture(scope="module")
def exports() -> Exports:
    return Exports(the_schema().anew())


async def taken(db: Database, exports: Exports, name: str, path: Path, *, is_dry_run: bool = False) -> ImportReport:
    importing = find_import(name)
    exported = [one.header for one in exports.prepare(name).columns]
    known = [*(one.header for one in importing.fields), *exported]
    async with aclosing(import_files.pages(path, import_files.format_of(path, None), known)) as pages:
        return await take_in(db, importing, pages, Bringer(viewer=None, now=NOW), is_dry_run=is_dry_run, most=1_000_000)


async def written(
    db: Database, exports: Exports, name: str, path: Path, *filters: str, viewer: Viewer = _ADMIN
) -> Path:
    """Export a list to a file, in the format that its name says."""
    export = exports.prepare(name, filters=filters)
    writer = ExportWriter(ExportFormat(path.suffix[1:]), export.columns)
    text = writer.begin()
    async for rows in export.pages(Context(db=db, clock=StandingClock(), asker=viewer)):
        text += writer.write(rows)
    await asyncio.to_thread(path.write_bytes, text)
    return path


def table(path: Path, rows: Iterable[Mapping[str, Any]]) -> Path:
    """Write a CSV file by hand."""
    listed = list(rows)
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(listed[0]))
        writer.writeheader()
        writer.writerows(listed)
    return path


def counts(report: ImportReport) -> tuple[int, int, int, int]:
    return report.rows, report.made, report.changed, report.unchanged


async def count_of(db: Database, model: Any) -> int:
    async with db.read() as session:
        return int(await session.scalar(select(func.count()).select_from(model)))


@pytest.mark.parametrize("ending", ["csv", "jsonl"])
async def test_what_was_exported_and_is_taken_in_again_changes_nothing(
    db: Database, exports: Exports, tmp_path: Path, ending: str
) -> None:
    await make_world(db)
    before = await everything(db)

    for name in IMPORTS:
        path = await written(db, exports, name, tmp_path / f"{name}.{ending}")
        report = await taken(db, exports, name, path)

        assert (report.problems, report.made, report.changed) == ([], 0, 0), name
        assert report.rows == report.unchanged > 0, name
    assert await everything(db) == before


async def test_athletes_are_made_changed_and_left_alone(db: Database, exports: Exports, tmp_path: Path) -> None:
    said = [{"name": name, "countryCode": code} for name, code in (("Ann", "kor"), ("Bob", "GER"), ("Ann", "GER"))]
    first = await taken(db, exports, "athletes", table(tmp_path / "a.csv", said))

    more = [{**one, "shortName": one["name"][0]} for one in said[:1]] + [
        {"name": "Bob", "countryCode": "GER", "shortName": "Bob"},
        {"name": "Carl", "countryCode": "SUI", "shortName": ""},
        {"name": "Carl", "countryCode": "SUI", "shortName": "C"},
    ]
    second = await taken(db, exports, "athletes", table(tmp_path / "b.csv", more))

    assert counts(first) == (3, 3, 0, 0)
    # Two rows of one athlete are taken in one after the other.
    assert counts(second) == (4, 1, 2, 1)
    async with db.read() as session:
        rows = await session.rows(select(Athlete).order_by(col(Athlete.name), col(Athlete.country_code)))
    assert [(one.name, one.country_code, one.short_name) for one in rows] == [
        ("Ann", "GER", "Ann"),
        ("Ann", "KOR", "A"),
        ("Bob", "GER", "Bob"),
        ("Carl", "SUI", "C"),
    ]


async def test_a_dry_run_tells_and_stores_nothing(db: Database, exports: Exports, tmp_path: Path) -> None:
    path = table(tmp_path / "a.csv", [{"name": f"{number}", "countryCode": "KOR"} for number in range(1_500)])

    looked = await taken(db, exports, "athletes", path, is_dry_run=True)

    assert (counts(looked), await count_of(db, Athlete)) == ((1_500, 1_500, 0, 0), 0)


async def test_what_is_wrong_is_told_by_line_and_column_and_nothing_is_stored(
    db: Database, exports: Exports, tmp_path: Path
) -> None:
    said = [
        {"username": "ann", "name": "Ann", "role": "MEMBER", "createdAt": "2026-11-21T09:00:00Z"},
        {"username": "", "name": "No name", "role": "MEMBER", "createdAt": "2026-11-21T09:00:00Z"},
        {"username": "bob", "name": "Bob", "role": "KING", "createdAt": "2026-11-21T09:00:00"},
        {"username": "c\nd", "name": "C", "role": "VIEWER", "createdAt": "2026-11-21T09:00:00Z"},
    ]

    report = await taken(db, exports, "users", table(tmp_path / "users.csv", said))

    told = [(one.line, one.column, one.reason.partition(":")[0]) for one in report.problems]
    assert told == [
        (4, "role", "This is one of VIEWER, MEMBER, OPERATOR, ADMIN."),
        (4, "createdAt", "This says no zone"),
        (3, "username", told[2][2]),
        (5, "username", told[3][2]),
    ]
    assert all("letters from a to z" in one[2] for one in told[2:])
    assert (report.problem_count, await count_of(db, User)) == (4, 0)


async def test_a_hundred_problems_are_told_and_all_are_counted(db: Database, exports: Exports, tmp_path: Path) -> None:
    path = table(tmp_path / "a.csv", [{"name": "", "countryCode": "KOR"}] * 1_200)

    report = await taken(db, exports, "athletes", path)

    assert (report.problem_count, len(report.problems)) == (1_200, 100)
    assert report.problems[0] == Problem(line=2, column="name", reason="A name has 1 to 200 characters.")


async def test_people_and_threads_go_into_an_empty_database_with_their_counts(
    db: Database, clock: ManualClock, exports: Exports, tmp_path: Path
) -> None:
    ann, bob = [await make_person(db, clock.now(), name) for name in ("ann", "bob")]
    root = await write(db, ann, NOW, title="Root", tags=["deep"])
    first = await write(db, bob, NOW, parent=root)
    await write(db, ann, NOW, parent=first, privacy="PUBLIC")
    await write(db, ann, NOW, privacy="PRIVATE", kind="DREAM")
    for name in ("users", "entries"):
        await written(db, exports, name, tmp_path / f"{name}.jsonl", viewer=ann)
    said = (tmp_path / "entries.jsonl").read_text()
    async with db.transaction() as tx:
        await tx.execute(Entry.__table__.delete())  # type: ignore[attr-defined]  # SQLModel sets it on table classes
        await tx.execute(User.__table__.delete())  # type: ignore[attr-defined]  # as above

    people = await taken(db, exports, "users", tmp_path / "users.jsonl")
    threads = await taken(db, exports, "entries", tmp_path / "entries.jsonl")
    again = await taken(db, exports, "entries", tmp_path / "entries.jsonl")

    assert (counts(people), counts(threads), counts(again)) == ((2, 2, 0, 0), (4, 4, 0, 0), (4, 0, 0, 4))
    async with db.read() as session:
        assert await find_drift(session) == []
        seqs = [row[0] for row in await session.tuples(select(col(Entry.seq)).order_by(col(Entry.seq)))]
    assert seqs == [5, 6, 7, 8]
    await written(db, exports, "entries", tmp_path / "after.jsonl", viewer=ann)
    stays = {"title", "content", "tags", "privacy", "depth", "createdAt", "author", "parent", "root", "replyCursor"}
    before, after = [
        [{name: one[name] for name in stays} for one in map(orjson.loads, text.splitlines())]
        for text in (said, (tmp_path / "after.jsonl").read_text())
    ]
    assert after == before
    # Whoever replies by hand now gets the next place.
    assert (await write(db, bob, NOW, parent=root)).branch_order == 2


async def test_a_reply_needs_what_it_replies_to_and_an_author(
    db: Database, clock: ManualClock, exports: Exports, tmp_path: Path
) -> None:
    ann = encode_id("user", (await make_person(db, clock.now(), "ann")).user_id)
    gone = encode_id("entry", new_id())
    said = [
        {"author.id": ann, "parent.id": gone, "content": "x"},
        {"author.id": encode_id("user", new_id()), "parent.id": "", "content": "x"},
        {"author.id": ann, "parent.id": "", "content": ""},
    ]

    report = await taken(db, exports, "entries", table(tmp_path / "entries.csv", said))

    assert [(one.line, one.column) for one in report.problems] == [(2, "parent.id"), (3, "author.id"), (4, "content")]
    assert await count_of(db, Entry) == 0


async def test_a_queue_is_planned_by_names_and_stands_in_the_order_of_the_file(
    db: Database, exports: Exports, tmp_path: Path
) -> None:
    held = await hold(db, NOW)
    mat = encode_id("mat", held.mats[0].id)
    said = [
        {
            "mat.id": mat,
            "number": number,
            "phase": "Final",
            "blue.name": "Ann",
            "blue.countryCode": "KOR",
            "red.name": red,
        }
        for number, red in (("101", "Bob"), ("102", ""))
    ]

    report = await taken(db, exports, "planned-matches", table(tmp_path / "queue.csv", said))
    path = await written(db, exports, "planned-matches", tmp_path / "again.csv")
    again = await taken(db, exports, "planned-matches", path)

    assert (counts(report), again.made, again.changed) == ((2, 2, 0, 0), 0, 0)
    async with db.read() as session:
        rows = await session.rows(select(PlannedMatch).order_by(col(PlannedMatch.position)))
    assert [one.number for one in rows][-2:] == ["101", "102"]
    assert rows[-1].red_athlete_id is None


async def test_codes_that_came_along_are_not_changed(db: Database, exports: Exports, tmp_path: Path) -> None:
    said = [
        {"pssCode": "kor", "iocCode": "PRK", "countryName": "Elsewhere"},
        {"pssCode": "XX1", "iocCode": "KOR", "countryName": "Korea"},
    ]

    report = await taken(db, exports, "flag-mappings", table(tmp_path / "codes.csv", said))
    ours = await taken(db, exports, "flag-mappings", table(tmp_path / "ours.csv", said[1:]))

    assert [(one.line, one.column) for one in report.problems] == [(2, "pssCode")]
    assert counts(ours) == (1, 1, 0, 0)


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.csv", b"", "The file is empty"),
        ("a.csv", b"name,nation\nAnn,KOR\n", "there is no column 'nation', but id, name"),
        ("a.csv", b"name,name\nAnn,Ann\n", "a column is there twice"),
        ("a.csv", b"name,countryCode\nAnn\n", "Line 2 cannot be read: It has 1 cells"),
        ("a.csv", b'name,countryCode\n"Ann,KOR\n', "cannot be read"),
        ("a.csv", b"name,countryCode\n\xff\xfe,KOR\n", "it is not UTF-8"),
        ("a.jsonl", b'{"name": "Ann"\n', "Line 1 cannot be read"),
        ("a.jsonl", b"\n[1]\n", "Line 2 cannot be read: it is no object"),
        ("a.jsonl", b'{"nation": 1}\n', "Line 1: there is no column 'nation'"),
        ("a.txt", b"", "Say with --format whether"),
    ],
)
async def test_a_file_that_cannot_be_read_says_where(
    db: Database, exports: Exports, tmp_path: Path, name: str, text: bytes, said: str
) -> None:
    path = tmp_path / name
    path.write_bytes(text)

    with pytest.raises(Invalid) as refused:
        await taken(db, exports, "athletes", path)

    assert (said in refused.value.message, await count_of(db, Athlete)) == (True, 0), refused.value.message


def test_a_list_that_is_not_taken_in_is_answered_with_those_that_are() -> None:
    with pytest.raises(NotFound, match=r"There is no list 'rounds' to import: accounts, athletes, .*, goals\."):
        find_import("rounds", "goals")


# At the console


def ringside(*words: str) -> Result:
    return CliRunner(env={"COLUMNS": "200"}).invoke(app, words)


def test_a_list_is_taken_in_at_the_console_with_a_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RINGSIDE_DATABASE", f"sqlite:///{tmp_path / 'ringside.db'}")
    ringside("token", "create", "--user", "anna", "--label", "Laptop")
    good = str(table(tmp_path / "good.csv", [{"name": "Ann", "countryCode": "KOR"}]))
    bad = str(table(tmp_path / "bad.csv", [{"name": "", "countryCode": "KOR"}]))

    looked = ringside("import", "athletes", good, "--dry-run")
    done = ringside("import", "athletes", good)
    again = ringside("import", "athletes", good, "--json")
    wrong = ringside("import", "athletes", bad)
    told = ringside("import", "athletes", bad, "--json")
    none = ringside("import", "rounds", good)
    monkeypatch.setenv("RINGSIDE_IMPORT_ROWS", "1")
    many = ringside("import", "athletes", str(table(tmp_path / "many.csv", [{"name": "x", "countryCode": "KOR"}] * 2)))

    assert looked.stdout == "Would be taken in: 1 rows, 1 made, 0 changed, 0 unchanged\n"
    assert done.stdout == "Taken in: 1 rows, 1 made, 0 changed, 0 unchanged\n"
    counted = {"rows": 1, "made": 0, "changed": 0, "unchanged": 1, "problemCount": 0, "problems": [], "isStored": True}
    assert orjson.loads(again.stdout) == counted
    assert (wrong.exit_code, "Refused: 1 rows" in wrong.stdout, "A name has 1 to 200" in wrong.stdout) == (
        1,
        True,
        True,
    )
    problem = {"line": 2, "column": "name", "reason": "A name has 1 to 200 characters."}
    assert (told.exit_code, orjson.loads(told.stdout)["problems"]) == (1, [problem])
    assert (none.exit_code, "There is no list 'rounds' to import" in none.stderr) == (1, True)
    assert (many.exit_code, "It has 1 rows at most" in many.stderr) == (1, True)
