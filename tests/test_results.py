"""From runs to tables: which runs are taken, what their numbers are, what their images were."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest

from lib.data import catalogue
from lib.data.fingerprint import DataSet
from lib.data.scenes import scenes_of
from lib.evaluation import judge as judging
from lib.evaluation.attention import drawn_maps
from lib.evaluation.examples import choose_examples, nearest
from lib.evaluation.inference import as_method, enhance
from lib.evaluation.statistics import estimate
from lib.files import sha256
from lib.machine import choose_device
from lib.metrics import METRICS
from lib.networks.weights import PretrainedUnavailable
from lib.papers import reported
from lib.paths import NOTEBOOKS as NOTEBOOK_FILES, published_dir, results_dir
from lib.results import numbers, runs as runs_module
from lib.results.compare import method_means
from lib.results.publish import publish
from lib.results.runs import Run, find_runs, measure, number, read_run, table_numbers
from lib.results.tables import NOTEBOOKS, TABLES, Cell, Table, notebook_of, printed_of
from lib.training import record
from lib.training.experiments import EXPERIMENTS, resolve
from lib.training.identity import settings, trained_by
from lib.training.run import load, load_generator, run, training_size
from lib.training.status import ToDo, to_do
from made_runs import alter_record, make_run, need_weights, quiet

CPU = choose_device("cpu")
TRAINED = {"L2": (0, 1), "TIECNN": (0, 1), "Input": (0,), "HE": (0,)}
TRANSLATED = {"unet_256-FLIR": (0,), "visible-FLIR": (0,), "mean-FLIR": (0,)}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Runs of the profile `test` on embedded images and synthetic scenes, of both papers."""
    folder = tmp_path_factory.mktemp("made")
    (folder / "data").mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("IR_RESULTS", str(folder / "results"))
        for name, seeds in (TRAINED | TRANSLATED).items():
            for seed in seeds:
                run(name, "test", seed, folder / "data", device="cpu", report=quiet)
    return folder


@pytest.fixture
def root(made, tmp_path, monkeypatch):
    """The data root, and a copy of the results that a test may alter."""
    shutil.copytree(made / "results", tmp_path / "results")
    monkeypatch.setenv("IR_RESULTS", str(tmp_path / "results"))
    return made / "data"


@pytest.fixture
def found(root):
    enhancement = find_runs("test", TRAINED, [0, 1], root)
    return enhancement | find_runs("test", TRANSLATED, [0], root)


# ---- the runs


def test_a_run_a_seed_and_one_where_nothing_is_trained(found):
    assert {name: len(of_seeds) for name, of_seeds in found.items()} == {
        "L2": 2, "TIECNN": 2, "Input": 1, "HE": 1, **dict.fromkeys(TRANSLATED, 1)}
    assert [one.record["seed"] for one in found["L2"]] == [0, 1]
    assert found["L2"][1].source == "runs/L2/seed1/run.json"
    assert (found["L2"][0].trained, found["Input"][0].trained) == (True, False)
    assert found["L2"][0].dataset == "embedded natural images"
    assert found["mean-FLIR"][0].dataset == "synthetic street scenes"
    assert list(found["TIECNN"][0].history().index) == list(range(1, 11))


def test_images_of_examples_read_back_as_they_were(found, root):
    """Input, output and reference of samples.png are those the metrics were measured on."""
    for name, of_seeds in found.items():
        one, config = of_seeds[0], resolve(name, "test", 0)
        samples = one.samples()
        data = load(config, root)
        shown = load(config, root, config.scale.image_size)
        if name in TRANSLATED:
            test = shown.split["test"]
            names = [shown.names[i] for i in test]
            inputs, references = shown.visible[test], shown.infrared[test]
        else:
            names, inputs, references = data.test.names, data.test.degraded, data.test.reference
        chosen = [list(names).index(name) for name in one.record["examples"]]
        assert chosen == choose_examples(config.experiment.data, shown) and len(chosen) == 3
        np.testing.assert_array_equal(samples["input"], inputs[chosen])
        np.testing.assert_array_equal(samples["reference"], references[chosen])
        for metric, measure_ in METRICS.items():
            values = measure_(samples["output"], samples["reference"])
            stored = one.test_images.loc[one.record["examples"], metric]
            np.testing.assert_allclose(values, stored, rtol=1e-5)
        if config.experiment.network:
            method = as_method(load_generator(one.folder), data, config.scale.image_size, CPU)
            given = data.visible[data.split["test"]] if name in TRANSLATED else inputs
            np.testing.assert_array_equal(samples["output"], method(given)[chosen])
    untouched = found["Input"][0].samples()
    np.testing.assert_array_equal(untouched["output"], untouched["input"])
    assert training_size(resolve("unet_256-FLIR", "test")) == 256 and samples["input"].ndim == 4


