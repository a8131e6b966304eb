"""Intervals, tests and their correction: against hand-worked cases, and coverage by simulation."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import t, ttest_1samp

from lib.data.scenes import scenes_of
from lib.evaluation.statistics import SMALLEST_P, estimate, interval_coverage
from lib.results import compare
from lib.results.compare import (
    LEVEL, as_text, beside_full_width, differences, method_means, store_table,
)
from lib.results.numbers import four_digits
from lib.results.runs import Run


def test_one_seed_gives_students_interval_and_test_over_images():
    values = np.random.default_rng(1).normal(20, 3, 100)
    found, expected = estimate(values), ttest_1samp(values, 19)
    assert found.interval() == pytest.approx(tuple(expected.confidence_interval(0.95)))
    assert found.interval(0.999) == pytest.approx(tuple(expected.confidence_interval(0.999)))
    assert found.p_value(19) == pytest.approx(expected.pvalue)
    assert estimate(values[None]).interval() == found.interval()


def test_one_image_gives_students_interval_over_seeds():
    values = np.random.default_rng(1).normal(20, 3, 5)
    found = estimate(values[:, None])
    assert found.interval() == pytest.approx(tuple(ttest_1samp(values, 0).confidence_interval()))
    assert (found.n_seeds, found.n_images) == (5, 1)


def test_an_interval_by_hand():
    """Seeds' means 1 and 3, images' means 0, 2 and 4: errors 1 and 2 / sqrt(3)."""
    found = estimate([[-1, 1, 3], [1, 3, 5]])
    assert (found.mean, found.of_seeds) == (2, 1)
    assert found.of_images == pytest.approx(2 / np.sqrt(3))
    half = np.hypot(t.isf(0.025, 1), t.isf(0.025, 2) * 2 / np.sqrt(3))
    assert found.interval() == pytest.approx((2 - half, 2 + half))


def test_seeds_that_agree_change_nothing_and_seeds_that_do_not_widen():
    values = np.random.default_rng(1).normal(20, 3, 100)
    half = estimate(values).half_width()
    assert estimate(np.stack([values] * 3)).half_width() == pytest.approx(half)
    assert estimate(np.stack([values - 4, values, values + 4])).half_width() > 3 * half


def test_the_test_is_that_of_the_interval():
    """Its p is 1 - the level of the interval that ends at the value asked for."""
    values = np.random.default_rng(3).normal(0.3, 1, (3, 50))
    found = estimate(values)
    for value in (0, 0.1, 0.7):
        p = found.p_value(value)
        assert min(abs(end - value) for end in found.interval(1 - p)) < 1e-6
    assert found.p_value(float(found.mean)) == 1
    assert found.p_value(1e9) == SMALLEST_P


def test_values_that_say_nothing_of_their_spread():
    assert np.isinf(estimate([3.0]).half_width()) and estimate([3.0]).p_value() == 1
    with np.errstate(invalid="ignore"):  # PSNR of an image that equals its reference
        assert estimate([np.inf, 25.0, 30.0]).p_value() == estimate([np.nan, 25.0]).p_value() == 1
    same = estimate([2.0, 2.0])
    assert same.interval() == (2, 2) and same.p_value() == SMALLEST_P and same.p_value(2) == 1


@pytest.mark.parametrize("images", [20, 200])
@pytest.mark.parametrize("seed_sd", [0.3, 1.0])
@pytest.mark.parametrize("seeds", [3, 5])
def test_intervals_of_few_seeds_cover_the_truth(seeds, seed_sd, images):
    """Skewed images, seeds that deviate by 0.3 and 1 dB: at least 90 % at nominal 95 %."""
    assert interval_coverage(seeds, [1] * images, seed_sd, draws=4000) > 0.93
    corrected = interval_coverage(seeds, [1] * images, seed_sd, level=0.99, draws=4000)
    assert corrected > 0.975


def test_images_of_one_scene_deviate_together():
    """Each image twice is no more than once; two scenes of deviations 0 and 4 / 2 by hand."""
    values = np.random.default_rng(1).normal(20, 3, 50)
    once, twice = estimate(values), estimate(np.repeat(values, 2), np.repeat(np.arange(50), 2))
    assert twice.interval() == pytest.approx(once.interval())
    assert (twice.n_images, twice.n_scenes) == (100, 50)
    found = estimate([1.0, 3.0, 2.0, 2.0], list("aabb"))
    assert found.of_images == 0 and found.n_scenes == 2
    found = estimate([1.0, 1.0, 3.0, 3.0], list("aabb"))
    assert found.of_images == pytest.approx(np.sqrt(2 * (2**2 + 2**2)) / 4)  # sums of -2 and 2
    assert np.isinf(estimate([1.0, 3.0], ["a", "a"]).half_width())


@pytest.mark.parametrize("scenes", [[2] * 10, [7, 7, 6], [28] * 4])
def test_intervals_of_few_scenes_cover_the_truth_where_that_is_told(scenes):
    assert interval_coverage(3, scenes, 0.3, draws=4000) > 0.94
    assert interval_coverage(1, scenes, 0, draws=4000) > 0.87  # skewed
    assert interval_coverage(1, scenes, 0, known=False, draws=4000) < 0.85


def test_scenes_of_unequal_size_cost_coverage():
    unequal, equal = (interval_coverage(1, scenes, 0) for scenes in ([13, 4, 3], [7, 7, 6]))
    assert 0.83 < unequal < equal - 0.02


def test_what_an_image_shows_is_told_by_its_name():
    names = ["16_drunk_00_00", "16_sober_01_02", "FLIR_00497", "200002", "200003", "park_00510",
             "park_00524", "park_00525", "street_00500", "street_00501", "val/00323.jpg",
             "chelsea/000", "chelsea/002", "grass/001"]
    found = scenes_of(names)
    assert found[0] == found[1] == "person 16" and found[3] == found[4] != found[2]
    assert found[5] == found[6] != found[7] and found[8] != found[9] and found[10] == names[10]
    assert found[11] == found[12] != found[13]


def test_the_interval_over_images_alone_does_not():
    assert interval_coverage(1, [1] * 100, 0) > 0.93
    assert interval_coverage(1, [1] * 100, 1.0) < 0.5  # one seed does not speak of training again


# methods beside each other


def run(values, seed=0, names=None, trained=True, **known):
    """A run with these PSNR, and a hundredth of them as SSIM."""
    names = names or [f"image {k}" for k in range(len(values))]
    index = pd.Index(names, name="image")
    known = {"seed": seed, "steps": 20 if trained else 0, "dataset": "some data",
             "not_measured": "", "metrics": {"PSNR": np.mean(values)}} | known
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
            found[name].append(run(values + random.normal(0, 0.2, 50), seed, experiment=name))
    return found


def test_differences_are_established_where_they_are(runs):
    others = {name: runs[name] for name in "BCD"}
    frame = differences(runs["A"], others, ["PSNR"])
    assert list(frame.columns) == ["difference", "ci_low", "ci_high", "p", "p_corrected",
                                   "established", "n_images", "n_scenes", "n_seeds"]
    frame = frame.loc["PSNR"]
    assert frame.loc["B", "difference"] == pytest.approx(1, abs=0.1)
    assert frame["established"].to_dict() == {"B": True, "C": False, "D": False}
    assert (frame["n_images"] == 50).all() and (frame["n_seeds"] == 3).all()
    assert (frame["ci_low"] < frame["difference"]).all()
    # seed 0 alone: D is 3 better than A, which three seeds do not bear out
    alone = differences(runs["A"][:1], {"D": runs["D"][:1]}, ["PSNR"])
    assert alone["established"].all() and alone["difference"].item() == pytest.approx(-3, abs=0.1)


def test_differences_correct_over_the_whole_table(runs):
    found = differences(runs["A"], {"B": runs["B"], "C": runs["C"]}, ["PSNR", "SSIM"])
    assert list(found.index) == [(metric, name) for metric in ("PSNR", "SSIM") for name in "BC"]
    p = sorted(found["p"])  # Benjamini and Hochberg by hand: p times 4 over its rank
    assert sorted(found["p_corrected"]) == pytest.approx(
        [min(p[j] * 4 / (j + 1) for j in range(k, 4)) for k in range(4)]
    )
    assert (found["established"] == (found["p_corrected"] <= LEVEL)).all()
    table = as_text(found)
    assert table.index.names == ["metric", "minus"]
    assert table["established"].tolist() == ["yes", "no", "yes", "no"]
    assert table.loc[("PSNR", "B"), "p"] == f"{found['p'].iloc[0]:.4f}"
    assert table.loc[("PSNR", "B"), "difference"] == f"{found['difference'].iloc[0]:+.4f}"
    low = f"{found['ci_low'].iloc[0]:+.4f}"
    assert table.loc[("PSNR", "B"), "95 % interval"].startswith(f"{low} to")


def test_every_seed_is_held_against_a_method_without_training(runs):
    plain = run(np.mean([one.test_images["PSNR"] for one in runs["A"]], axis=0) - 2, trained=False)
    found = differences(runs["A"], {"input": [plain]}, ["PSNR"]).iloc[0]
    assert found["difference"] == pytest.approx(2) and found["n_seeds"] == 3


def test_seeds_are_held_against_the_same_seeds(runs):
    """D is 3 better than A with seed 0 and 1 worse with the others; of B the last two are there."""
    alone = differences(runs["A"], {"D": runs["D"][:1]}, ["PSNR"]).iloc[0]
    assert alone["difference"] == pytest.approx(-3, abs=0.1) and alone["n_seeds"] == 1
    two = differences(runs["D"], {"B": runs["B"][1:]}, ["PSNR"]).iloc[0]
    assert two["difference"] == pytest.approx(0, abs=0.1) and two["n_seeds"] == 2
    with pytest.raises(ValueError, match="A and B are of different seeds"):
        differences(runs["A"][:1], {"B": runs["B"][1:]}, ["PSNR"])


def test_images_of_one_person_count_as_one_in_tables():
    """Five persons, four images of each, which do alike."""
    random = np.random.default_rng(4)
    names = [f"{person:02d}_sober_{frame:02d}_00" for person in range(1, 6) for frame in range(4)]
    gain = np.repeat(random.normal(0.5, 1, 5), 4) + random.normal(0, 0.1, 20)
    plain = random.normal(20, 3, 20)
    better, worse = run(plain + gain, names=names), run(plain, names=names)
    found = differences([better], {"B": [worse]}, ["PSNR"]).iloc[0]
    assert (found["n_images"], found["n_scenes"]) == (20, 5)
    persons = np.repeat(np.arange(5), 4)
    assert (found["ci_low"], found["ci_high"]) == pytest.approx(estimate(gain, persons).interval())
    table = method_means({"A": [better]}, ["PSNR"]).loc["A"]
    wide = estimate(plain + gain, persons).interval()
    assert (table["PSNR low"], table["PSNR high"]) == pytest.approx(wide)


def test_runs_on_different_images_are_not_compared(runs):
    other = run(np.ones(50), names=[f"face {k}" for k in range(50)])
    for of_seeds in ([other], [runs["B"][0], other]):
        with pytest.raises(ValueError, match="E was not judged on the same images"):
            differences(runs["A"], {"E": of_seeds}, ["PSNR"])


def test_a_metric_that_one_of_them_lacks_is_left_out(runs):
    with_more = Run(Path(), runs["B"][0].record, runs["B"][0].test_images.assign(LPIPS=1.0))
    for first, second in ((runs["A"], [with_more]), ([with_more], runs["A"])):
        found = differences(first, {"other": second}, ["PSNR", "LPIPS"])
        assert list(found.index.get_level_values("metric")) == ["PSNR"]
    table = method_means({"B": [with_more, runs["B"][1]]}, ["PSNR", "LPIPS"])
    assert np.isnan(table.loc["B", "LPIPS"]) and table.loc["B", "PSNR"] > 0


def test_means_have_intervals_over_seeds_and_images(runs):
    known = {"metrics": {"PSNR": 3.0, "kernel distance": 0.25}}
    plain = [run(np.array([1.0, 5.0]), trained=False, **known)]
    none = [run(np.array([1.0, 5.0]), trained=False, not_measured="no weights here")]
    table = method_means({"A": runs["A"], "HE": plain}, ["PSNR", "kernel distance"])
    values = np.array([one.test_images["PSNR"] for one in runs["A"]])
    assert table.loc["A", "PSNR"] == pytest.approx(values.mean())
    assert (table.loc["A", "PSNR low"], table.loc["A", "PSNR high"]) == estimate(values).interval()
    assert table.loc["A", ["n_images", "seeds", "dataset"]].tolist() == [50, 3, "some data"]
    # what is measured of all images as a set has no interval
    assert table.loc["HE", "kernel distance"] == 0.25 and "kernel distance low" not in table
    assert np.isnan(table.loc["A", "kernel distance"]) and "why" not in table
    table = method_means({"HE": plain, "CUT": none}, ["PSNR", "kernel distance"])
    assert np.isnan(table.loc["CUT", "kernel distance"])
    assert table.loc["CUT", "why"] == "no weights here" and table.loc["CUT", "PSNR"] == 3


def test_full_width_stands_beside_the_same_seed_on_the_images_of_both(tmp_path, monkeypatch):
    def of(profile, values, names, steps, seed=0):
        config = {"scale": {"image_size": 128}}
        return run(np.array(values), seed, names, experiment="C1", profile=profile, steps=steps,
                   config=config)

    (tmp_path / "runs" / "C1" / "seed0").mkdir(parents=True)
    full = of("paper", [10.0, 30.0, 50.0], ["b", "c", "d"], 1251)
    monkeypatch.setattr(compare, "published_dir", {"paper": tmp_path}.__getitem__)
    monkeypatch.setattr(compare, "read_run", lambda folder: full)
    ours = [of("laptop", [1.0, 2.0, 4.0], ["a", "b", "c"], 4000, seed) for seed in (0, 1)]
    table = beside_full_width({"C1": ours}, ["PSNR"])
    assert table.index.to_list() == ["C1", "C1"] and set(table["n_images"]) == {2}
    assert table["PSNR"].to_list() == [3, 20] and table["seed"].to_list() == ["0", "0"]
    assert table["trained"].to_list() == ["6.39 of 101 epochs with 1/4 of the channels",
                                          "2 of 101 epochs"]
    elsewhere = [of("laptop", [1.0], ["of other data"], 4000)]
    assert beside_full_width({"C1": elsewhere}, ["PSNR"]).empty
    assert beside_full_width({"C1": ours[1:]}, ["PSNR"]).empty


@pytest.mark.parametrize("value, text", [
    (27.1, "27.10"), (0.81234, "0.8123"), (-1.5, "-1.500"), (1234.4, "1234"), (np.nan, "–")])
def test_four_digits(value, text):
    assert four_digits(value) == text


def test_a_table_is_written_and_shown_compact(results, runs):
    """A mean and its interval are one cell to read and three columns in the file."""
    means = method_means({"A": runs["A"]}, ["PSNR"])
    shown = store_table(means, "test", "some_table")
    values = means.loc["A", ["PSNR", "PSNR low", "PSNR high"]].map(four_digits)
    assert shown.loc["A", "PSNR [95 %]"] == "{} [{},\xa0{}]".format(*values)
    assert [*shown] == ["PSNR [95 %]"]
    assert shown.columns.name.startswith("50 images, seeds: 3, some data")
    stored = pd.read_csv(results / "tables" / "some_table.csv", index_col="method")
    assert stored.loc["A", "PSNR"] == pytest.approx(means.loc["A", "PSNR"], rel=1e-5)
    assert stored.loc["A", "dataset"] == "some data" and stored.loc["A", "n_images"] == 50
    rows = {"A": runs["A"], "input": [run(np.ones(50), trained=False)], "B": runs["B"][:1]}
    shown = store_table(method_means(rows, ["PSNR"]), "test", "some_table")
    assert [*shown] == ["seeds", "PSNR [95 %]"] and [*shown["seeds"]] == ["3", "", "1"]
    found = differences(runs["A"], {"B": runs["B"]}, ["PSNR"])
    store_table(as_text(found), "test", "tests")
    text = (results / "tables" / "tests.csv").read_bytes()
    assert text.startswith(b"metric,minus,difference") and b"\r" not in text
    store_table(as_text(found), "test", "tests")
    assert (results / "tables" / "tests.csv").read_bytes() == text
