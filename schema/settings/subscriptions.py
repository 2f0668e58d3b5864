"""What can be watched of settings: what they are."""

from datetime import datetime
from functools import partial
from typing import Annotated, Any

import strawberry

from db.access.viewer import Role
from db.batches import LARGEST_PAGE, Page
from db.settings import queries
from db.settings.events import SettingChanged as Changed
from db.settings.events import topic_of
from db.settings.vocabulary import SettingCategory
from schema.context import Asked, Context
from schema.fields import Demand
from schema.live.sources import ReadAnew, State, state
from schema.settings.types import Setting


@strawberry.type(description="Settings as they are.")
class SettingChanged:
    """Settings as they are."""

    settings: list[Setting] = strawberry.field(description="All that are watched, by key: the first 100.")
    sent_at: datetime = strawberry.field(description="The server's clock when this was sent.")


@strawberry.type
class SettingSubscriptions:
    """What can be watched of settings."""

    @state(
        SettingChanged,
        "Settings as they are now, then whenever one of them is set or reset. Whoever is slow gets the latest.",
        demand=Demand(Role.ADMIN),
    )
    async def setting_changed(
        self,
        info: Asked,  # noqa: ARG002 -- what every subscription is told
        category: Annotated[
            SettingCategory | None, strawberry.argument(description="What they are about. Null: anything.")
        ] = None,
    ) -> State[Changed, list[Any]]:
        """Settings of a category, or all."""
        return ReadAnew(
            topic=topic_of(category),
            of=Changed,
            read=partial(_present, category=category),
            show=lambda rows, at: SettingChanged(settings=rows, sent_at=at),
        )


async def _present(context: Context, *, category: SettingCategory | None) -> list[Any]:
    context.renew_loaders()
    wanted = {} if category is None else {"categories": [category]}
    page = await context.loaders.page(queries.settings, None, Page(limit=LARGEST_PAGE), None, wanted)
    return page.rows
