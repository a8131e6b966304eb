"""Fixtures that several test files share."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def data_root() -> Path:
    """The root of real data, $IR_DATA; a test that needs it is skipped where that is not set.

    Not every data set need be in it: look for the folder you want and skip without it.
    """
    if not os.environ.get("IR_DATA"):
        pytest.skip("IR_DATA is not set: no real data")
    return Path(os.environ["IR_DATA"])


@pytest.fixture
def own_cache(tmp_path_factory, monkeypatch) -> None:
    """A cache of the test's own, so that nothing cached before can stand in for what is tested."""
    monkeypatch.setenv("IR_CACHE", str(tmp_path_factory.mktemp("cache")))
