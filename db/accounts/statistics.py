"""What executions come to over some days: by state, cause, platform and day, and what was spent."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, NamedTuple, TypeVar

from sqlalchemy import BigInteger, ColumnElement, Date, String, cast, func
from sqlmodel import col, select

from db.access.viewer import Viewer
from db.accounts.money import UNITS, amount
from db.accounts.tables import Execution
from db.accounts.visibility import visible_executions
from db.accounts.vocabulary import ExecutionCause, ExecutionState
from db.errors import Invalid
from db.session import Session

MOST_DAYS = 366
K = TypeVar("K")


class Group(NamedTuple):
    """Executions that are alike, counted, and what they were estimated at and charged, in hundred-millionths."""

    state: ExecutionState
    cause: ExecutionCause
    platform: str
    day: date
    currency: str
    number: int
    estimate: int
    charge: int


@dataclass(kw_only=True)
class Spent:
    """What executions were estimated at, and what was charged for them."""

    estimate: Decimal
    charge: Decimal


@dataclass(kw_only=True)
class Statistics:
    """What the executions of some days come to."""

    total: int
    states: dict[ExecutionState, int] = field(default_factory=dict)
    causes: dict[ExecutionCause, int] = field(default_factory=dict)
    platforms: dict[str, int] = field(default_factory=dict)
    days: dict[date, int] = field(default_factory=dict)
    spent: dict[str, Spent] = field(default_factory=dict)


async def read_statistics(session: Session, viewer: Viewer, *, first: date, last: date) -> Statistics:
    """Count what was queued from the first to the last day, by UTC. Raises `Invalid` for days out of order."""
    if not first <= last < first + timedelta(days=MOST_DAYS):
        raise Invalid(f"The last day is the first or a later one, {MOST_DAYS} days in all at most.", field="last_on")
    begin = datetime.combine(first, time(), UTC)
    end = datetime.combine(last, time(), UTC) + timedelta(days=1)
    statement = _groups(session.dialect, begin, end, visible_executions(viewer.kind))
    rows = await session.tuples(statement, **viewer.parameters)
    return summed_up([_group(row) for row in rows])


def summed_up(groups: Iterable[Group]) -> Statistics:
    """Add groups up, in every way that is asked for. Skipped executions cost nothing."""
    found = Statistics(total=0)
    money: dict[str, tuple[int, int]] = {}
    for group in groups:
        found.total += group.number
        _count(found.states, group.state, group.number)
        _count(found.causes, group.cause, group.number)
        _count(found.platforms, group.platform, group.number)
        _count(found.days, group.day, group.number)
        if group.state is not ExecutionState.SKIPPED:
            estimate, charge = money.get(group.currency, (0, 0))
            money[group.currency] = (estimate + group.estimate, charge + group.charge)
    found.spent = {
        currency: Spent(estimate=amount(estimate), charge=amount(charge))
        for currency, (estimate, charge) in sorted(money.items())
    }
    return found


def _groups(dialect: str, begin: datetime, end: datetime, seen: ColumnElement[bool] | None) -> Any:
    day = _day_of(dialect)
    keys = (col(Execution.state), col(Execution.cause), col(Execution.platform), day, col(Execution.currency))
    sums = [
        cast(func.coalesce(func.sum(part), 0), BigInteger)
        for column in (col(Execution.estimate), col(Execution.charge))
        # In two parts, which a sum of any number of rows has room for.
        for part in (_whole(column) // UNITS, _whole(column) % UNITS)
    ]
    during = col(Execution.queued_at) >= begin, col(Execution.queued_at) < end
    statement = select(*keys, func.count(), *sums).where(*during)  # type: ignore[call-overload]  # more columns than it has overloads for
    return (statement if seen is None else statement.where(seen)).group_by(*keys).order_by(*keys)


def _whole(column: Any) -> Any:
    return cast(column, BigInteger)


def _day_of(dialect: str) -> Any:
    if dialect == "sqlite":
        return func.substr(col(Execution.queued_at), 1, 10, type_=String())
    return cast(func.timezone("UTC", col(Execution.queued_at)), Date)


def _group(row: Any) -> Group:
    state, cause, platform, day, currency, count, *sums = row
    wholes, parts, charged, charged_parts = sums
    return Group(
        state,
        cause,
        platform,
        day if isinstance(day, date) else date.fromisoformat(day),
        currency,
        count,
        wholes * UNITS + parts,
        charged * UNITS + charged_parts,
    )


def _count(counts: dict[K, int], key: K, by: int) -> None:
    counts[key] = counts.get(key, 0) + by
