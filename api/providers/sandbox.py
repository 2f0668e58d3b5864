"""The sandbox: a provider that exists in this server alone, goes by the clock, and fails when it is asked to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from api.providers.base import AnswerLost, NotSent, Refused
from db.accounts import sandbox
from db.accounts.catalogue import SERVICES
from db.accounts.tables import Execution
from db.accounts.vocabulary import ProviderKind
from db.accounts.words import Report
from db.clock import Clock
from db.database import Database
from db.errors import Unavailable

_PRICES: Mapping[str, Decimal] = {one["key"]: one["price_per_thousand"] for one in SERVICES[ProviderKind.SANDBOX]}


@dataclass(frozen=True, kw_only=True)
class SandboxCarrier:
    """See `Carrier`."""

    db: Database
    clock: Clock

    async def submit(self, execution: Execution) -> Report:
        """Take an execution into the sandbox's books."""
        outcome = str(execution.parameters.get("outcome", "COMPLETED"))
        if outcome == "REFUSED":
            raise Refused("The sandbox refuses this, as it was asked to.", answer='{"error":"refused"}')
        if outcome == "BUSY" and execution.attempt_count == 1:
            raise NotSent("The sandbox is busy, as it was asked to be.")
        try:
            async with self.db.transaction() as tx:
                order = await sandbox.take_order(
                    tx,
                    key=execution.key,
                    service_key=execution.service_key,
                    target_url=execution.target_url,
                    quantity=execution.quantity,
                    price_per_thousand=_PRICES.get(execution.service_key, Decimal(0)),
                    outcome=outcome,
                    now=self.clock.now(),
                )
        except Unavailable as error:
            raise AnswerLost(error.message) from error
        if outcome == "LOST" and order.call_count == 1:
            raise AnswerLost("The sandbox loses its answer, as it was asked to.")
        return sandbox.report_of(order, self.clock.now())

    async def report(self, executions: Sequence[Execution]) -> Mapping[UUID, Report | None]:
        """Look executions up."""
        keys = [one.key for one in executions]
        async with self.db.read() as session:
            orders = await sandbox.find_orders(session, keys)
        now = self.clock.now()
        return {key: sandbox.report_of(orders[key], now) if key in orders else None for key in keys}

    async def cancel(self, execution: Execution) -> None:
        """Stop an execution that is not done."""
        async with self.db.transaction() as tx:
            if not await sandbox.cancel_order(tx, execution.key, now=self.clock.now()):
                raise Refused("It is done already.")
