"""Descending: which levels below a page are read with it by one statement, and what of the answer is whose."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from graphql import GraphQLError

from db.descent import Descent, Level, compile_descent, parameter_of
from db.errors import Refusal
from db.statements import RawRow
from schema.engine.plan import Edge, EdgeClaim, EdgeMany, EdgeOne, EdgePage, RowSelection
from schema.engine.sharing import below

if TYPE_CHECKING:
    from schema.engine.asking import Question, Run

# What is further down is read with what is there, not with the page.
_MOST_LEVELS = 12


@dataclass(frozen=True, slots=True)
class Branch:
    """Edges that ask alike, and the place of the level they hang on."""

    group: Sequence[Edge]
    above: int | None


@dataclass(frozen=True, slots=True)
class Found:
    """What is asked of each level's connection in a run, and how many rows may be there on the largest level."""

    questions: Sequence["Question | None"]
    parameters: Mapping[str, Any]
    expected: int


@dataclass(slots=True)
class Descending:
    """A page and the levels below it, each behind the one it hangs on."""

    branches: Sequence[Branch]
    compiled: dict[Any, Descent | None] = field(default_factory=dict)

    @classmethod
    def of(cls, pages: Sequence[EdgePage]) -> "Descending":
        """Find what can be read with pages that ask alike."""
        found = [Branch(pages, None)]
        if _is_plain(pages[0]):
            _collect(found, 0, pages)
        return cls(found)

    @property
    def paths(self) -> list[str]:
        """Where the levels stand in the operation."""
        return [branch.group[0].path for branch in self.branches]

    def asked(self, run: "Run", question: "Question", keys: int) -> Found | None:
        """Return what is asked in a run, for so many keys; `None` if nothing is below, or if it may not be asked so.

        What is wrong with a question is said when it is asked, which is never if there are no rows to ask it of.
        """
        if len(self.branches) == 1:
            return None
        try:
            return self._asked(run, question, keys)
        except (GraphQLError, Refusal):
            return None

    def _asked(self, run: "Run", question: "Question", keys: int) -> Found:
        questions: list[Question | None] = []
        parameters: dict[str, Any] = {}
        rows: list[int] = []
        for place, branch in enumerate(self.branches):
            parents = keys if branch.above is None else rows[branch.above]
            edge = branch.group[0]
            if not isinstance(edge, EdgePage):
                questions.append(None)
                rows.append(parents)
                continue
            asked = question if place == 0 else run.question(edge)
            wants_more = any(one.connection.wants_more for one in branch.group if isinstance(one, EdgePage))
            own = asked.parameters(wants_more=wants_more)
            parameters.update({parameter_of(place, name): value for name, value in own.items()})
            questions.append(asked)
            rows.append(parents * asked.page.limit)
        return Found(questions, parameters, max(rows))

    def compiled_for(self, run: "Run", found: Found) -> Descent | None:
        """Return the statement that reads all levels for this sort of viewer and question, if there is one."""
        key = (run.kind, tuple(question and question.shape for question in found.questions))
        if key not in self.compiled:
            levels = [
                _level(run, branch, question) for branch, question in zip(self.branches, found.questions, strict=True)
            ]
            self.compiled[key] = compile_descent(run.session.statements, levels, run.parameters.keys())
        return self.compiled[key]

    def rows_of(self, levels: Sequence[Sequence[RawRow]]) -> Iterator[tuple[int, Sequence[RawRow]]]:
        """Return the rows below the page, by the edges they are read for. Of no rows nobody asks what is below."""
        for branch, rows in zip(self.branches, levels, strict=True):
            if branch.above is not None and levels[branch.above]:
                yield id(branch.group[0]), rows


def _collect(found: list[Branch], place: int, edges: Iterable[Edge]) -> None:
    selections: list[RowSelection] = [selection for edge in edges for selection in below(edge)]
    for group in (group for selection in selections for group in selection.groups):
        if _is_plain(group[0]) and len(found) < _MOST_LEVELS:
            found.append(Branch(group, place))
            _collect(found, len(found) - 1, group)


def _is_plain(edge: Edge) -> bool:
    """Say whether an edge's rows are found by its keys alone, in one step."""
    if isinstance(edge, EdgePage):
        return edge.connection.wants_rows and edge.batch.gathered is None and edge.batch.searched is None
    return isinstance(edge, EdgeOne | EdgeClaim) or (isinstance(edge, EdgeMany) and not edge.below)


def _level(run: "Run", branch: Branch, question: "Question | None") -> Level:
    edge = branch.group[0]
    columns, key = edge.selection.columns, str(edge.parent_key)
    if isinstance(edge, EdgePage) and question is not None:
        statement = edge.batch.statement(run.mode, run.kind, question.shape, columns)
    elif isinstance(edge, EdgeOne | EdgeClaim | EdgeMany):
        statement = edge.batch.statement(run.kind, columns)
    else:
        raise TypeError("What hangs on several tables, or is a walk, is not read with what is above it.")
    return Level(statement, columns, by=edge.batch.by, above=branch.above, key=key)
