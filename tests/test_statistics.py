"""Intervals, paired tests and their correction: against hand-worked cases and known truths."""

import json

import numpy as np
import pandas as pd
import pytest

from lib.paths import run_folder
from lib.results.ablation import ablation_tests, differences
from lib.evaluation.statistics import RESAMPLES, bootstrap_interval, holm, paired_test


def test_one_seed_gives_the_interval_over_images():
    values = np.random.default_rng(1).normal(20, 3, 100)
    random = np.random.default_rng(0)
    means = values[random.integers(100, size=(RESAMPLES, 100))].mean(axis=1)
    expected = tuple(np.percentile(means, [2.5, 97.5]))
    assert bootstrap_interval(values) == expected
    assert bootstrap_interval(values[None]) == expected


def test_seeds_that_agree_change_nothing_and_seeds_that_do_not_widen():
    values = np.random.default_rng(1).normal(20, 3, 100)
    low, high = bootstrap_interval(values)
    assert bootstrap_interval(np.stack([values] * 3)) == pytest.approx((low, high))
    apart = np.stack([values - 4, values, values + 4])
    wide_low, wide_high = bootstrap_interval(apart)
    assert wide_high - wide_low > 3 * (high - low)
    assert bootstrap_interval(apart) == (wide_low, wide_high)


def test_the_interval_over_seeds_and_images_covers_the_truth():
    """Seeds and images both vary; the interval over images alone misses the mean far too often."""
    random = np.random.default_rng(2)
    both = alone = 0
    for _ in range(60):
        values = random.normal(0, 1, (10, 1)) + random.normal(0, 1, (1, 40))
        low, high = bootstrap_interval(values)
        both += low < 0 < high
        low, high = bootstrap_interval(values.mean(axis=0))
        alone += low < 0 < high
    assert both >= 50 > alone + 5


def test_a_paired_test_by_hand():
    """Of the 2^4 signs of 1, 2, 3, 4 only all plus and all minus reach |sum| 10: p = 2/16."""
    a = np.array([11.0, 22.0, 33.0, 44.0])
    assert paired_test(a, np.array([10.0, 20.0, 30.0, 40.0])) == pytest.approx(2 / 16)
    # differences 1, 1, -1: |sum| >= 1 always
    assert paired_test(np.array([1.0, 1.0, 0.0]), np.array([0.0, 0.0, 1.0])) == 1
    assert paired_test(a, a) == 1


def test_a_paired_test_is_seeded_two_sided_and_sees_what_unpaired_values_hide():
    random = np.random.default_rng(3)
    images = random.normal(20, 5, 100)  # easy and hard ones, far more apart than a from b
    a, b = images + 0.2 + random.normal(0, 0.3, 100), images
    p = paired_test(a, b)
    assert p == paired_test(a, b) == pytest.approx(paired_test(b, a), abs=1e-3)
    assert p < 0.001


def test_a_paired_test_without_a_difference_gives_uniform_p():
    random = np.random.default_rng(4)
    p = np.array([paired_test(*random.normal(20, 3, (2, 30))) for _ in range(60)])
    assert abs(p.mean() - 0.5) < 0.15
    assert 0.1 < (p < 0.3).mean() < 0.5
    assert (p < 0.05).mean() < 0.15


@pytest.mark.parametrize("a, b", [
    (np.ones(3), np.ones(4)), (np.ones((2, 3)), np.ones((2, 3))), (np.ones(1), np.ones(1)),
    (np.array([1.0, np.inf]), np.ones(2)),
])  # fmt: skip
def test_a_paired_test_refuses_what_does_not_pair(a, b):
    with pytest.raises(ValueError, match="a paired test needs"):
        paired_test(a, b)


def test_holm_by_hand():
    """0.01, 0.02, 0.03, 0.04 times 4, 3, 2, 1: 0.04, 0.06, then not below 0.06."""
    assert holm([0.03, 0.01, 0.04, 0.02]) == pytest.approx([0.06, 0.04, 0.06, 0.06])
    assert holm([0.5, 0.9]) == pytest.approx([1, 1])
    assert holm([0.02]) == pytest.approx([0.02])
    assert len(holm([])) == 0


@pytest.fixture
def runs(tmp_path, monkeypatch):
    """Made-up runs: B is worse than A on every seed, C is A with noise, D wins on one seed only."""
    monkeypatch.setenv("IR_RESULTS", str(tmp_path))
    random = np.random.default_rng(5)
    images = random.normal(20, 3, 50)
    for seed in (0, 1, 2):
        made = {"A": images, "B": images - 1, "C": images, "D": images + (3, -1, -1)[seed]}
        for name, values in made.items():
            write(name, seed, values + random.normal(0, 0.2, 50))
    return tmp_path


def write(name, seed, values, fingerprint="f"):
    folder = run_folder("test", name, seed)
    folder.mkdir(parents=True)
    names = [f"image {k}" for k in range(len(values))]
    frame = pd.DataFrame({"image": names, "PSNR": values, "SSIM": values / 100})
    frame.to_csv(folder / "test_images.csv", index=False)
    (folder / "run.json").write_text(json.dumps({"seed": seed, "data_fingerprint": fingerprint}))


def test_differences_are_established_where_they_are(runs):
    frame = differences("test", "A", ["B", "C", "D"], (0, 1, 2), "PSNR")
    assert list(frame.columns) == ["difference", "ci_low", "ci_high", "p", "p_corrected",
                                   "n_images", "n_seeds", "established"]
    assert frame.loc["B", "difference"] == pytest.approx(1, abs=0.1)
    assert frame["established"].to_dict() == {"B": True, "C": False, "D": False}
    assert (frame["n_images"] == 50).all() and (frame["n_seeds"] == 3).all()
    assert frame["p_corrected"].to_numpy() == pytest.approx(holm(frame["p"]))
    assert (frame["ci_low"] < frame["difference"]).all()
    # seed 0 alone: D is 3 better than A, which three seeds do not bear out
    alone = differences("test", "A", ["D"], (0,), "PSNR").loc["D"]
    assert alone["established"] and alone["difference"] == pytest.approx(-3, abs=0.1)


def test_ablation_tests_correct_over_the_whole_table(runs):
    columns = {"full": "A", "without b": "B", "without c": "C"}
    table = ablation_tests("test", columns, "full", (0, 1, 2), ("PSNR", "SSIM"), "a_tests")
    assert list(table.index) == [(metric, column) for metric in ("PSNR", "SSIM")
                                 for column in ("without b", "without c")]
    assert table.index.names == ["metric", "full minus"]
    assert table["established"].tolist() == ["yes", "no", "yes", "no"]
    assert table.loc[("PSNR", "without b"), "p"] == "0.0002"
    assert table.loc[("PSNR", "without b"), "p, corrected"] == "0.0008"  # four comparisons
    found = differences("test", "A", ["B"], (0, 1, 2), "PSNR").loc["B", "difference"]
    assert table.loc[("PSNR", "without b"), "difference"] == f"{found:+.4f}"


def test_runs_on_different_images_are_not_compared(runs):
    write("E", 0, np.ones(50), fingerprint="g")
    with pytest.raises(ValueError, match="A seed0 and E seed0 were not judged on the same images"):
        differences("test", "A", ["E"], (0,), "PSNR")
