"""How pictures can be asked for."""

from functools import partial
from typing import Annotated, Any

import strawberry

from db.accounts import screenshots
from schema.accounts.types import Screenshot
from schema.changes import change, change_one
from schema.context import Asked
from schema.ids import decode_id
from schema.practice.inputs import decode_some

_of_screenshot = partial(change_one, of=Screenshot, name="screenshot", kind="screenshot", argument="The screenshot.")


@strawberry.input(description="What a picture is to show: one of these.")
class ScreenshotInput:
    """What a picture is to show."""

    url: str | None = strawberry.field(
        default=None, description="An address of the web, such as `https://example.org/`. Null: something else."
    )
    account_id: strawberry.ID | None = strawberry.field(
        default=None, description="An account of yours, at its address. Null: something else."
    )
    post_id: strawberry.ID | None = strawberry.field(
        default=None, description="A post of a feed of yours, at its address. Null: something else."
    )


@strawberry.type
class ScreenshotMutations:
    """How pictures can be asked for."""

    @change(
        Screenshot,
        "screenshot",
        "Have a picture taken of an address, an account or a post. It is taken soon: `screenshotChanged` tells.",
        result="The screenshot, which is yet to be taken.",
    )
    async def screenshot_create(
        self,
        info: Asked,
        input: Annotated[ScreenshotInput, strawberry.argument(description="What it is to show.")],
    ) -> Any:
        """Ask for a picture."""
        context = info.context
        async with context.db.transaction() as tx:
            return await screenshots.ask_for_screenshot(
                tx,
                owner_id=context.viewer.user_id,
                url=input.url,
                account_id=decode_some(input.account_id, kind="account", field="account_id"),
                post_id=decode_some(input.post_id, kind="post", field="post_id"),
                viewer=context.viewer,
                now=context.now(),
            )

    screenshot_retry = _of_screenshot(
        "screenshot_retry",
        "Try again to take a picture that could not be taken.",
        screenshots.retry_screenshot,
        result="The screenshot, which is yet to be taken.",
    )

    @change(
        Screenshot,
        "screenshot",
        "Remove a picture. Its file is gone within a day.",
        result="The screenshot as it was.",
    )
    async def screenshot_delete(
        self,
        info: Asked,
        id: Annotated[strawberry.ID, strawberry.argument(description="The screenshot.")],
    ) -> Any:
        """Remove a picture."""
        async with info.context.db.transaction() as tx:
            return await screenshots.delete_screenshot(tx, decode_id(id, kind="screenshot"), viewer=info.context.viewer)
