"""Intervals, paired tests and their correction: against hand-worked cases and known truths."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lib.evaluation.statistics import RESAMPLES, bootstrap_interval, holm, paired_test
from lib.results.compare import LEVEL, as_text, differences, established, method_means, store_table
from lib.results.runs import Run


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


def test_the_interval_of_known_values_and_of_too_few():
    values = np.random.default_rng(1).normal(5, 2, 400)
    low, high = bootstrap_interval(values)
    half = 1.96 * values.std(ddof=1) / 20  # the normal approximation
    assert low == pytest.approx(values.mean() - half, abs=0.05)
    assert high == pytest.approx(values.mean() + half, abs=0.05)
    with pytest.raises(ValueError, match="at least two"):
        bootstrap_interval(values[:1])


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


# methods beside each other


def run(values, seed=0, names=None, trained=True, **known):
    """A run with these PSNR, and a hundredth of them as SSIM."""
    names = names or [f"image {k}" for k in range(len(values))]
    index = pd.Index(names, name="image")
    known = {"seed": seed, "steps": 20 if trained else 0, "dataset": "some data",
             "not_measured": "", "metrics": {"PSNR": np.mean(values)}} | known  # fmt: skip
    return Run(Path(), known, pd.DataFrame({"PSNR": values, "SSIM": values / 100}, index))


@pytest.fixture
def runs():
    """Made-up runs: B is worse than A on every seed, C is A with noise, D wins on one seed only."""
    random = np.random.default_rng(5)
    images = random.normal(20, 3, 50)
    found = {name: [] for name in "ABCD"}
    for seed in (0, 1, 2):
        made = {"A": images, "B": images - 1, "C": images, "D": images + (3, -1, -1)[seed]}
        for name, values in made.items():
            found[name].append(run(values + random.normal(0, 0.2, 50), seed))
    return found


def test_differences_are_established_where_they_are(runs):
    others = {name: runs[name] for name in "BCD"}
    frame = differences(runs["A"], others, ["PSNR"])
    assert list(frame.columns) == ["difference", "ci_low", "ci_high", "p", "p_corrected",
                                   "n_images", "n_seeds"]  # fmt: skip
    frame, sure = frame.loc["PSNR"], established(frame).loc["PSNR"]
    assert frame.loc["B", "difference"] == pytest.approx(1, abs=0.1)
    assert sure.to_dict() == {"B": True, "C": False, "D": False}
    assert (frame["n_images"] == 50).all() and (frame["n_seeds"] == 3).all()
    assert (frame["ci_low"] < frame["difference"]).all()
    # seed 0 alone: D is 3 better than A, which three seeds do not bear out
    alone = differences(runs["A"][:1], {"D": runs["D"][:1]}, ["PSNR"])
    assert established(alone).all() and alone["difference"].item() == pytest.approx(-3, abs=0.1)


@pytest.mark.parametrize("ci_low, ci_high, p, sure", [
    (0.1, 0.3, 0.01, True), (-0.3, -0.1, 0.01, True), (-0.1, 0.3, 0.01, False),
    (0.1, 0.3, LEVEL, False), (0.0, 0.3, 0.01, False),
])  # fmt: skip
def test_both_tests_have_to_say_so(ci_low, ci_high, p, sure):
    frame = pd.DataFrame({"ci_low": [ci_low], "ci_high": [ci_high], "p_corrected": [p]})
    assert established(frame).tolist() == [sure]


def test_differences_correct_over_the_whole_table(runs):
    found = differences(runs["A"], {"B": runs["B"], "C": runs["C"]}, ["PSNR", "SSIM"])
    assert list(found.index) == [(metric, name) for metric in ("PSNR", "SSIM") for name in "BC"]
    assert found["p_corrected"].to_numpy() == pytest.approx(holm(found["p"]))
    table = as_text(found)
    assert table.index.names == ["metric", "minus"]
    assert table["established"].tolist() == ["yes", "no", "yes", "no"]
    assert table.loc[("PSNR", "B"), "p"] == "0.0002"
    assert table.loc[("PSNR", "B"), "p, corrected"] == "0.0008"  # four comparisons
    assert table.loc[("PSNR", "B"), "difference"] == f"{found['difference'].iloc[0]:+.4f}"
    low = f"{found['ci_low'].iloc[0]:+.4f}"
    assert table.loc[("PSNR", "B"), "95 % interval"].startswith(f"{low} to")


def test_every_seed_is_held_against_a_method_without_training(runs):
    plain = run(np.mean([one.test_images["PSNR"] for one in runs["A"]], axis=0) - 2, trained=False)
    found = differences(runs["A"], {"input": [plain]}, ["PSNR"]).iloc[0]
    assert found["difference"] == pytest.approx(2) and found["n_seeds"] == 3


def test_runs_on_different_images_are_not_compared(runs):
    other = run(np.ones(50), names=[f"face {k}" for k in range(50)])
    for of_seeds in ([other], [runs["B"][0], other]):
        with pytest.raises(ValueError, match="E was not judged on the same images"):
            differences(runs["A"], {"E": of_seeds}, ["PSNR"])


def test_means_have_intervals_over_seeds_and_images(runs):
    known = {"metrics": {"PSNR": 3.0, "kernel distance": 0.25}}
    plain = [run(np.array([1.0, 5.0]), trained=False, **known)]
    none = [run(np.array([1.0, 5.0]), trained=False, not_measured="no weights here")]
    table = method_means({"A": runs["A"], "HE": plain}, ["PSNR", "kernel distance"])
    values = np.array([one.test_images["PSNR"] for one in runs["A"]])
    assert table.loc["A", "PSNR"] == pytest.approx(values.mean())
    assert (table.loc["A", "PSNR low"], table.loc["A", "PSNR high"]) == bootstrap_interval(values)
    assert table.loc["A", ["n_images", "seeds", "dataset"]].tolist() == [50, 3, "some data"]
    # what is measured of all images as a set has no interval
    assert table.loc["HE", "kernel distance"] == 0.25 and "kernel distance low" not in table
    assert np.isnan(table.loc["A", "kernel distance"]) and "why" not in table
    table = method_means({"HE": plain, "CUT": none}, ["PSNR", "kernel distance"])
    assert np.isnan(table.loc["CUT", "kernel distance"])
    assert table.loc["CUT", "why"] == "no weights here" and table.loc["CUT", "PSNR"] == 3


def test_a_table_is_written_and_shown_rounded(results, runs):
    means = method_means({"A": runs["A"]}, ["PSNR"])
    shown = store_table(means, "test", "some_table")
    assert shown.loc["A", "PSNR"] == round(means.loc["A", "PSNR"], 4)
    stored = pd.read_csv(results / "tables" / "some_table.csv", index_col="method")
    assert stored.loc["A", "PSNR"] == pytest.approx(means.loc["A", "PSNR"], rel=1e-5)
    assert stored.loc["A", "dataset"] == "some data" and stored.loc["A", "n_images"] == 50
    found = differences(runs["A"], {"B": runs["B"]}, ["PSNR"])
    first = store_table(as_text(found), "test", "tests")
    text = (results / "tables" / "tests.csv").read_bytes()
    assert text.startswith(b"metric,minus,difference") and b"\r" not in text
    store_table(first, "test", "tests")
    assert (results / "tables" / "tests.csv").read_bytes() == text
