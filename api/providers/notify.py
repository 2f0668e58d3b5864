"""A channel of people, told by messages as Discord and Slack take them. It cannot be asked what became of one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

import httpx
import orjson

from api.providers.base import Refused
from api.providers.webhook import post
from db.accounts.tables import Execution, Provider
from db.accounts.words import Report
from db.clock import Clock

_LONGEST = 2000


@dataclass(frozen=True, kw_only=True)
class NotifyCarrier:
    """See `Carrier`."""

    provider: Provider
    client: httpx.AsyncClient
    clock: Clock
    seconds: float = 20.0

    async def submit(self, execution: Execution) -> Report:
        """Send a message that pings nobody. Discord reads `content`, Slack reads `text`; neither minds the other."""
        text = str(execution.parameters.get("text") or execution.target_url)[:_LONGEST]
        body = orjson.dumps({"content": text, "text": text, "allowed_mentions": {"parse": []}})
        headers = {"Content-Type": "application/json"}
        answer = await post(self.client, self.provider.url, body, headers, seconds=self.seconds, clock=self.clock)
        return Report(word="delivered", charge=execution.estimate, answer=answer[:200])

    async def report(self, executions: Sequence[Execution]) -> Mapping[UUID, Report | None]:  # noqa: ARG002 -- as `Carrier` has it
        """Say nothing: a channel cannot be asked."""
        return {}

    async def cancel(self, execution: Execution) -> None:  # noqa: ARG002 -- as above
        """Refuse: what was said was said."""
        raise Refused("A message cannot be taken back.")
