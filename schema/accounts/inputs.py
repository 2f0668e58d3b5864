"""What a client says of accounts, feeds, actions and providers. What is absent stays; null brings the default back."""

from collections.abc import Awaitable, Callable, Iterable
from decimal import Decimal
from typing import Any, TypeVar

import strawberry
from strawberry import Maybe

from db.errors import Invalid
from schema.accounts.vocabulary import ConditionMetric
from schema.inputs import given

T = TypeVar("T")

_MOST_PARAMETERS = 50


@strawberry.input(description="An account to be added or changed. What is absent stays; null brings the default back.")
class AccountInput:
    """An account to be added or changed."""

    platform: Maybe[str | None] = strawberry.field(
        default=None, description="The platform, such as `youtube`: 1 to 60 characters. A new one needs it."
    )
    username: Maybe[str | None] = strawberry.field(
        default=None, description="The name it has there: 1 to 200 characters. A new one needs it."
    )
    display_name: Maybe[str | None] = strawberry.field(
        default=None, description="What it is called here: at most 200 characters. Default: as it is there."
    )
    url: Maybe[str | None] = strawberry.field(
        default=None, description="Where it is: what runs for no post runs for this. Default: that is left open."
    )
    daily_limit: Maybe[int | None] = strawberry.field(
        default=None, description="How many executions may be queued for it in a day. Default: any number."
    )
    daily_spend_limit: Maybe[Decimal | None] = strawberry.field(
        default=None, description="What those may cost in a day: at most 1,000,000. Default: anything."
    )


@strawberry.input(description="A tag to be made or changed. What is absent stays; null brings the default back.")
class TagInput:
    """A tag to be made or changed."""

    name: Maybe[str | None] = strawberry.field(
        default=None, description="The word: 1 to 60 characters, no two alike of one owner. A new one needs it."
    )
    color: Maybe[str | None] = strawberry.field(
        default=None, description="The colour it is shown in, such as `#6B7280`. Default: that."
    )


@strawberry.input(description="A feed to be added or changed. What is absent stays; null brings the default back.")
class FeedInput:
    """A feed to be added or changed."""

    url: Maybe[str | None] = strawberry.field(
        default=None,
        description=(
            "Its address, or that of a page which names it. At another address all that stands there is old at first. "
            "A new one needs it."
        ),
    )
    title: Maybe[str | None] = strawberry.field(
        default=None, description="What it is called: at most 200 characters. Default: as it calls itself."
    )
    keyword: Maybe[str | None] = strawberry.field(
        default=None,
        description=(
            "What a title must contain: at most 200 characters. With another, all that stands there is old at first. "
            "Default: anything."
        ),
    )


@strawberry.input(description="Something that a service is told.")
class ParameterInput:
    """Something that a service is told."""

    name: str = strawberry.field(description="What it is called: see `Service.parameters`.")
    value: str = strawberry.field(description="What it is, as text.")


@strawberry.input(description="An action to be made or changed. What is absent stays; null brings the default back.")
class ActionInput:
    """An action to be made or changed."""

    name: Maybe[str | None] = strawberry.field(
        default=None, description="What it is called: at most 200 characters. Default: as its service is."
    )
    quantity: Maybe[int | None] = strawberry.field(
        default=None, description="How much of it, each time, as its service allows. Default: the least."
    )
    parameters: Maybe[list[ParameterInput] | None] = strawberry.field(
        default=None, description="What the service is told beside that. Default: nothing."
    )
    is_for_posts: Maybe[bool | None] = strawberry.field(
        default=None, description="Whether each new post makes it run. Default: true."
    )
    is_dry_run: Maybe[bool | None] = strawberry.field(
        default=None, description="Whether it only tries out what it would do. Default: false."
    )
    has_screenshots: Maybe[bool | None] = strawberry.field(
        default=None, description="Whether pictures are to be taken before and after. Default: false."
    )
    daily_limit: Maybe[int | None] = strawberry.field(
        default=None, description="How often it may run in a day. Default: any number."
    )


@strawberry.input(description="When an action is to run, beside posts.")
class TriggerInput:
    """When an action is to run, beside posts."""

    cron: Maybe[str | None] = strawberry.field(
        default=None,
        description="Of a schedule: minute, hour, day, month, weekday, as `30 18 * * 1-5`. Default: none.",
    )
    time_zone: Maybe[str | None] = strawberry.field(
        default=None, description="By whose clocks a schedule goes, such as `Europe/Berlin`. Default: `UTC`."
    )
    metric: Maybe[ConditionMetric | None] = strawberry.field(
        default=None, description="What a condition looks at. Default: nothing."
    )
    threshold: Maybe[int | None] = strawberry.field(
        default=None, description="From where on it holds: 1 to 1,000,000. Default: nowhere."
    )


@strawberry.input(description="A provider to be added or changed. What is absent stays; null brings the default back.")
class ProviderInput:
    """A provider to be added or changed."""

    name: Maybe[str | None] = strawberry.field(
        default=None, description="What it is called: 1 to 200 characters, no two alike. A new one needs it."
    )
    url: Maybe[str | None] = strawberry.field(
        default=None,
        description=(
            "Where it is told. It is not shown again. At another address calls are signed with another secret. A new "
            "one needs it, other than a sandbox."
        ),
    )
    is_asked: Maybe[bool | None] = strawberry.field(
        default=None,
        description=(
            "Whether a program that is called can also be asked how executions go, and to stop one. Default: false."
        ),
    )
    daily_limit: Maybe[int | None] = strawberry.field(
        default=None, description="How many executions it may be sent in a day. Default: any number."
    )
    daily_spend_limit: Maybe[Decimal | None] = strawberry.field(
        default=None, description="What those may cost in a day: at most 1,000,000. Default: anything."
    )


def said_of_action(input: ActionInput) -> dict[str, Any]:
    """Return what an input says of an action. Raises `Invalid` for parameters that are said twice."""
    said = given(input)
    if "parameters" in said:
        said["parameters"] = by_name(said["parameters"] or ())
    return said


def by_name(parameters: Iterable[ParameterInput]) -> dict[str, str]:
    """Return parameters by their names. Raises `Invalid` for one that is said twice, and for too many."""
    found: dict[str, str] = {}
    for one in parameters:
        if one.name in found or len(found) == _MOST_PARAMETERS:
            raise Invalid(f"Say each parameter once, and {_MOST_PARAMETERS} at most.", field="parameters")
        found[one.name] = one.value
    return found


def timeless(operation: Callable[..., Awaitable[T]]) -> Callable[..., Awaitable[T]]:
    """Return an operation that may be told the time, and does not care."""

    async def run(tx: Any, *ids: Any, viewer: Any, now: Any, **named: Any) -> T:
        return await operation(tx, *ids, viewer=viewer, **named)

    return run
