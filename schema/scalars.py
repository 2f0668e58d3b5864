"""Scalars of our own making, and how answers are printed: instants always in UTC and always alike."""

import re
from datetime import UTC, datetime
from decimal import Decimal

import orjson
import strawberry
from strawberry.types.scalar import ScalarDefinition


def print_instant(value: datetime) -> str:
    """Print an aware instant as `2026-11-21T09:30:00.000000Z`: one length, so that texts sort as instants do."""
    # Not `%Y`, which leaves out the zeros of early years.
    return value.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def print_answer(answer: object) -> bytes:
    """Print an answer as JSON."""
    return orjson.dumps(answer)


def read_instant(value: object) -> datetime:
    """Read an instant with its offset. Raises `ValueError`, which GraphQL shows as a coercion error."""
    if not isinstance(value, str):
        raise ValueError("A DateTime is a string such as 2026-11-21T09:30:00Z.")  # noqa: TRY004 -- GraphQL's contract
    try:
        instant = datetime.fromisoformat(value)
    except ValueError as error:
        raise ValueError(f"A DateTime looks like 2026-11-21T09:30:00Z, this does not: {value!r}.") from error
    if instant.tzinfo is None:
        raise ValueError(f"A DateTime says its offset, as 2026-11-21T09:30:00Z does; {value!r} does not.")
    try:
        return instant.astimezone(UTC)
    except OverflowError as error:
        raise ValueError(f"A DateTime lies between the years 1 and 9999 in UTC; {value!r} does not.") from error


def print_decimal(value: Decimal) -> str:
    """Print an amount in full, never with an exponent: `0.00000001`."""
    return format(value, "f")


def read_decimal(value: object) -> Decimal:
    """Read an amount. Raises `ValueError`, which GraphQL shows as a coercion error."""
    if not isinstance(value, str) or _DECIMAL.fullmatch(value) is None:
        raise ValueError('A Decimal is a string of digits such as "12.50".')
    return Decimal(value)


_DECIMAL = re.compile(r"-?[0-9]{1,18}(\.[0-9]{1,18})?", re.ASCII)
SCALARS: dict[object, ScalarDefinition] = {
    datetime: strawberry.scalar(
        name="DateTime",
        description="An instant in UTC, ISO 8601 with microseconds: `2026-11-21T09:30:00.000000Z`.",
        specified_by_url="https://scalars.graphql.org/andimarek/date-time",
        serialize=print_instant,
        parse_value=read_instant,
    ),
    Decimal: strawberry.scalar(
        name="Decimal",
        description='An exact number in decimal digits, as a string: `"12.50"`.',
        serialize=print_decimal,
        parse_value=read_decimal,
    ),
}
