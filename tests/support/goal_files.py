"""Files of goals as the ancestor wrote them, made up."""

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from random import Random
from typing import Any
from uuid import UUID, uuid4

TYPES = ("UltimateGoal", "LongTermGoal", "MidTermGoal", "ShortTermGoal", "ImmediateGoal", "MicroGoal", "NanoGoal")
_SHORT, _IMMEDIATE = 3, 4
_CREATED = "2025-12-21T22:52:28.442831"


def goal(kind: str, name: Any, *, id: str | None = None, children: Sequence[Any] = (), **said: Any) -> dict[str, Any]:  # noqa: A002 -- the file's word
    id = id or str(uuid4())  # noqa: A001 -- as above
    attributes = {"id": id, "type": kind, "description": "", "deadline": None, "completed": False}
    attributes |= {"created_at": _CREATED, **said}
    return {"name": name, "id": id, "attributes": attributes, "children": list(children)}


def session(name: str, *, parents: Sequence[str] = (), **said: Any) -> dict[str, Any]:
    return goal("PracticeSession", name, parent_ids=list(parents), **said)


def nodes_of(trees: Sequence[Any]) -> Iterator[Any]:
    """Return every node of a file, a session as often as it stands there."""
    for tree in trees:
        yield tree
        yield from nodes_of(tree["children"])


def made_up_file(seed: int, size: int) -> list[Any]:
    """A file of about so many nodes, the same for the same seed."""
    return _Maker(seed, size).trees()


class _Maker:
    """Makes goals until there are enough. Every third short-term goal shares its session with the one before."""

    def __init__(self, seed: int, size: int) -> None:
        self._chance = Random(seed)  # noqa: S311 -- nothing to keep secret
        self._left = size

    def trees(self) -> list[Any]:
        made = []
        while self._left > 0:
            made.append(self._tree())
        return made

    def _tree(self) -> Any:
        tree = self._grown(0, date(2027, 12, 31))
        shorts = [node for node in nodes_of([tree]) if node["attributes"]["type"] == TYPES[_SHORT]]
        for number, short in enumerate(shorts):
            if self._left > 0:
                self._try_out(shorts[number - 1 : number + 1] if number % 3 == 1 else [short])
        return tree

    def _grown(self, rank: int, deadline: date) -> Any:
        self._left -= 1
        due = deadline - timedelta(days=self._chance.randrange(30))
        made = goal(
            TYPES[rank],
            f"{TYPES[rank]} {self._left} 서울",
            id=self._named(),
            description="x" * self._chance.randrange(40),
            deadline=due.isoformat() if self._chance.random() < 0.5 else None,
            completed=self._chance.random() < 0.3,
        )
        below = due if made["attributes"]["deadline"] else deadline
        for _ in range(0 if rank in {_SHORT, len(TYPES) - 1} else self._chance.randrange(2, 6)):
            if self._left > 0:
                made["children"].append(self._grown(rank + 1, below))
        return made

    def _try_out(self, parents: Sequence[Any]) -> None:
        self._left -= 1
        tried = session(f"Session {self._left}", parents=[one["id"] for one in parents], id=self._named())
        tried["attributes"]["completed"] = self._chance.random() < 0.5
        tried["children"] = [self._grown(_IMMEDIATE, date(2026, 12, 31)) for _ in range(2)]
        for parent in parents:
            parent["children"].append(tried)

    def _named(self) -> str:
        return str(UUID(int=self._chance.getrandbits(128), version=4))


_ULTIMATE = "00000000-0000-4000-8000-000000000001"
_REACT, _DESIGN = "00000000-0000-4000-8000-000000000002", "00000000-0000-4000-8000-000000000003"
_TRIED = session(
    "Practice Session 1 - 12/21/2025",
    id="00000000-0000-4000-8000-000000000004",
    parents=[_REACT, _DESIGN],
    children=[
        goal(
            "ImmediateGoal",
            "Kick",
            id="00000000-0000-4000-8000-000000000005",
            children=[goal("MicroGoal", "Micro", id="00000000-0000-4000-8000-000000000006")],
        )
    ],
)
# A session that is for two goals, written under both.
SHARED = [
    goal(
        "UltimateGoal",
        "Play well",
        id=_ULTIMATE,
        children=[
            goal("ShortTermGoal", "React", id=_REACT, children=[_TRIED]),
            goal("ShortTermGoal", "Design", id=_DESIGN, children=[_TRIED]),
        ],
    )
]