def test_outputs_without_training_are_a_floor(found, root):
    pairs = load(resolve("mean-FLIR", "test"), root)
    grey, mean = (found[name][0].samples() for name in ("visible-FLIR", "mean-FLIR"))
    np.testing.assert_allclose(grey["output"], grey["input"].mean(axis=-1), atol=0.5)
    expected = np.rint(pairs.infrared[pairs.split["train"]].mean(axis=0))
    assert all((image == expected).all() for image in mean["output"])


def test_attention_is_stored_as_the_network_weighs(found):
    stored, samples = found["L2"][0].attention(), found["L2"][0].samples()
    again = drawn_maps(load_generator(found["L2"][0].folder), samples["input"])
    assert stored.keys() == again.keys() and {"mean_0", "maps_0", "channels_0"} <= stored.keys()
    for name, maps in stored.items():  # float16, and another memory layout
        np.testing.assert_allclose(maps, again[name], atol=2e-3)
    assert not (found["TIECNN"][0].folder / "attention.npz").exists()


def test_enhance_does_not_depend_on_the_batch_size(found, root):
    generator = load_generator(found["L2"][0].folder)
    images = load(resolve("L2", "test"), root).test.degraded
    whole, single = (enhance(generator, images, CPU, size) for size in (6, 1))
    assert whole.dtype == np.uint8 and whole.shape == images.shape
    assert np.abs(whole.astype(int) - single).max() <= 1  # last bits before rounding


def test_learned_measures_of_translations(found):
    need_weights("vgg16", "alexnet", "lpips_alexnet")
    for name in TRANSLATED:
        one = found[name][0]
        measured, judged = [*METRICS, "LPIPS"], one.record["metrics"]
        if one.trained:  # its last weights are judged as well
            measured += [f"last {metric}" for metric in METRICS]
        assert list(one.test_images) == measured and one.record["not_measured"] == ""
        assert set(judged) - set(measured) >= {"kernel distance"}
    enhancing = found["L2"][0]
    assert "LPIPS" in enhancing.test_images and "kernel distance" not in enhancing.record["metrics"]


def test_without_weights_the_learned_measures_are_empty_and_say_why(root, tmp_path, monkeypatch):
    def unavailable(*_):
        raise PretrainedUnavailable("no weights here")

    monkeypatch.setattr(judging, "lpips", unavailable)
    folder = run("mean-FLIR", "test", 0, root, tmp_path / "run", "cpu", report=quiet)
    one = read_run(folder)
    assert one.record["not_measured"] == "LPIPS and kernel distance: no weights here"
    table = method_means({"mean": [one]}, ["PSNR", "LPIPS", "kernel distance"])
    assert np.isnan(table.loc["mean", "LPIPS"]) and np.isnan(table.loc["mean", "kernel distance"])
    assert table.loc["mean", "PSNR"] > 0 and "no weights here" in table.loc["mean", "why"]
    config, dataset = resolve("mean-FLIR", "test"), catalogue.describe("flir", root)
    assert to_do(folder, config, dataset) == ToDo(
        "evaluate", "what could not be measured can be now")
    monkeypatch.setenv("IR_WEIGHTS", str(tmp_path))  # where there are none
    assert to_do(folder, config, dataset).what == "nothing"


