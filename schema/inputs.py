"""What the inputs of all domains share."""

from dataclasses import fields
from typing import Any

from strawberry import Some


def given(input: Any) -> dict[str, Any]:
    """Return what an input says, by name, without what is absent."""
    said = {field.name: getattr(input, field.name) for field in fields(input)}
    return {name: maybe.value for name, maybe in said.items() if isinstance(maybe, Some)}
