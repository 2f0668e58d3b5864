"""What providers do: the services that each kind of them comes with, and what those may be told."""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from db.accounts.vocabulary import ParameterKind, ProviderKind, ServiceKind
from db.errors import Invalid
from db.texts import checked

LONGEST_TEXT = 2000
# What stands for something of the post or the account in a text.
PLACES = ("{title}", "{url}", "{account}", "{platform}")


def _parameter(name: str, kind: ParameterKind, description: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "kind": kind.value, "description": description, "is_required": False, **more}


_OUTCOMES = ["COMPLETED", "PARTIAL", "FAILED", "CANCELED", "REFUSED", "LOST", "BUSY"]
_OUTCOME = _parameter(
    "outcome", ParameterKind.CHOICE, "How it is to end, to try out what becomes of it.", choices=_OUTCOMES
)
_TEXT = _parameter(
    "text",
    ParameterKind.TEXT,
    "What is said. `{title}`, `{url}`, `{account}` and `{platform}` are filled in.",
    most=LONGEST_TEXT,
)


def _service(key: str, kind: ServiceKind, name: str, **more: Any) -> dict[str, Any]:
    usual = {"category": "", "price_per_thousand": Decimal(0), "min_quantity": 1, "max_quantity": 1}
    return {"key": key, "kind": kind, "name": name, **usual, "parameters": [], "can_be_canceled": False, **more}


SERVICES: dict[ProviderKind, Sequence[Mapping[str, Any]]] = {
    ProviderKind.SANDBOX: (
        _service(
            "cards",
            ServiceKind.ORDER,
            "Printed cards",
            category="Samples",
            price_per_thousand=Decimal("12.34567"),
            min_quantity=10,
            max_quantity=100_000,
            parameters=[_OUTCOME],
            can_be_canceled=True,
        ),
        _service(
            "stickers",
            ServiceKind.ORDER,
            "Stickers",
            category="Samples",
            price_per_thousand=Decimal("0.9"),
            max_quantity=1_000_000,
            parameters=[_OUTCOME],
        ),
        _service("test", ServiceKind.CALL, "A trial that costs nothing", category="Samples", parameters=[_OUTCOME]),
    ),
    ProviderKind.WEBHOOK: (_service("call", ServiceKind.CALL, "A signed call", parameters=[_TEXT]),),
    ProviderKind.NOTIFY: (_service("message", ServiceKind.MESSAGE, "A message", parameters=[_TEXT]),),
}


def checked_parameters(declared: Iterable[Mapping[str, Any]], given: Mapping[str, str]) -> dict[str, Any]:
    """Return the parameters that a service is to be told. Raises `Invalid` for what it does not take."""
    known = {one["name"]: one for one in declared}
    for name in given:
        if name not in known:
            takes = ", ".join(known) or "none"
            raise Invalid(f"This service takes no parameter {name[:60]!r}. It takes: {takes}.", field="parameters")
    for name, one in known.items():
        if one["is_required"] and name not in given:
            raise Invalid(f"This service needs the parameter {name!r}.", field="parameters")
    return {name: _checked(known[name], text) for name, text in given.items()}


def _checked(declared: Mapping[str, Any], text: str) -> Any:
    name, kind = declared["name"], ParameterKind(declared["kind"])
    if kind is ParameterKind.INTEGER:
        return _integer(declared, text)
    if kind is ParameterKind.CHOICE:
        if text not in declared["choices"]:
            raise Invalid(f"{name} is one of {', '.join(declared['choices'])}.", field="parameters")
        return text
    return checked(text, f"The parameter {name}", field="parameters", longest=declared["most"], shortest=0)


def _integer(declared: Mapping[str, Any], text: str) -> int:
    least, most = declared["least"], declared["most"]
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdigit() and len(digits) < 10 and least <= int(text) <= most):  # noqa: PLR2004 -- more digits than any bound has
        raise Invalid(f"{declared['name']} is a whole number from {least} to {most}.", field="parameters")
    return int(text)


def filled_in(parameters: Mapping[str, Any], **values: str) -> dict[str, Any]:
    """Return parameters with what stands for something filled in, each place once."""
    return {name: _filled(value, values) if isinstance(value, str) else value for name, value in parameters.items()}


def _filled(text: str, values: Mapping[str, str]) -> str:
    made, rest = [], text
    while rest:
        begun = [(rest.find(place), place) for place in PLACES if place in rest]
        if not begun:
            break
        at, place = min(begun)
        made += [rest[:at], values.get(place[1:-1], "")]
        rest = rest[at + len(place) :]
    return "".join([*made, rest])