def test_a_table_takes_runs_of_one_precision(results, tmp_path):
    (tmp_path / "data").mkdir()
    for name, precision in (("C1", "fp32"), ("C2", "bf16")):
        config = resolve(name, "test", 0, precision=precision)
        dataset = catalogue.describe("enhancement", tmp_path / "data")
        make_run(name, 0, tmp_path / "data", config=settings(config),
                 trained_by=trained_by(config, dataset))
    one = find_runs("test", ["C2"], (0,), tmp_path / "data")
    assert method_means(one, ["PSNR"]).loc["C2", "precision"] == "bf16"
    with pytest.raises(FileNotFoundError, match="C2.* in bf16 and .*C1.* in fp32: a table takes"):
        find_runs("test", ["C1", "C2"], (0,), tmp_path / "data")


# ---- numbers


def test_numbers_are_means_over_images_and_seeds(found):
    for metric in METRICS:
        made = number((metric, "L2"), Cell("L2", metric), found["L2"])
        by_seed = np.array([one.test_images[metric] for one in found["L2"]])
        of_images = by_seed.mean(axis=0)
        assert made.reproduced == pytest.approx(of_images.mean())
        assert made.sd == pytest.approx(of_images.std(ddof=1))
        scenes = scenes_of(found["L2"][0].test_images.index)
        assert (made.ci_low, made.ci_high) == estimate(by_seed, scenes).interval()
        assert (made.seeds, made.n_images) == ("0 1", 6)
        assert (results_dir("test") / made.source).is_file()
        assert (made.dataset, made.why) == ("embedded natural images", "")


def test_numbers_of_one_image_name_it(found):
    made = number(("Img2.PSNR", "Ours"), Cell("L2", "PSNR", 1), found["L2"])
    image = found["L2"][0].record["examples"][1]
    values = [one.test_images.loc[image, "PSNR"] for one in found["L2"]]
    assert (made.why, made.n_images) == (f"image {image}", 1)
    assert made.reproduced == pytest.approx(np.mean(values))
    assert made.sd == pytest.approx(np.std(values, ddof=1))  # over seeds
    assert made.ci_low is made.ci_high is None
    single = number(("Img2.PSNR", "Ours"), Cell("L2", "PSNR", 1), found["L2"][:1])
    assert single.sd is None and single.seeds == "0"


def test_untrained_methods_have_no_seeds(found):
    made = number(("AG", "HE"), Cell("HE", "AG"), found["HE"])
    assert made.seeds == "" and made.source == "runs/HE/seed0/run.json"
    assert made.sd == pytest.approx(found["HE"][0].test_images["AG"].std())


def test_a_table_gives_its_numbers_in_its_order(found):
    table = Table("gn_cyclegan", "table2", {
        ("CycleGAN+unet_256", "Flir.SSIM"): Cell("unet_256-FLIR", "SSIM"),
        ("CycleGAN+unet_256", "Flir.PSNR"): Cell("unet_256-FLIR", "PSNR"),
    })
    made = table_numbers(table, found)
    assert [(n.row, n.column) for n in made] == list(table.cells)
    images = pd.read_csv(results_dir("test") / "runs/unet_256-FLIR/seed0/test_images.csv")
    assert made[1].reproduced == pytest.approx(images["PSNR"].mean())
    assert made[1].dataset == "synthetic street scenes" and made[1].n_images == 4


def test_seeds_on_other_images_are_not_averaged(found):
    first, second = found["L2"]
    other = Run(second.folder, second.record, second.test_images.iloc[::-1])
    with pytest.raises(ValueError, match="seeds of L2 were not judged on the same images"):
        measure(Cell("L2", "PSNR"), [first, other])


def test_images_with_numbers_for_names_keep_them(root):
    folder = results_dir("test") / "runs" / "L2" / "seed0"
    path, names = folder / "test_images.csv", [f"{k:04}" for k in range(6)]
    pd.read_csv(path).assign(image=names).to_csv(path, index=False)
    alter_record(folder, files=record.read(folder)["files"] | {path.name: sha256(path)})
    assert list(read_run(folder).test_images.index) == names


