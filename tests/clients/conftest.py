"""What tests with clients of others ask for."""

import os

import pytest

from tests.support.node import install, is_installed


@pytest.fixture(scope="session")
def node() -> None:
    """Node with the clients installed. Skips where there is no Node, and fails in CI."""
    if not is_installed():
        if os.environ.get("CI"):
            pytest.fail("There is no Node, and in CI no client may be skipped.")
        pytest.skip("There is no Node here.")
    install()
