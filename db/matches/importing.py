"""What of a competition is taken in from files: athletes, tournaments, and the queues of mats."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlmodel import col, select

from db import import_readers as read
from db.access.viewer import Role
from db.errors import NotFound, Refusal
from db.importing import Bringer, ImportField, ImportReport, ImportRow, TableImport, Values
from db.matches.planning import Place, plan_match, update_planned
from db.matches.tables import Athlete, PlannedMatch, Tournament
from db.matches.terms import LONGEST_NAME, NEW_TOURNAMENT, country_code, tournament_columns
from db.parameters import any_of
from db.session import Transaction
from db.texts import checked


def _athlete(said: Values) -> Values:
    values = dict(said)
    if "name" in said:
        values["name"] = checked(said["name"], "A name", field="name", longest=LONGEST_NAME)
    if "short_name" in said:
        short = checked(said["short_name"], "A name", field="short_name", shortest=0, longest=LONGEST_NAME)
        values["short_name"] = short or values.get("name", "")
    if "country_code" in said:
        values["country_code"] = country_code(said["country_code"])
    return values


ATHLETES = TableImport(
    name="athletes",
    role=Role.OPERATOR,
    model=Athlete,
    fields=(
        ImportField(header="id", column="id", read=read.optional(read.id_of("athlete"))),
        ImportField(header="name", column="name", read=read.text),
        ImportField(header="shortName", column="short_name", read=read.text),
        ImportField(header="countryCode", column="country_code", read=read.text),
    ),
    key=("name", "country_code"),
    needed=("name", "country_code"),
    new=lambda said, _now: {"short_name": said["name"]},
    check=_athlete,
)

TOURNAMENTS = TableImport(
    name="tournaments",
    role=Role.OPERATOR,
    model=Tournament,
    fields=(
        ImportField(header="id", column="id", read=read.optional(read.id_of("tournament"))),
        ImportField(header="name", column="name", read=read.text),
        ImportField(header="city", column="city", read=read.text),
        ImportField(header="countryCode", column="country_code", read=read.text),
        ImportField(header="startsOn", column="starts_on", read=read.optional(read.day)),
        ImportField(header="endsOn", column="ends_on", read=read.optional(read.day)),
    ),
    key=("name",),
    needed=("name",),
    new=lambda _said, now: {**NEW_TOURNAMENT, "created_at": now},
    check=tournament_columns,
)


class _Queue:
    """Planned fights, each put into the queue of its mat as an operator would, behind those that wait there."""

    name = "planned-matches"
    role = Role.OPERATOR
    fields: Sequence[ImportField] = (
        ImportField(header="id", column="id", read=read.optional(read.id_of("plannedmatch"))),
        ImportField(header="mat.id", column="mat_id", read=read.id_of("mat")),
        *(ImportField(header=one, column=one, read=read.text) for one in ("number", "phase", "weight", "division")),
        ImportField(header="day.id", column="tournament_day_id", read=read.optional(read.id_of("tournamentday"))),
        *(
            ImportField(header=f"{side}.{header}", column=f"{side}.{column}", read=read.text)
            for side in ("blue", "red")
            for header, column in (("name", "name"), ("shortName", "short_name"), ("countryCode", "country_code"))
        ),
        *(
            ImportField(header=f"{side}.id", column=f"{side}.id", read=read.optional(read.id_of("athlete")))
            for side in ("blue", "red")
        ),
    )

    async def take(self, tx: Transaction, rows: Sequence[ImportRow], report: ImportReport, by: Bringer) -> None:
        """Plan what is new, change what waits and is said otherwise, and leave the rest."""
        ids = [row.values["id"] for row in rows if row.values.get("id") is not None]
        known: dict[Any, PlannedMatch] = {
            one.id: one for one in await tx.rows(select(PlannedMatch).where(any_of(col(PlannedMatch.id), ids)))
        }
        named = {row.values.get(f"{side}.id") for row in rows for side in ("blue", "red")} - {None}
        athletes = {one.id: one for one in await tx.rows(select(Athlete).where(any_of(col(Athlete.id), named)))}
        for row in rows:
            try:
                await self._take(tx, row, known.get(row.values.get("id")), athletes, report, by.now)
            except Refusal as refusal:
                header = next((one.header for one in self.fields if one.column == refusal.field), refusal.field or "")
                report.blame(row.line, header, refusal.message)

    async def _take(
        self,
        tx: Transaction,
        row: ImportRow,
        before: PlannedMatch | None,
        athletes: Mapping[UUID, Athlete],
        report: ImportReport,
        now: datetime,
    ) -> None:
        said = _plan_of(row.values, athletes)
        if before is None and row.values.get("id") is not None:
            raise NotFound("There is no planned fight of this id here: leave out the id to plan another.", field="id")
        if before is None:
            if row.values.get("mat_id") is None:
                report.blame(row.line, "mat.id", "A new one needs this.")
                return
            await plan_match(tx, row.values["mat_id"], said, Place(), now=now)
            report.made += 1
            return
        other = {name: value for name, value in said.items() if _differs(before, name, value, row.values)}
        if other:
            await update_planned(tx, before.id, other, revision=before.revision)
        report.changed += bool(other)
        report.unchanged += not other


def _plan_of(values: Values, athletes: Mapping[UUID, Athlete]) -> Values:
    """Return what a row says as `plan_match` takes it: an athlete by name and country, or by the id of one."""
    said: Values = {name: values[name] for name in ("number", "phase", "weight", "division") if name in values}
    if "tournament_day_id" in values:
        said["tournament_day_id"] = values["tournament_day_id"]
    for side in ("blue", "red"):
        known = athletes.get(values.get(f"{side}.id"))  # type: ignore[arg-type]  # None is in no mapping
        if known is not None:
            said[side] = {
                "name": known.name,
                "short_name": known.short_name,
                "country_code": known.country_code,
            }
        elif values.get(f"{side}.name"):
            said[side] = {
                column: values.get(f"{side}.{column}", "") for column in ("name", "short_name", "country_code")
            }
        elif f"{side}.id" in values or f"{side}.name" in values:
            said[side] = None
    return said


def _differs(before: PlannedMatch, name: str, value: Any, values: Values) -> bool:
    if name not in {"blue", "red"}:
        return bool(getattr(before, name) != value)
    present = getattr(before, f"{name}_athlete_id")
    if value is None:
        return present is not None
    return f"{name}.id" not in values or present != values[f"{name}.id"]


PLANNED_MATCHES = _Queue()
