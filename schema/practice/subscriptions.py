"""What can be watched of practice: a tree with what changes in it, and a session with its clock."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Annotated, Any
from uuid import UUID

import strawberry

from db.bus import Lagged
from db.errors import NotFound
from db.practice import queries
from db.practice.events import GoalTreeChanged as TreeChange
from db.practice.events import PracticeSessionChanged as SessionChange
from schema.context import Asked, Context
from schema.fields import Demand
from schema.ids import decode_id, encode_id
from schema.live.sources import Merged, State, state
from schema.practice.types import Goal, PracticeSession

_UNSEEN: Any = object()


@strawberry.type(description="A tree as it stands, and what to look at again.")
class GoalTreeChanged:
    """A tree as it stands, and what to look at again."""

    root: Goal | None = strawberry.field(
        description="The goal at the top. Null once it is deleted, or stands under another."
    )
    version: int = strawberry.field(description="Raised at every change of the tree: the higher is the newer.")
    touched: list[Goal] = strawberry.field(
        description=(
            "What changed with all that stands above it, from the top down: their `rollup` may be another now, and so "
            "may what stands under them. Empty in the first message, and wherever only the present is known, as after "
            "falling behind."
        )
    )
    deleted: list[strawberry.ID] = strawberry.field(
        description="The ids of the goals that were deleted, without those under them. Empty if none was."
    )
    sent_at: datetime = strawberry.field(description="The server's clock when this was sent.")


@strawberry.type(description="A session as it is now.")
class PracticeSessionChanged:
    """A session as it is now."""

    session: PracticeSession | None = strawberry.field(
        description="The session: count its `timer` on while it runs. Null once it is deleted."
    )
    sent_at: datetime = strawberry.field(description="The server's clock when this was sent.")


@dataclass(frozen=True, kw_only=True)
class Watched:
    """The goal at the top of a tree, `None` if it is not there any more, and what was touched, by id."""

    root: Any
    version: int
    touched: Mapping[UUID, Any] = field(default_factory=dict)

    def at_rest(self) -> "Watched":
        """Return it without what just happened, for those who were not there."""
        return Watched(root=self.root, version=self.version) if self.touched else self

    def after(self, events: Sequence[TreeChange], root_id: UUID) -> "Watched | None":
        """Return it after some events, `None` if they were no news."""
        news = [one for one in events if one.root.tree_revision > self.version or one.root.root_id != root_id]
        if not news:
            return None
        last = news[-1].root
        touched = {goal.id: goal for event in news for goal in event.touched}
        return Watched(root=last, version=max(self.version, last.tree_revision), touched=touched)


@dataclass(frozen=True, kw_only=True)
class TreeState(Merged[TreeChange, Watched]):
    """A tree, each event's news merged into how it was."""

    def merged(self, shown: Watched, events: Sequence[TreeChange]) -> Watched | None:
        """See `Merged`."""
        return shown.after(events, self.topic)


@dataclass(frozen=True, kw_only=True)
class GoalState(State[TreeChange, Any]):
    """A goal, looked at again whenever its tree changes. `topic` is the goal at the top of that: it may be another."""

    id: UUID

    async def values(self, context: Context) -> AsyncGenerator[Any, None]:
        """Yield the goal, `None` while it is deleted, then again after each change of it or of what stands under it."""
        topic, shown = self.topic, _UNSEEN
        while True:
            # Listen before reading, as always.
            with context.db.bus.listen(topic, of=self.of) as heard:
                goal = await self.read(context)
                while goal is None or goal.root_id == topic:
                    if goal != shown:
                        yield goal
                    shown = goal
                    try:
                        events = [await anext(heard), *heard.take()]
                    except StopAsyncIteration:
                        return
                    except Lagged:
                        events = []
                    goal = await self.read_again(context)
                    if not events or any(_is_about(self.id, event) for event in events):
                        # What it comes to may be another, while it is as it was itself.
                        shown = _UNSEEN
            topic = goal.root_id


@strawberry.type(description="A goal as it is now.")
class GoalChanged:
    """A goal as it is now."""

    goal: Goal | None = strawberry.field(
        description="The goal, with what it comes to in `rollup`. Null once it is deleted."
    )
    sent_at: datetime = strawberry.field(description="The server's clock when this was sent.")


