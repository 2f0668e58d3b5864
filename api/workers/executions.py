"""The executor: sends what is queued, asks after what is under way, and lets triggers fire when their time has come.

Each step is stored before the next is begun, and no transaction is open while somebody is called. Whoever ends in the
middle leaves a lease behind, and whoever finds that run out knows that the answer was lost.
"""

import asyncio
import logging
import random
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

import httpx

from api.outbound import Guard, open_client
from api.providers.base import AnswerLost, Carrier, NotSent, Refused
from api.providers.notify import NotifyCarrier
from api.providers.sandbox import SandboxCarrier
from api.providers.webhook import WebhookCarrier
from db.accounts import actions, providers, working
from db.accounts.events import ALL_EXECUTIONS, ExecutionsWaiting
from db.accounts.tables import Execution, Provider
from db.accounts.vocabulary import ProviderKind
from db.accounts.words import Report
from db.accounts.working import WorkRules
from db.bus import Lagged
from db.clock import Clock
from db.database import Database
from db.errors import Conflict, NotFound, Unavailable
from db.ids import new_id

_log = logging.getLogger(__name__)

MOST_ASKED_AT_ONCE = 100


@dataclass(frozen=True, kw_only=True)
class ExecutorLimits:
    """How much is done at once, and how often it is looked for what is due."""

    at_once: int = 8
    look_seconds: float = 1.0
    connect_seconds: float = 10.0
    call_seconds: float = 20.0


