"""Explaining: what a run of a plan read, step by step, as a tree for people and as data for programs."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from schema.engine.asking import Traced

_MILLISECONDS = 1000.0


@dataclass
class Step:
    """One step of a plan: where it stands in the operation, and the statements it ran, more than one if counted too."""

    path: str
    statements: list[Traced] = field(default_factory=list)
    steps: "list[Step]" = field(default_factory=list)

    @property
    def name(self) -> str:
        """The last part of its path."""
        return self.path.rpartition(".")[2]


def tree(trace: Sequence[Traced]) -> list[Step]:
    """Return the steps of a run, each under the one whose rows it hangs on."""
    by_path: dict[str, Step] = {}
    roots: list[Step] = []
    for one in sorted(trace, key=lambda traced: traced.path.count(".")):
        step = by_path.get(one.path)
        if step is None:
            step = by_path[one.path] = Step(one.path)
            _nearest(by_path, one.path, roots).append(step)
        step.statements.append(one)
    return roots


def as_data(path: str | None, trace: Sequence[Traced]) -> dict[str, Any]:
    """Return what `extensions.explain` says: which path answered, and the steps with their times in milliseconds."""
    return {
        "path": path,
        "statementCount": len(trace),
        "milliseconds": _rounded(sum(one.seconds for one in trace)),
        "steps": [_step_data(step) for step in tree(trace)],
    }


def in_one_line(trace: Sequence[Traced]) -> str:
    """Return the steps for a log line: where, how many rows, how long. No statements and no values."""
    return "; ".join(f"{one.path} {one.rows} rows {one.seconds * _MILLISECONDS:.1f} ms" for one in trace)


def lines(steps: Sequence[Step], depth: int = 0) -> Iterator[tuple[int, Step]]:
    """Walk a tree of steps with their depths."""
    for step in steps:
        yield depth, step
        yield from lines(step.steps, depth + 1)


def _nearest(by_path: dict[str, Step], path: str, roots: list[Step]) -> list[Step]:
    """Return the list a step belongs in: that of the closest step above it."""
    above = path
    while "." in above:
        above = above.rpartition(".")[0]
        if above in by_path:
            return by_path[above].steps
    return roots


def _step_data(step: Step) -> dict[str, Any]:
    return {
        "path": step.path,
        "statements": [
            {
                "sql": one.sql,
                "keys": one.keys,
                "rows": one.rows,
                "milliseconds": _rounded(one.seconds),
                "togetherWith": list(one.below),
            }
            for one in step.statements
        ],
        "steps": [_step_data(inner) for inner in step.steps],
    }


def _rounded(seconds: float) -> float:
    return round(seconds * _MILLISECONDS, 3)