@strawberry.type
class PracticeSubscriptions:
    """What can be watched of practice."""

    @state(
        GoalChanged,
        "A goal as it is, then after every change of it or of what it comes to. An overlay may watch the goals it is "
        "bound to. Whoever is slow gets the latest, not the backlog.",
        demand=Demand(None),
        is_personal=True,
    )
    async def goal_changed(
        self,
        info: Asked,
        id: Annotated[strawberry.ID, strawberry.argument(description="The goal.")],
    ) -> State[TreeChange, Any]:
        """A goal."""
        goal_id = decode_id(id, kind="goal")
        goal = await info.context.loaders.one(queries.goal_by_id, goal_id)
        if goal is None:
            raise NotFound("There is no such goal.", field="id")
        return GoalState(
            id=goal_id,
            topic=goal.root_id,
            of=TreeChange,
            read=partial(_present_goal, id=goal_id),
            show=lambda goal, at: GoalChanged(goal=goal, sent_at=at),
        )

    @state(
        GoalTreeChanged,
        "A tree of yours as it stands, then after every change of it together with what to look at again. Whoever is "
        "slow gets the latest, not the backlog.",
        demand=Demand(None),
        is_personal=True,
    )
    async def goal_tree_changed(
        self,
        info: Asked,
        root_id: Annotated[strawberry.ID, strawberry.argument(description="The goal at the top of the tree.")],
    ) -> State[TreeChange, Watched]:
        """A tree."""
        topic = decode_id(root_id, kind="goal", field="root_id")
        root = await info.context.loaders.one(queries.goal_by_id, topic)
        if root is None or root.root_id != topic:
            raise NotFound("There is no such goal at the top of a tree.", field="root_id")
        nodes = info.context.viewer.nodes
        return TreeState(
            topic=topic,
            of=TreeChange,
            read=partial(_present_tree, topic=topic),
            at_rest=Watched.at_rest,
            show=partial(_shown, topic=topic, nodes=nodes),
        )

    @state(
        PracticeSessionChanged,
        "A session of yours as it is, then after every change of it. A clock that runs is no change: count on from its "
        "`timer`. Whoever is slow gets the latest, not the backlog.",
        demand=Demand(None),
        is_personal=True,
    )
    async def practice_session_changed(
        self,
        info: Asked,
        id: Annotated[strawberry.ID, strawberry.argument(description="The session.")],
    ) -> State[SessionChange, Any]:
        """A session."""
        topic = decode_id(id, kind="practicesession")
        if await info.context.loaders.one(queries.session_by_id, topic) is None:
            raise NotFound("There is no such session.", field="id")
        return State(
            topic=topic,
            of=SessionChange,
            read=partial(_present_session, topic=topic),
            after=lambda change: change.session,
            is_news=lambda new, shown: shown is None or new.revision > shown.revision,
            show=lambda session, at: PracticeSessionChanged(session=_live(session), sent_at=at),
        )


async def _present_goal(context: Context, *, id: UUID) -> Any:
    context.renew_loaders()
    return await context.loaders.one(queries.goal_by_id, id)


def _is_about(id: UUID, event: TreeChange) -> bool:
    """Say whether a goal may come to something else now. Where the top alone is named, anything under it may have."""
    return len(event.touched) <= 1 or any(goal.id == id for goal in event.touched)


async def _present_tree(context: Context, *, topic: UUID) -> Watched:
    context.renew_loaders()
    root = await context.loaders.one(queries.goal_by_id, topic)
    return Watched(root=root, version=0 if root is None else root.tree_revision)


async def _present_session(context: Context, *, topic: UUID) -> Any:
    context.renew_loaders()
    return await context.loaders.one(queries.session_by_id, topic)


def _shown(watched: Watched, at: datetime, *, topic: UUID, nodes: frozenset[UUID] | None) -> GoalTreeChanged:
    # An overlay is told of the goals it is bound to.
    told = [goal for goal in watched.touched.values() if nodes is None or goal.id in nodes]
    in_order = sorted(told, key=lambda goal: goal.path)
    root = _live(watched.root)
    deleted = [goal for goal in in_order if goal.deletion_id == goal.id]
    return GoalTreeChanged(
        root=root if root is not None and root.root_id == topic else None,
        version=watched.version,
        touched=[goal for goal in in_order if goal.deleted_at is None],
        deleted=[strawberry.ID(encode_id("goal", goal.id)) for goal in deleted],
        sent_at=at,
    )


def _live(row: Any) -> Any:
    return None if row is None or row.deleted_at is not None else row