# ---- runs that are not as a table needs them


def refused(experiments, root, seeds=(0,), profile="test", **options):
    with pytest.raises(FileNotFoundError) as raised:
        find_runs(profile, experiments, seeds, root, **options)
    told = str(raised.value)
    assert "\n" not in told and "Run: python -m lib.train " in told
    return told


def test_a_missing_run_names_the_command(root):
    told = refused(["L2", "C3", "GF"], root, seeds=(0, 2))
    assert "C3 seed 0: never run; C3 seed 2: never run" in told and "and 1 more" in told
    commands = told.partition("Run: ")[2].split(" && ")
    begin = "python -m lib.train --profile test --seed"
    assert commands == [f"{begin} 0 --data {root} --experiment C3 GF",
                        f"{begin} 2 --data {root} --experiment C3 L2"]


def test_the_command_names_a_folder_as_a_shell_takes_it(root, tmp_path):
    (images := tmp_path / "my images").mkdir()
    assert f" --data '{images}' --experiment C3" in refused(["C3"], images)


def test_the_owner_of_borrowed_weights_is_asked_for_first(root):
    told = refused(["C5-on-recorded-faces"], root)
    assert told.endswith("--experiment C5 C5-on-recorded-faces")


def test_a_run_of_another_profile_is_refused(root):
    shutil.copytree(results_dir("test") / "runs", results_dir("smoke") / "runs")
    assert "L2 seed 0: its record is of L2, profile test, seed 0" in refused(
        ["L2"], root, profile="smoke")


def test_a_run_of_other_data_is_refused(root, monkeypatch):
    other = DataSet("enhancement", "ImageNet-5504", "f" * 64, root)
    monkeypatch.setattr(catalogue, "describe", lambda key, root: other)
    told = refused(["L2"], root)
    assert "data changed: embedded natural images" in told and "ImageNet-5504 ffffffff now" in told


def test_a_run_without_perceptual_losses_is_refused(root):
    run("C1", "test", 0, root, device="cpu", without_perceptual=True, report=quiet)
    told = refused(["C1"], root)
    assert "C1 seed 0: configuration changed: experiment.losses.vgg 0.0 then, 3.0 now" in told


def test_a_run_that_was_stopped_early_is_refused(root):
    run("L2", "test", 2, root, device="cpu", time_budget=0, report=quiet)
    assert "L2 seed 2: stopped after 0.3333 of 3.333 epochs" in refused(["L2"], root, seeds=(2,))


def test_a_run_of_other_code_is_refused(root):
    path = results_dir("test") / "runs/L2/seed1/run.json"
    known = json.loads(path.read_text())
    known["evaluated_by"]["code"] = known["definitions"]["evaluated"]["lib.metrics.psnr.psnr"] = "0"
    path.write_text(json.dumps(known))
    assert "L2 seed 1: evaluation code changed: metrics.psnr.psnr" in refused(["L2"], root, [0, 1])


@pytest.mark.parametrize("name", ["run.json", "test_images.csv", "history.csv"])
def test_a_damaged_run_is_refused(root, name):
    path = results_dir("test") / "runs/L2/seed0" / name
    path.write_text(path.read_text()[:-20])
    assert f"{name} is damaged" in refused(["L2"], root)
    with pytest.raises(record.Damaged, match=name):
        read_run(path.parent)


def test_weights_are_not_needed_to_read_a_run(root):
    """Published records have none; whoever wants to generate images asks for them."""
    folder = results_dir("test") / "runs/L2/seed0"
    (folder / record.WEIGHTS).unlink()
    assert len(find_runs("test", ["L2"], [0], root)["L2"]) == 1
    with pytest.raises(record.Damaged, match="weights.safetensors is missing"):
        load_generator(folder)


# ---- seeds that are finished


