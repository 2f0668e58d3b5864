"""What tests with clients of others ask for."""

import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.clients.pages import house_with_a_mat
from tests.conftest import ManualClock
from tests.support.browser import Browser, running_browser
from tests.support.house import RunningHouse
from tests.support.node import install, is_installed


@pytest.fixture(scope="session")
def node() -> None:
    """Node with the clients installed. Skips where there is no Node, and fails in CI."""
    if not is_installed():
        if os.environ.get("CI"):
            pytest.fail("There is no Node, and in CI no client may be skipped.")
        pytest.skip("There is no Node here.")
    install()


@pytest.fixture
async def house(migrated_file: Path, tmp_path: Path, clock: ManualClock) -> AsyncIterator[RunningHouse]:
    """A house on one engine: what a page does with an answer does not hang on where that came from."""
    path = tmp_path / "ringside.db"
    shutil.copy(migrated_file, path)
    async with house_with_a_mat(f"sqlite:///{path}", clock) as running:
        yield running


@pytest.fixture
async def either_house(database_url: str, clock: ManualClock) -> AsyncIterator[RunningHouse]:
    """A house on either engine."""
    async with house_with_a_mat(database_url, clock) as running:
        yield running


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with running_browser() as running:
        yield running