@dataclass
class Executor:
    """Carries executions out until cancelled."""

    db: Database
    clock: Clock
    guard: Guard = field(default_factory=Guard)
    rules: WorkRules = field(default_factory=WorkRules)
    limits: ExecutorLimits = field(default_factory=ExecutorLimits)
    chance: Callable[[], float] = random.random

    def __post_init__(self) -> None:
        """Begin with nothing done."""
        self.sent = 0
        self.lost = 0

    async def run(self) -> None:
        """Work until cancelled."""
        await self._begin()
        listening = self.db.bus.listen(ALL_EXECUTIONS, of=ExecutionsWaiting, latest_only=True, is_standing=True)
        async with open_client(self.guard, seconds=self.limits.connect_seconds) as client:
            with listening as heard:
                while True:
                    with suppress(Unavailable):
                        while await self.work(client):
                            continue
                    try:
                        async with asyncio.timeout(self.limits.look_seconds):
                            await anext(heard)
                    except (TimeoutError, Lagged):
                        continue
                    except StopAsyncIteration:
                        return

    async def work(self, client: httpx.AsyncClient) -> bool:
        """Do what is due, once. Says whether there may be more."""
        now = self.clock.now()
        async with self.db.transaction() as tx:
            lost = await working.give_up_lost(tx, rules=self.rules, now=now)
        self.lost += len(lost)
        fired = await self._fire()
        sent = await self._send(client)
        asked = await self._ask(client)
        return fired or sent or asked

    def set_limits(self, **changes: Any) -> None:
        """Do other than before from the next look on, in what is named."""
        self.limits = replace(self.limits, **changes)

    def facts(self) -> dict[str, object]:
        """Say what health shows."""
        return {"sent": self.sent, "lost": self.lost}

    async def _begin(self) -> None:
        with suppress(Unavailable):
            async with self.db.transaction() as tx:
                await providers.ensure_sandbox(tx, now=self.clock.now())

    # Triggers

    async def _fire(self) -> bool:
        now = self.clock.now()
        async with self.db.read() as session:
            due = await actions.due_triggers(session, now=now, limit=self.limits.at_once)
        refused = 0
        for trigger_id in due:
            try:
                async with self.db.transaction() as tx:
                    await actions.fire_due(tx, trigger_id, now=now)
            except (Conflict, NotFound) as refusal:
                # Somebody removed it, or was faster.
                _log.info("trigger %s did not fire: %s", trigger_id, refusal.message)
                refused += 1
        return len(due) == self.limits.at_once and not refused

    # What is queued

    async def _send(self, client: httpx.AsyncClient) -> bool:
        lease_id = new_id()
        async with self.db.transaction() as tx:
            claimed = await working.claim(
                tx, lease_id=lease_id, limit=self.limits.at_once, rules=self.rules, now=self.clock.now()
            )
        if not claimed:
            return False
        found = await self._carriers(client, claimed)
        await asyncio.gather(*(self._send_one(one, lease_id, found) for one in claimed))
        return len(claimed) == self.limits.at_once

    async def _send_one(self, execution: Execution, lease_id: UUID, carriers: Mapping[UUID | None, Carrier]) -> None:
        try:
            report = await _submit(carriers.get(execution.provider_id), execution)
        except NotSent as trouble:
            await self._note_trouble(execution, trouble.error)
            async with self.db.transaction() as tx:
                await working.note_not_sent(
                    tx,
                    execution,
                    lease_id,
                    trouble.error,
                    retry_after=trouble.retry_after,
                    chance=self.chance(),
                    rules=self.rules,
                    now=self.clock.now(),
                )
        except Refused as refusal:
            async with self.db.transaction() as tx:
                await working.note_refused(
                    tx, execution.id, lease_id, refusal.error, answer=refusal.answer, now=self.clock.now()
                )
        except AnswerLost as trouble:
            await self._note_trouble(execution, trouble.error)
            async with self.db.transaction() as tx:
                await working.note_lost(
                    tx, execution.id, lease_id, trouble.error, rules=self.rules, now=self.clock.now()
                )
        else:
            self.sent += 1
            await self._note_taken(execution, lease_id, report)

    async def _note_taken(self, execution: Execution, lease_id: UUID, report: Report) -> None:
        try:
            async with self.db.transaction() as tx:
                await working.note_taken(tx, execution.id, lease_id, report, rules=self.rules, now=self.clock.now())
        except Conflict:
            # Two executions of a provider by one name: it was taken all the same.
            nameless = replace(report, reference=None, error="The provider calls two executions alike.")
            async with self.db.transaction() as tx:
                await working.note_taken(tx, execution.id, lease_id, nameless, rules=self.rules, now=self.clock.now())

    # What is under way

    async def _ask(self, client: httpx.AsyncClient) -> bool:
        lease_id = new_id()
        async with self.db.transaction() as tx:
            claimed = await working.claim_looks(
                tx, lease_id=lease_id, limit=MOST_ASKED_AT_ONCE, rules=self.rules, now=self.clock.now()
            )
        if not claimed:
            return False
        carriers = await self._carriers(client, claimed)
        of_provider: dict[UUID | None, list[Execution]] = {}
        for one in claimed:
            of_provider.setdefault(one.provider_id, []).append(one)
        for provider_id, rows in of_provider.items():
            carrier = carriers.get(provider_id)
            if carrier is not None:
                await self._ask_one(carrier, rows, lease_id)
        return len(claimed) == MOST_ASKED_AT_ONCE

    async def _ask_one(self, carrier: Carrier, executions: list[Execution], lease_id: UUID) -> None:
        for execution in executions:
            if execution.is_cancel_wanted:
                with suppress(NotSent, Refused):
                    await carrier.cancel(execution)
        try:
            reports = await carrier.report(executions)
        except NotSent as trouble:
            await self._note_no_reports(executions, lease_id, trouble.error)
            return
        silent = [one for one in executions if one.key not in reports]
        await self._note_no_reports(silent, lease_id, "The provider says nothing of it.")
        for execution in executions:
            if execution.key in reports:
                # Each in a transaction of its own: what is wrong with one keeps no other from being noted.
                await self._note_report(execution, lease_id, reports[execution.key])

    async def _note_report(self, execution: Execution, lease_id: UUID, report: Report | None) -> None:
        try:
            async with self.db.transaction() as tx:
                await working.note_report(tx, execution, lease_id, report, rules=self.rules, now=self.clock.now())
        except Conflict as refusal:
            await self._note_no_reports([execution], lease_id, refusal.message)

    async def _note_no_reports(self, executions: Iterable[Execution], lease_id: UUID, error: str) -> None:
        rows = list(executions)
        if not rows:
            return
        async with self.db.transaction() as tx:
            for one in rows:
                await working.note_no_report(tx, one, lease_id, error, rules=self.rules, now=self.clock.now())

    async def _note_trouble(self, execution: Execution, error: str) -> None:
        if execution.provider_id is None:
            return
        with suppress(Unavailable):
            async with self.db.transaction() as tx:
                await providers.note_trouble(tx, execution.provider_id, error, now=self.clock.now())

    async def _carriers(self, client: httpx.AsyncClient, executions: Iterable[Execution]) -> dict[UUID | None, Carrier]:
        wanted = {one.provider_id for one in executions if one.provider_id is not None}
        async with self.db.read() as session:
            found = await providers.find_providers(session, wanted)
        return {one.id: self._carrier(client, one) for one in found}

    def _carrier(self, client: httpx.AsyncClient, provider: Provider) -> Carrier:
        if provider.kind is ProviderKind.SANDBOX:
            return SandboxCarrier(db=self.db, clock=self.clock)
        kind = WebhookCarrier if provider.kind is ProviderKind.WEBHOOK else NotifyCarrier
        return kind(provider=provider, client=client, clock=self.clock, seconds=self.limits.call_seconds)


async def _submit(carrier: Carrier | None, execution: Execution) -> Report:
    if carrier is None:
        raise NotSent("The provider is gone, or its secrets do not open.")
    return await carrier.submit(execution)
