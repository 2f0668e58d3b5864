"""How templates can be changed, sessions made from them, and the zone set that their days are of."""

from datetime import date, time
from typing import Annotated, Any

import strawberry
from strawberry import Maybe

from db.access.viewer import Role
from db.errors import Invalid
from db.practice import templates
from schema.changes import change, change_one, changed
from schema.context import Asked
from schema.errors import RefusalsAsData, UserError
from schema.fields import Demand
from schema.ids import decode_id
from schema.inputs import given
from schema.practice.inputs import decode_ids
from schema.practice.types import PracticeSession, SessionTemplate
from schema.practice.vocabulary import Weekday


@strawberry.input(description="A template to be made or changed. What is absent stays; null brings the default back.")
class SessionTemplateInput:
    """A template to be made or changed."""

    name: Maybe[str | None] = strawberry.field(
        default=None,
        description="What it is called: 1 to 255 characters, no two alike of one owner. A new one needs it.",
    )
    description: Maybe[str | None] = strawberry.field(
        default=None, description="What is said of its sessions: at most 5,000 characters. Default: nothing."
    )
    planned_seconds: Maybe[int | None] = strawberry.field(
        default=None, description="How long its sessions are to be: a second to a week. Default: that is left open."
    )
    location: Maybe[str | None] = strawberry.field(
        default=None, description="Where they are: at most 255 characters. Default: nothing."
    )
    tags: Maybe[list[str] | None] = strawberry.field(
        default=None, description="Words to find them by, at most 20. Default: none."
    )
    goal_names: Maybe[list[str] | None] = strawberry.field(
        default=None, description="Names of immediate goals that each begins with, at most 50. Default: none."
    )
    weekdays: Maybe[list[Weekday] | None] = strawberry.field(
        default=None, description="The days on which it recurs. Default: none, and it does not."
    )
    time_of_day: Maybe[str | None] = strawberry.field(
        default=None, description="When its sessions start on those, such as `18:30`. Default: midnight."
    )
    starts_on: Maybe[date | None] = strawberry.field(
        default=None, description="The first day it may recur on. Default: any."
    )
    ends_on: Maybe[date | None] = strawberry.field(
        default=None, description="The last day it may recur on. Default: it goes on for ever."
    )


@strawberry.type(description="What came of it.")
class PracticePlanRecurringPayload:
    """What came of `practicePlanRecurring`."""

    sessions: list[PracticeSession] | None = strawberry.field(
        description="Those that were planned now, in order. Null if it was refused."
    )
    errors: list[UserError] = strawberry.field(description="Why it was refused. Empty if it was not.")


@strawberry.type
class SessionTemplateMutations:
    """How templates can be changed, and sessions made from them."""

    @change(
        SessionTemplate,
        "template",
        "Make a template of sessions of yours.",
        result="The template after the change; of a removal, as it was.",
    )
    async def session_template_create(
        self,
        info: Asked,
        goal_ids: Annotated[
            list[strawberry.ID], strawberry.argument(description="The short-term goals its sessions are for, 1 to 10.")
        ],
        input: Annotated[SessionTemplateInput, strawberry.argument(description="The template.")],
    ) -> Any:
        """Make a template."""
        return await changed(
            info,
            templates.create_template,
            owner_id=info.context.viewer.user_id,
            goal_ids=decode_ids(goal_ids, kind="goal", field="goal_ids"),
            changes=_changes(input),
        )

    @change(
        SessionTemplate,
        "template",
        "Change some of a template. Sessions that were made from it stay as they are.",
        result="The template after the change; of a removal, as it was.",
    )
    async def session_template_update(
        self,
        info: Asked,
        id: Annotated[strawberry.ID, strawberry.argument(description="The template.")],
        input: Annotated[SessionTemplateInput, strawberry.argument(description="What to change.")],
        goal_ids: Annotated[
            list[strawberry.ID] | None,
            strawberry.argument(description="The short-term goals its sessions are for, 1 to 10. Null: as they are."),
        ] = None,
    ) -> Any:
        """Change some of a template."""
        goals = None if goal_ids is None else decode_ids(goal_ids, kind="goal", field="goal_ids")
        template_id = decode_id(id, kind="sessiontemplate")
        return await changed(info, templates.update_template, template_id, _changes(input), goal_ids=goals)

    session_template_delete = change_one(
        "session_template_delete",
        "Remove a template. Its sessions stay.",
        templates.delete_template,
        of=SessionTemplate,
        name="template",
        kind="sessiontemplate",
        argument="The template.",
        result="The template after the change; of a removal, as it was.",
    )

    session_template_use = change_one(
        "session_template_use",
        "Plan a session from a template.",
        templates.use_template,
        of=PracticeSession,
        name="session",
        kind="sessiontemplate",
        argument="The template.",
        result="The session.",
    )

    @strawberry.mutation(
        description=(
            "Plan your sessions that recur, from today to a day, as far as they are not planned yet. One that was "
            "deleted is not planned again."
        ),
        extensions=[RefusalsAsData(), Demand(Role.MEMBER)],
    )
    async def practice_plan_recurring(
        self,
        info: Asked,
        until: Annotated[date, strawberry.argument(description="The last day, at most 92 days ahead.")],
    ) -> PracticePlanRecurringPayload:
        """Plan what recurs."""
        rows = await changed(info, templates.plan_recurring, owner_id=info.context.viewer.user_id, until=until)
        return PracticePlanRecurringPayload(sessions=rows, errors=[])  # type: ignore[arg-type]  # rows stand for their type

    @change(
        str,
        "time_zone",
        "Say in which time zone your days begin, for statistics and for what recurs.",
        result="The zone.",
    )
    async def practice_set_time_zone(
        self,
        info: Asked,
        time_zone: Annotated[str, strawberry.argument(description="Its name, such as `Asia/Seoul`.")],
    ) -> Any:
        """Set the zone."""
        row = await changed(info, templates.set_time_zone, owner_id=info.context.viewer.user_id, name=time_zone)
        return row.time_zone


def _changes(input: SessionTemplateInput) -> dict[str, Any]:
    """Return what an input says of a template, in the words of `db`. Raises `Invalid`."""
    changes = given(input)
    if "time_of_day" in changes:
        changes["minute_of_day"] = _minute(changes.pop("time_of_day"))
    return changes


def _minute(text: str | None) -> int:
    try:
        at = time.fromisoformat(text or "00:00")
    except ValueError as error:
        raise Invalid("A time of day looks like 18:30.", field="time_of_day") from error
    if at != time(at.hour, at.minute):
        raise Invalid("A time of day has hours and minutes alone, as 18:30 has.", field="time_of_day")
    return at.hour * 60 + at.minute
