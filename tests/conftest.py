"""Fixtures that several test files share."""

import os
from pathlib import Path

import matplotlib
import pandas as pd
import pytest

from lib.papers import reported
from lib.results import numbers

matplotlib.use("Agg")


@pytest.fixture(scope="session")
def data_root() -> Path:
    """The root of real data, $IR_DATA; a test that needs it is skipped where that is not set.

    Not every data set need be in it: look for the folder you want and skip without it.
    """
    if not os.environ.get("IR_DATA"):
        pytest.skip("IR_DATA is not set: no real data")
    return Path(os.environ["IR_DATA"])


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    """A data root without data sets: the embedded and synthetic images are taken."""
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="module")
def perceptual() -> None:
    """Skips where the networks of 2D-GAN's perceptual losses cannot be had."""
    from made_runs import need_weights  # torch takes its time, and few tests need it

    need_weights("vgg16", "efficientnet_b0")


@pytest.fixture
def own_cache(tmp_path_factory, monkeypatch) -> None:
    """A cache of the test's own, so that nothing cached before can stand in for what is tested."""
    monkeypatch.setenv("IR_CACHE", str(tmp_path_factory.mktemp("cache")))


@pytest.fixture
def results(tmp_path, monkeypatch) -> Path:
    """The folder of a profile `test` without results."""
    monkeypatch.setenv("IR_RESULTS", str(tmp_path))
    return tmp_path / "test"


@pytest.fixture
def papers_own_numbers(results) -> pd.DataFrame:
    """The collected numbers where the papers' table numbers stand in the place of ours."""
    frame = reported.load()
    tables = frame[frame["item"] != "prose"]
    for (paper, item), part in tables.groupby(["paper", "item"]):
        rows = [numbers.Number(n.row, n.column, n.reported) for n in part.itertuples()]
        numbers.record("test", paper, item, rows)
    return numbers.collect("test")