def test_without_seeds_all_that_are_finished_are_taken(root):
    def seeds(name, told=None):
        found = find_runs("test", [name], None, root, report=[].append if told is None else told)
        return [one.record["seed"] for one in found[name]]

    assert seeds("L2") == [0, 1] and seeds("unet_256-FLIR") == seeds("Input") == [0]
    run("L2", "test", 3, root, device="cpu", time_budget=0, report=quiet)
    lines = []
    assert seeds("L2", lines.append) == [0, 1]
    assert lines == ["left out: L2 seed 3: stopped after 0.3333 of 3.333 epochs"]
    shutil.rmtree(results_dir("test") / "runs/L2/seed0")
    told = refused(["L2"], root, seeds=None)
    assert "L2 seed 0: never run" in told and "seed 3" not in told


def test_what_a_stale_network_gave_on_other_images_is_left_out_with_it(tmp_path, monkeypatch):
    monkeypatch.setenv("IR_RESULTS", str(tmp_path / "results"))
    (tmp_path / "data").mkdir()
    for seed in (0, 1):
        folder = make_run("C5", seed, tmp_path / "data")
        known = record.read(folder)
        make_run("C5-on-wide", seed, tmp_path / "data", weights=known["files"][record.WEIGHTS])
    alter_record(folder, trained_by=known["trained_by"] | {"code": "of before"})
    lines = []
    found = find_runs("test", ["C5-on-wide"], None, tmp_path / "data", report=lines.append)
    assert [one.record["seed"] for one in found["C5-on-wide"]] == [0]
    assert "C5-on-wide seed 1: the network of C5 is not as it should be" in lines[0]


# ---- precisions


def test_a_table_takes_two_precisions_only_where_a_check_held(root, monkeypatch):
    for seed, precision in ((0, "fp32"), (1, "bf16")):
        run("L2", "test", seed, root, device="cpu", precision=precision, report=quiet)
    assert len(find_runs("test", ["L2"], [0], root)["L2"]) == 1
    assert "they train alike, here two_d_gan has none" in refused(["L2"], root, [0, 1])
    assert len(find_runs("test", ["L2"], [0, 1], root, mixed=True)["L2"]) == 2
    for held, recipe, refuses in ((True, "two_d_gan", False), (False, "two_d_gan", True),
                                  (True, "tiecnn", True)):
        checked = pd.DataFrame({"recipe": [recipe] * 2, "metric": ["PSNR", "SSIM"],
                                "held": [True, held]})
        monkeypatch.setattr(runs_module, "precision_check", lambda runs, it=checked: it)
        if refuses:
            assert "train alike" in refused(["L2"], root, [0, 1])
        else:
            assert len(find_runs("test", ["L2"], [0, 1], root)["L2"]) == 2


def ended(name, seed, psnr, ssim):
    """A run of a check that ended at these values, on the images that the check looks at."""
    images = pd.DataFrame({"PSNR": [psnr - 1, psnr + 1], "SSIM": [ssim, ssim]})
    one = Run(None, {"experiment": name, "seed": seed}, images)
    history = pd.DataFrame({"validation_PSNR": [0, psnr], "validation_SSIM": [0, ssim]})
    object.__setattr__(one, "history", lambda: history)
    return one


@pytest.mark.parametrize("name", ["precision-C5", "precision-CUT-MSRS"])
def test_bf16_holds_where_it_differs_by_less_than_seeds_do(name):
    def check(shift, of_bf16=(0, 1, 2)):
        return runs_module.precision_check({
            f"{name}-fp32": [ended(f"{name}-fp32", k, 20 + k, 0.5 + k / 10) for k in range(3)],
            f"{name}-bf16": [ended(f"{name}-bf16", k, 20 + k + shift, 0.5 + k / 10)
                             for k in of_bf16],
        })

    found = check(0.9).set_index("metric")
    assert found["held"].all() and found.loc["PSNR", "difference"] == pytest.approx(0.9)
    assert found.loc["PSNR", "sd over seeds"] == pytest.approx(1)
    assert set(found["recipe"]) == {"two_d_gan" if "C5" in name else "cut"}
    assert check(-1.1).set_index("metric")["held"].to_dict() == {"PSNR": False, "SSIM": True}
    assert check(0, of_bf16=(0, 1)).empty


