"""Money: exact to eight decimals, kept as whole hundred-millionths, so that sums are exact on either database."""

from decimal import ROUND_HALF_UP, Decimal, InvalidOperation, localcontext
from typing import Any

from sqlalchemy import BigInteger
from sqlalchemy.engine.interfaces import Dialect
from sqlalchemy.types import TypeDecorator

from db.errors import Invalid

DECIMALS = 8
UNITS = 10**DECIMALS
# Of one execution, and of a cap: far from where a sum of them would not fit.
MOST = Decimal(1_000_000)
# A price is of a thousand: with so many decimals, what one costs has no more than money has.
PRICE_DECIMALS = 5
_SMALLEST = Decimal(1).scaleb(-DECIMALS)
_PER = 1000


class MoneyType(TypeDecorator[Decimal]):
    """A column of money: a `Decimal` in Python, a whole number of hundred-millionths in the database."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> Any:  # noqa: ARG002 -- SQLAlchemy's signature
        """Return the whole number of an amount."""
        return None if value is None else units(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> Decimal | None:  # noqa: ARG002 -- as above
        """Return the amount of a whole number."""
        return None if value is None else amount(value)


def units(value: Decimal) -> int:
    """Return an amount in hundred-millionths. Raises `ValueError` for one that is finer than that."""
    with localcontext(prec=60):
        whole = value.scaleb(DECIMALS)
        if whole != whole.to_integral_value():
            raise ValueError(f"Money has {DECIMALS} decimals at most: {value}")
        return int(whole)


def amount(whole: int) -> Decimal:
    """Return hundred-millionths as an amount, without zeros at its end."""
    with localcontext(prec=60):
        found = Decimal(whole).scaleb(-DECIMALS).normalize()
        return found.quantize(Decimal(1)) if found == found.to_integral_value() else found


def checked_amount(text: str | Decimal, *, field: str, decimals: int = DECIMALS) -> Decimal:
    """Return an amount that may be stored. Raises `Invalid`, naming `field`."""
    try:
        value = Decimal(text)
        is_fine = value.is_finite() and 0 <= value <= MOST and -value.normalize().as_tuple().exponent <= decimals  # type: ignore[operator]  # finite ones have a number there
    except (InvalidOperation, ValueError):
        is_fine = False
    if not is_fine:
        raise Invalid(f"An amount is 0 to {MOST:,} with {decimals} decimals at most, as 12.50 is.", field=field)
    return value


def rounded(value: Decimal) -> Decimal:
    """Return an amount of somebody else's with the decimals that we keep, rounded half up."""
    with localcontext(prec=60):
        return value.quantize(_SMALLEST, rounding=ROUND_HALF_UP)


def cost_of(price_per_thousand: Decimal, quantity: int) -> Decimal:
    """Return what so many cost, to the last digit."""
    with localcontext(prec=60):
        return amount(units(price_per_thousand * quantity / _PER))


def summed(wholes: int, parts: int) -> Decimal:
    """Return a sum that was made in two parts: whole units, and hundred-millionths beside them."""
    return amount(wholes * UNITS + parts)
