"""What executions come to over some days, as it can be asked."""

from datetime import date
from decimal import Decimal
from typing import Annotated

import strawberry

from db.accounts.statistics import Statistics, read_statistics
from schema.accounts.vocabulary import ExecutionCause, ExecutionState
from schema.context import Asked
from schema.fields import Demand, value


@value
class ExecutionStateCount:
    """How many executions stand somewhere."""

    state: ExecutionState = strawberry.field(description="Where they stand.")
    count: int = strawberry.field(description="How many.")


@value
class ExecutionCauseCount:
    """How many executions have a cause."""

    cause: ExecutionCause = strawberry.field(description="The cause.")
    count: int = strawberry.field(description="How many.")


@value
class PlatformCount:
    """How many executions are for a platform."""

    platform: str = strawberry.field(description="The platform. Empty for those that are for no account.")
    count: int = strawberry.field(description="How many.")


@value
class DayCount:
    """How many executions were queued on a day."""

    day_on: date = strawberry.field(description="The day, by UTC.")
    count: int = strawberry.field(description="How many.")


@value
class Spending:
    """What executions cost."""

    currency: str = strawberry.field(description="In which currency.")
    estimate: Decimal = strawberry.field(description="What they were to cost, summed to the digit.")
    charge: Decimal = strawberry.field(description="What providers charged, as far as they said, summed to the digit.")


@value
class ExecutionStatistics:
    """What the executions of some days come to. What there is none of is left out."""

    total: int = strawberry.field(description="How many there are.")
    by_state: list[ExecutionStateCount] = strawberry.field(description="By where they stand.")
    by_cause: list[ExecutionCauseCount] = strawberry.field(description="By their causes.")
    by_platform: list[PlatformCount] = strawberry.field(description="By platform.")
    by_day: list[DayCount] = strawberry.field(description="By the day they were queued on, in order.")
    spending: list[Spending] = strawberry.field(description="By currency, without what was skipped.")


@strawberry.type
class ExecutionStatisticsQueries:
    """What can be asked about executions over time."""

    @strawberry.field(
        description="What your executions of some days come to; an admin's are everybody's.", extensions=[Demand(None)]
    )
    async def execution_statistics(
        self,
        info: Asked,
        first_on: Annotated[date, strawberry.argument(description="The first day, by UTC.")],
        last_on: Annotated[date, strawberry.argument(description="The last day: 366 days in all at most.")],
    ) -> ExecutionStatistics:
        """Read and add up."""
        context = info.context
        async with context.db.read() as session:
            found = await read_statistics(session, context.viewer, first=first_on, last=last_on)
        return _shown(found)


def _shown(found: Statistics) -> ExecutionStatistics:
    return ExecutionStatistics(
        total=found.total,
        by_state=[
            ExecutionStateCount(state=state, count=found.states[state])
            for state in ExecutionState
            if state in found.states
        ],
        by_cause=[
            ExecutionCauseCount(cause=cause, count=found.causes[cause])
            for cause in ExecutionCause
            if cause in found.causes
        ],
        by_platform=[
            PlatformCount(platform=platform, count=count) for platform, count in sorted(found.platforms.items())
        ],
        by_day=[DayCount(day_on=day, count=count) for day, count in sorted(found.days.items())],
        spending=[
            Spending(currency=currency, estimate=spent.estimate, charge=spent.charge)
            for currency, spent in found.spent.items()
        ],
    )
