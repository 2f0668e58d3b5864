"""T1, T2: the clock of the machine is set, and days are of other lengths than a day."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo, available_timezones

import pytest
from sqlmodel import col, select

from api import auth
from api.auth import Doorkeeper
from api.transport.buckets import Buckets
from db.access import operations as access
from db.access.viewer import Role
from db.database import Database
from db.errors import Unauthenticated
from db.ids import new_id
from db.matches.tables import MatchEvent
from db.streams.periods import period_end
from db.streams.vocabulary import StreamGoalPeriod
from schema.engine import cost
from schema.engine.cost import Rate
from tests.conftest import ManualClock
from tests.db.stored import lay_mat
from tests.faults.conftest import Figure, Size
from tests.support.competition import begun_fight, say

JUMPS = [timedelta(hours=-1), timedelta(days=-1), timedelta(hours=1), timedelta(days=1)]


async def revoked(db: Database, clock: ManualClock, jump: timedelta) -> bool:
    """Use a token, set the clock, revoke the token, and let the time go by that it is remembered; say if it is over."""
    async with db.transaction() as tx:
        user = await access.create_user(tx, name=f"User {new_id()}", role=Role.MEMBER, now=clock.now())
        made = await access.create_token(tx, user_id=user.id, label="x", now=clock.now())
    doorkeeper = Doorkeeper(db, clock)
    await doorkeeper.admit(made.secret)
    clock.move(jump)
    async with db.transaction() as tx:
        await access.revoke_token(tx, made.token.id, viewer=None, now=clock.now())
    clock.move(timedelta(seconds=auth.RECHECK_SECONDS))
    try:
        await doorkeeper.admit(made.secret)
    except Unauthenticated:
        return True
    return False


@pytest.mark.parametrize("jump", JUMPS, ids=str)
async def test_a_token_ends_with_its_revocation_whatever_the_clock_does(
    db: Database, clock: ManualClock, jump: timedelta
) -> None:
    assert await revoked(db, clock, jump)


async def test_a_token_remembered_until_an_hour_of_the_clock_outlives_its_revocation(
    db: Database, clock: ManualClock, monkeypatch: pytest.MonkeyPatch, figure: Figure
) -> None:
    monkeypatch.setattr(auth, "_is_fresh", lambda known_at, now: now < known_at + timedelta(seconds=2))

    assert not await revoked(db, clock, timedelta(days=-1))
    figure("T1", "control: remembered until an hour of the clock, a revoked token works on for the day it was set back")


def rated(clock: ManualClock, jump: timedelta) -> tuple[bool, bool]:
    """Use up what may be sent, set the clock, wait a minute; say if one may send again, by address and by token."""
    buckets, rate, token = Buckets(most=10, per_second=1), Rate("operations", per_second=1), new_id()
    while buckets.take("192.0.2.1", clock.now().timestamp()):
        pass
    while rate.spend(token, 1, clock) is None:
        pass
    clock.move(jump)
    # As who tries at once, and again later.
    buckets.take("192.0.2.1", clock.now().timestamp())
    rate.spend(token, 1, clock)
    clock.move(timedelta(minutes=1))
    return buckets.take("192.0.2.1", clock.now().timestamp()), rate.spend(token, 1, clock) is None


@pytest.mark.parametrize("jump", JUMPS, ids=str)
def test_nobody_is_locked_out_by_a_clock_that_is_set(clock: ManualClock, jump: timedelta) -> None:
    assert rated(clock, jump) == (True, True)


def test_without_looking_back_a_token_is_locked_out_for_as_long_as_the_clock_was_set_back(
    clock: ManualClock, monkeypatch: pytest.MonkeyPatch, figure: Figure
) -> None:
    def refill(self: cost.Budgets, budget: cost._Budget, at: float) -> None:
        if at > budget.at:
            budget.left, budget.at = min(self.most, budget.left + (at - budget.at) * self.per_second), at

    monkeypatch.setattr(cost.Budgets, "_refill", refill)

    assert rated(clock, timedelta(days=-1))[1] is False
    figure("T1", "control: refilled forward only, a token is locked out for the day that the clock was set back")


@pytest.mark.parametrize("jump", JUMPS, ids=str)
async def test_a_log_is_in_the_order_it_was_heard_whatever_the_clock_said(
    db: Database, clock: ManualClock, jump: timedelta
) -> None:
    mat = await lay_mat(db)
    wires = [*begun_fight("1"), "clk;01:59", "clk;01:58"]
    for number, wire in enumerate(wires):
        clock.move(jump if number == len(wires) - 1 else timedelta(seconds=1))
        async with db.transaction() as tx:
            await say(tx, mat.id, clock.now(), wire)

    async with db.read() as session:
        entries = await session.rows(select(MatchEvent).order_by(col(MatchEvent.seq)))
    assert [entry.raw.decode() for entry in entries] == wires


# Days


def midnights(zone: ZoneInfo, begin: datetime, days: int) -> list[datetime]:
    """When a daily goal begins anew, from one period to the next."""
    found = [begin]
    for _ in range(days):
        end = period_end(StreamGoalPeriod.DAILY, found[-1], zone)
        assert end is not None
        found.append(end)
    return found[1:]


def dates_begun(zone: ZoneInfo, moments: list[datetime]) -> list[date]:
    return [moment.astimezone(zone).date() for moment in moments]


def is_each_day_once(days: list[date]) -> bool:
    # A day that a zone leaves out altogether is nobody's to begin.
    return all(before < after for before, after in pairwise(days))


def test_a_daily_goal_begins_anew_once_on_each_day_of_its_zone(size: Size, figure: Figure) -> None:
    zones = sorted(available_timezones() - {"localtime"})
    zones = zones[:: max(1, len(zones) // size(50, 600))]
    begin, days = datetime(2027, 12, 1, 12, tzinfo=UTC), size(400, 1500)

    for name in zones:
        zone = ZoneInfo(name)
        moments = midnights(zone, begin, days)
        begun = dates_begun(zone, moments)
        assert is_each_day_once(begun), name
        assert (begun[-1] - begun[0]).days == days - 1, name
        assert max(after - before for before, after in pairwise(moments)) <= timedelta(hours=25), name
    figure("T2", f"{len(zones)} zones, {days} days with a leap day and year ends: each day begun once")


def test_a_day_of_twenty_four_hours_drifts_off(figure: Figure) -> None:
    zone = ZoneInfo("Europe/Berlin")
    first = midnights(zone, datetime(2027, 12, 1, 12, tzinfo=UTC), 1)[0]
    moments = [first + timedelta(days=day) for day in range(400)]

    assert {moment.astimezone(zone).hour for moment in moments} == {0, 1}
    figure("T2", "control: a day of 24 hours begins at one o'clock from spring to autumn")