# ---- published runs


@pytest.fixture
def published(root):
    """The runs as readers get them, and nothing made here."""
    numbers.collect("test")
    publish("test")
    shutil.rmtree(results_dir("test") / "runs")
    return root


def test_published_runs_are_read_where_none_was_made_here(published):
    lines = []
    found = find_runs("test", ["Input", "L2"], [0, 1], published, report=lines.append)
    assert [one.folder.parents[2].parent.name for one in found["L2"]] == ["published"] * 2
    assert len(found["Input"]) == 1 and found["L2"][0].samples()["output"].shape == (3, 128, 128)
    assert len(lines) == 1 and lines[0].startswith("published runs (commit ")
    assert number(("PSNR", "L2"), Cell("L2", "PSNR"), found["L2"]).source == (
        "runs/L2/seed0/run.json")


def test_published_runs_are_shown_with_all_their_seeds(published):
    found = find_runs("test", ["Input", "L2"], None, published, report=quiet)
    assert [len(found[name]) for name in ("Input", "L2")] == [1, 2]


def test_published_runs_are_never_mixed_with_those_made_here(published):
    run("Input", "test", 0, published, device="cpu", report=quiet)
    told = refused(["Input", "L2"], published)
    assert "L2 seed 0: never run" in told and "Input seed 0" not in told


def test_published_runs_have_to_be_all_there_whole_and_of_the_same_images(published):
    folder = published_dir("test") / "runs/L2/seed0"
    assert "L2 seed 7: never run" in refused(["L2"], published, seeds=(0, 7))
    alter_record(folder, status="stopped")
    assert "L2 seed 0: never run" in refused(["Input", "L2"], published)
    alter_record(folder, status="complete", data_fingerprint="f" * 64)
    with pytest.raises(FileNotFoundError, match="on other data"):
        find_runs("test", ["Input", "L2"], [0], published)


# ---- what is printed, and where ours comes from


def test_examples_are_nearest_to_the_papers_inputs_and_distinct():
    targets = [7.8692, 10.7, 15.3017]
    assert nearest(np.array([15.2, 10.7, 7.9, 12.0, 10.6]), targets) == [2, 1, 0]
    assert len(set(nearest(np.full(5, 11.0), targets))) == 3


def test_every_printed_number_of_a_table_has_its_cell():
    for (paper, item), cells in reported.load().groupby(["paper", "item"]):
        if item != "prose":
            table = TABLES[paper, item]
            printed = set(zip(cells["row"], cells["column"]))
            assert table.counted or set(table.cells) == printed, item
            assert all(cell.metric in METRICS for cell in table.cells.values())
            assert notebook_of(paper, item) in {notebook.name for notebook in NOTEBOOKS}


def test_notebooks_are_those_of_the_folder_and_read_what_there_is():
    assert [nb.name for nb in NOTEBOOKS] == sorted(p.stem for p in NOTEBOOK_FILES.glob("*.ipynb"))
    for notebook in NOTEBOOKS:
        assert set(notebook.reads()) <= set(EXPERIMENTS)
    read = {name for notebook in NOTEBOOKS for name in notebook.reads()}
    other = {"L5", "shipped-2dgan", "shipped-gn_cyclegan"}  # L5 is C5; what ships, users look at
    assert read == set(EXPERIMENTS) - other  # nothing is trained that nobody looks at


def test_printed_values_of_a_column_of_2d_gan_and_a_row_of_gn_cyclegan():
    c4 = {"AG": 6.7855, "IE": 4.1879, "PSNR": 13.742, "SSIM": 0.1951}
    assert printed_of("C4") == c4
    assert printed_of("CUT-OSU") == {"PSNR": 13.3502, "SSIM": 0.3168}
    assert printed_of("CBAM_CycleGAN-FLIR") == {"PSNR": 13.2403, "SSIM": 0.453}
    assert printed_of("GN_CycleGAN-stress-FLIR") == {}
