"""From runs to tables: example images, intervals, loading what was trained."""

import numpy as np
import pandas as pd
import pytest
import torch

from lib import train
from lib.papers import reported
from lib.data.enhancement import load
from lib.evaluation.enhancement import enhance, evaluate_enhancement
from lib.training.experiments import EXPERIMENTS
from lib.paths import results_dir
from lib.results.examples import example_numbers, example_positions, mean_table
from lib.results.runs import load_generator, load_run, printed_metrics, table_numbers
from lib.evaluation.statistics import bootstrap_interval

CPU = torch.device("cpu")


@pytest.fixture
def trained(tmp_path, monkeypatch):
    """C1 of the profile test, two seeds, on the embedded images; returns the data root."""
    monkeypatch.setenv("IR_RESULTS", str(tmp_path / "results"))
    root = tmp_path / "data"
    root.mkdir()
    for seed in (0, 1):
        train.run("C1", "test", seed, root, device="cpu", without_perceptual=True,
                  report=lambda line: None)  # fmt: skip
    return root


def test_a_loaded_generator_gives_the_recorded_metrics(trained):
    run = load_run("test", "C1", 0)
    data = load(trained, 128, 24, 4, 6)
    again = evaluate_enhancement(load_generator(run), data.test, CPU).means()
    # another memory layout than in training may round a pixel otherwise
    assert again == pytest.approx(run.record["metrics"], rel=1e-4)


def test_table_numbers_are_means_over_images_and_seeds(trained):
    numbers = {number.row: number for number in table_numbers("test", {"C1": "C1"}, [0, 1])}
    frames = [pd.read_csv(results_dir("test") / f"runs/C1/seed{seed}/test_images.csv")
              for seed in (0, 1)]  # fmt: skip
    for metric, number in numbers.items():
        values = (frames[0][metric] + frames[1][metric]) / 2
        assert number.reproduced == pytest.approx(values.mean())
        assert number.sd == pytest.approx(values.std())
        assert number.ci_low < number.reproduced < number.ci_high
        assert (number.seeds, number.n_images) == ("0 1", 6)
        assert (results_dir("test") / number.source).is_file()
        assert number.dataset == "embedded natural images"


def test_a_missing_run_names_the_command(tmp_path, monkeypatch):
    monkeypatch.setenv("IR_RESULTS", str(tmp_path))
    with pytest.raises(FileNotFoundError, match="lib.train --experiment C5 --profile test"):
        load_run("test", "C5", 0)


def test_enhance_does_not_depend_on_the_batch_size(trained):
    generator = load_generator(load_run("test", "C1", 0))
    images = load(trained, 128, 24, 4, 6).test.degraded
    whole, single = (enhance(generator, images, CPU, size) for size in (6, 1))
    assert whole.dtype == np.uint8 and whole.shape == images.shape
    assert np.abs(whole.astype(int) - single).max() <= 1  # last bits before rounding


def test_examples_are_nearest_to_the_papers_inputs_and_distinct():
    psnr = np.array([15.2, 10.7, 7.9, 12.0, 10.6])
    assert example_positions(psnr) == [2, 1, 0]
    assert len(set(example_positions(np.full(5, 11.0)))) == 3
    far = np.concatenate([np.full(100, 30.0), [7.8692]])  # beyond the images of every profile
    assert 100 not in example_positions(far)


def test_example_numbers_name_their_image():
    metrics = {m: np.arange(4.0) for m in ("AG", "IE", "PSNR", "SSIM")}
    numbers = example_numbers(
        {"OG": [metrics], "Ours": [metrics, {m: v + 2 for m, v in metrics.items()}]},
        [3, 1, 0], ["a", "b", "c", "d"], "some data", [0, 1], {"Ours": "runs/C5/seed0/run.json"},
    )  # fmt: skip
    by_cell = {(n.row, n.column): n for n in numbers}
    assert set(n.row for n in numbers) == set(reported.table("2dgan", "table3").index)
    ours = by_cell["Img1.PSNR", "Ours"]
    assert (ours.reproduced, ours.why) == (4.0, "image d")
    assert ours.sd == pytest.approx(np.sqrt(2))
    assert by_cell["Img3.AG", "OG"].reproduced == 0
    assert by_cell["Img3.AG", "OG"].source == ""


def test_bootstrap_covers_the_mean_of_known_values():
    values = np.random.default_rng(1).normal(5, 2, 400)
    low, high = bootstrap_interval(values)
    half = 1.96 * values.std(ddof=1) / 20  # the normal approximation
    assert low == pytest.approx(values.mean() - half, abs=0.05)
    assert high == pytest.approx(values.mean() + half, abs=0.05)
    assert bootstrap_interval(values) == (low, high)
    with pytest.raises(ValueError, match="at least two"):
        bootstrap_interval(values[:1])


def test_mean_table_is_written(tmp_path, monkeypatch):
    monkeypatch.setenv("IR_RESULTS", str(tmp_path))
    frame = mean_table({"HE": {"PSNR": np.array([1.0, 3.0])}}, "test", "some_table", "some data")
    assert frame.loc["HE", "PSNR"] == 2
    stored = pd.read_csv(tmp_path / "test" / "tables" / "some_table.csv", index_col="method")
    assert stored.loc["HE", "dataset"] == "some data" and stored.loc["HE", "n_images"] == 2


def test_printed_metrics_find_a_column_of_2d_gan_and_a_row_of_gn_cyclegan():
    c4 = {"AG": 6.7855, "IE": 4.1879, "PSNR": 13.742, "SSIM": 0.1951}
    assert printed_metrics(EXPERIMENTS["C4"]) == c4
    assert printed_metrics(EXPERIMENTS["CUT-OSU"]) == {"PSNR": 13.3502, "SSIM": 0.3168}
    assert printed_metrics(EXPERIMENTS["CBAM_CycleGAN-FLIR"]) == {"PSNR": 13.2403, "SSIM": 0.453}
    assert printed_metrics(EXPERIMENTS["GN_CycleGAN-stress-FLIR"]) == {}
    assert all(printed_metrics(one) for one in EXPERIMENTS.values() if one.item.startswith("table"))
