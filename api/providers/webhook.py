"""A program that carries executions out, told by signed calls as the Standard Webhooks write them.

Every call is a POST of `{"type": …, …}`: `execution.submit` with the execution, `execution.status` with the `keys` that
are asked after, `execution.cancel` with the `key`. The same key is the same execution, however often it is told.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from http import HTTPStatus
from typing import Any
from uuid import UUID

import httpx
import orjson

from api.outbound import ForbiddenAddress
from api.providers.base import AnswerLost, NotSent, Refused
from api.workers.feed_fetching import read_retry_after
from db.accounts.providers import PURPOSE
from db.accounts.signing import signature
from db.accounts.tables import Execution, Provider
from db.accounts.words import LONGEST_ANSWER, Report
from db.clock import Clock
from db.errors import Invalid, Unavailable
from db.ids import new_id
from db.sealing import NO_KEY, Sealer

_LARGEST_ANSWER = 256 * 1024
_LARGEST_COUNT = 2**31 - 1
_MOST_TOLD = 100


@dataclass(frozen=True, kw_only=True)
class WebhookCarrier:
    """See `Carrier`."""

    provider: Provider
    client: httpx.AsyncClient
    clock: Clock
    sealer: Sealer = NO_KEY
    seconds: float = 20.0

    async def submit(self, execution: Execution) -> Report:
        """Tell of an execution."""
        told = {
            "key": str(execution.key),
            "service": execution.service_key,
            "target_url": execution.target_url,
            "quantity": execution.quantity,
            "parameters": execution.parameters,
            "cause": execution.cause,
            "platform": execution.platform,
        }
        answer = await self._call("execution.submit", execution.key, execution=told)
        if not answer.strip():
            # It was taken, and there is no more to say of it: a program that only listens.
            return Report(word="completed", charge=execution.estimate)
        return read_report(_object(answer), answer)

    async def report(self, executions: Sequence[Execution]) -> Mapping[UUID, Report | None]:
        """Ask after executions."""
        try:
            answer = await self._call("execution.status", new_id(), keys=[str(one.key) for one in executions])
            told = _object(answer).get("executions", [])
        except (AnswerLost, Refused) as error:
            raise NotSent(error.error) from error
        found: dict[UUID, Report | None] = {}
        asked = {str(one.key): one.key for one in executions}
        for one in told if isinstance(told, list) else []:
            key = asked.get(str(one.get("key"))) if isinstance(one, dict) else None
            if key is not None:
                text = orjson.dumps(one).decode()
                found[key] = None if one.get("status") is None else read_report(one, text)
        return found

    async def cancel(self, execution: Execution) -> None:
        """Ask for an execution to be stopped."""
        try:
            await self._call("execution.cancel", new_id(), key=str(execution.key))
        except AnswerLost as error:
            raise NotSent(error.error) from error

    async def _call(self, kind: str, call_id: UUID, **told: Any) -> str:
        """Make a signed call, and return what is answered. Raises `NotSent`, `Refused` and `AnswerLost`."""
        try:
            secret = self.sealer.reveal(self.provider.secret, purpose=PURPOSE) or b""
        except Unavailable as refusal:
            raise NotSent(refusal.message) from refusal
        body = orjson.dumps({"type": kind, **told})
        timestamp = int(self.clock.now().timestamp())
        headers = {
            "Content-Type": "application/json",
            "Webhook-Id": str(call_id),
            "Webhook-Timestamp": str(timestamp),
            "Webhook-Signature": signature(secret, str(call_id), timestamp, body),
            "Idempotency-Key": str(call_id),
        }
        return await post(self.client, self.provider.url, body, headers, seconds=self.seconds, clock=self.clock)


async def post(
    client: httpx.AsyncClient, url: str, body: bytes, headers: Mapping[str, str], *, seconds: float, clock: Clock
) -> str:
    """POST a body, and return what is answered with success. No redirect is followed.

    Raises `NotSent` where nobody took it, `Refused`, and `AnswerLost` where somebody may have.
    """
    try:
        async with asyncio.timeout(seconds), client.stream("POST", url, content=body, headers=dict(headers)) as answer:
            text = await _text(answer)
    except ForbiddenAddress as error:
        raise Refused(str(error)) from error
    except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
        raise NotSent(f"It cannot be reached: {type(error).__name__}.") from error
    except (httpx.InvalidURL, httpx.UnsupportedProtocol, UnicodeError) as error:
        raise Refused("Its address cannot be asked for.") from error
    except (httpx.HTTPError, TimeoutError, OSError) as error:
        raise AnswerLost(f"The call broke off: {type(error).__name__}.") from error
    return _judged(answer, text, clock)


def _judged(answer: httpx.Response, text: str, clock: Clock) -> str:
    status = answer.status_code
    if answer.is_success:
        return text
    said = f"It answers with the status {status}."
    if status in {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE}:
        after = read_retry_after(answer.headers.get("retry-after", ""), clock.now())
        raise NotSent(said, retry_after=after)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        # It may have broken down after it took what it was told.
        raise AnswerLost(said)
    raise Refused(said, answer=text[:LONGEST_ANSWER])


async def _text(answer: httpx.Response) -> str:
    body = bytearray()
    async for part in answer.aiter_raw():
        body += part
        if len(body) > _LARGEST_ANSWER:
            break
    return bytes(body[:_LARGEST_ANSWER]).decode("utf-8", "replace").replace("\x00", "")


def read_report(told: Mapping[str, Any], text: str) -> Report:
    """Read what a program says of an execution: `status`, and as far as it says them the rest."""
    return Report(
        word=str(told.get("status", "accepted"))[:100],
        reference=_reference(told.get("reference")),
        charge=_charge(told.get("charge")),
        start_count=_count(told.get("start_count")),
        remaining=_count(told.get("remaining")),
        error=str(told.get("error") or "")[:300],
        answer=text[:LONGEST_ANSWER],
    )


def read_callback(body: bytes) -> list[tuple[UUID, Report]]:
    """Read what a program says by itself: `{"executions": [{"key": …, "status": …}, …]}`. Raises `Invalid`."""
    told = _object(body.decode("utf-8", "replace").replace("\x00", "")).get("executions")
    if not isinstance(told, list) or len(told) > _MOST_TOLD:
        raise Invalid(f"A call says `executions`: a list of {_MOST_TOLD} at most.")
    found = []
    for one in told:
        if not isinstance(one, dict) or not isinstance(one.get("status"), str):
            raise Invalid("Each of `executions` says its `key` and its `status`.")
        try:
            key = UUID(str(one.get("key")))
        except ValueError as error:
            raise Invalid("This is no `key` of an execution.") from error
        found.append((key, read_report(one, orjson.dumps(one).decode())))
    return found


def _object(text: str) -> Mapping[str, Any]:
    try:
        told = orjson.loads(text)
    except orjson.JSONDecodeError:
        return {}
    return told if isinstance(told, dict) else {}


def _reference(value: Any) -> str | None:
    is_said = isinstance(value, str | int) and not isinstance(value, bool)
    return str(value)[:200] or None if is_said else None


def _charge(value: Any) -> Decimal | None:
    if value is None or isinstance(value, bool | list | dict):
        return None
    try:
        # A number of JSON is what it was written as.
        found = Decimal(str(value))
    except InvalidOperation:
        return None
    return found if found.is_finite() else None


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _LARGEST_COUNT else None
