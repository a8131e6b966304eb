"""python -m lib.verify: whole results pass, everything altered is found and named."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest

from lib import verify
from lib.results import sources as verify_sources
from lib.data.catalogue import describe
from lib.training.experiments import resolve, run_hash
from lib.metrics import METRICS
from lib.paths import run_folder
from lib.provenance import code_hash
from lib.results import images, numbers, translation
from lib.results.complexity import DATASET
from lib.results.examples import example_numbers
from lib.results.images import store_images
from lib.results.numbers import Number
from lib.results.runs import image_metrics, load_run, table_numbers
from lib.train import code_files
from lib.training.record import settings

NAMES = [f"image {k}" for k in range(6)]
PROFILE = "test"


def write_run(experiment, seed, data):
    """The record and the images of a run, as training would leave them, with made-up metrics."""
    random = np.random.default_rng([seed, len(experiment), ord(experiment[1])])
    values = {metric: random.uniform(10, 20, len(NAMES)) for metric in METRICS}
    config = resolve(experiment, PROFILE, seed)
    folder = run_folder(PROFILE, experiment, seed)
    folder.mkdir(parents=True)
    frame = pd.DataFrame({"image": NAMES, **values})
    frame.to_csv(folder / "test_images.csv", index=False, float_format="%.6g")
    record = {
        "experiment": experiment, "profile": PROFILE, "seed": seed, "status": "complete",
        "trained": "1 of 1 epochs", "dataset": data.name, "data_fingerprint": data.fingerprint,
        "n_images": len(NAMES), "metrics": {m: float(v.mean()) for m, v in values.items()},
        "config": settings(config), "config_hash": run_hash(config), "code_commit": "abc",
        "code_hash": code_hash(code_files(config.experiment.recipe)),
    }  # fmt: skip
    (folder / "run.json").write_text(json.dumps(record))


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Results with Tables 2, 3 and 4 of 2D-GAN, two seeds, on embedded images."""
    folder = tmp_path_factory.mktemp("made")
    (folder / "data").mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("IR_RESULTS", str(folder / "results"))
        data = describe("enhancement", folder / "data")
        columns = {name: name for name in ("C1", "C2", "C3", "C4", "C5")}
        for name in columns:
            for seed in (0, 1):
                write_run(name, seed, data)
        numbers.record(PROFILE, "2dgan", "table4", table_numbers(PROFILE, columns, (0, 1)))

        inputs = {"OG": {metric: np.linspace(1 / 3, 7, 6) for metric in METRICS}}
        inputs = store_images(PROFILE, "2dgan", "table3", NAMES, inputs, data, ["lib.metrics"])
        ours = [image_metrics(load_run(PROFILE, "C5", seed), NAMES) for seed in (0, 1)]
        examples = example_numbers({"OG": [inputs["OG"]], "Ours": ours}, [3, 1, 0], NAMES,
                                   data.name, (0, 1), {"Ours": "runs/C5/seed0/run.json"})
        numbers.record(PROFILE, "2dgan", "table3", examples)

        counted = [*verify._counts().values(),
                   Number("Generator", verify.TIMES, 12.5, 0.1, dataset=DATASET)]
        numbers.record(PROFILE, "2dgan", "table2", counted)
        numbers.collect(PROFILE)
    return folder


@pytest.fixture
def results(made, tmp_path, monkeypatch):
    """A copy of `made` that a test may alter."""
    shutil.copytree(made / "results", tmp_path / "results")
    monkeypatch.setenv("IR_RESULTS", str(tmp_path / "results"))
    monkeypatch.setenv("IR_DATA", str(made / "data"))
    return tmp_path / "results" / PROFILE


def found(kind=None):
    problems = verify.verify(PROFILE).problems
    return [str(problem) for problem in problems if kind in (None, problem.kind)]


def replace_in(path, old, new, count=1):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, count))


def alter(results, name, **fields):
    """Change fields of one number of numbers.csv."""
    path = results / "numbers.csv"
    frame = pd.read_csv(path, dtype=str, keep_default_na=False)
    keys = frame["paper"] + "/" + frame["item"] + "/" + frame["row"] + "/" + frame["column"]
    frame.loc[keys == name, list(fields)] = list(fields.values())
    frame.to_csv(path, index=False)


def alter_record(results, run, **fields):
    path = results / run / "run.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))


def test_whole_results_pass(results, capsys):
    verdict = verify.verify(PROFILE)
    assert verdict.problems == []
    assert verdict.measured_once == ["2dgan/table2/Generator/Inference time (ms)"]
    prose = sum(name.startswith("2dgan/prose") for name in verdict.rests_on)
    assert prose > 0
    assert verdict.recomputed == 20 + 24 + 4 + prose
    assert verdict.rests_on["2dgan/table4/AG/C5"] == ("runs/C5/seed0", "runs/C5/seed1")
    assert verdict.rests_on["2dgan/table3/Img1.AG/OG"] == ("tables/2dgan_table3_images",)
    assert verify.main([str(results)]) == 0
    assert "0 problems, 0 stale numbers" in capsys.readouterr().out


@pytest.mark.parametrize("field", ["reproduced", "sd", "ci_low", "ci_high", "n_images", "dataset"])
def test_a_tampered_field_is_named_with_both_values(results, field, capsys):
    alter(results, "2dgan/table4/PSNR/C4", **{field: "123"})
    lines = [line for line in found("number") if "computed again" in line]
    assert lines[0].startswith(f"2dgan/table4/PSNR/C4: {field} is stored as 123, computed again ")
    assert verify.main([str(results)]) == 1
    assert lines[0] in capsys.readouterr().out


def test_a_tampered_last_digit_is_found(results):
    path = results / "numbers.csv"
    line = next(x for x in path.read_text().splitlines() if x.startswith("2dgan,table3,Img2.AG,OG"))
    value = line.split(",")[5]
    alter(results, "2dgan/table3/Img2.AG/OG", reproduced=f"{float(value) + 1e-5:.6g}")
    assert any(f"computed again {value}" in line for line in found("number"))


def test_a_number_tampered_in_both_files_is_found(results):
    alter(results, "2dgan/table4/AG/C1", reproduced="1")
    part = results / "tables" / "2dgan_table4.csv"
    frame = pd.read_csv(part, dtype=str, keep_default_na=False)
    frame.loc[(frame["row"] == "AG") & (frame["column"] == "C1"), "reproduced"] = "1"
    frame.to_csv(part, index=False)
    problems = found()
    assert len(problems) == 1 and "reproduced is stored as 1," in problems[0]


def test_counts_percentages_and_printed_numbers_are_checked(results):
    alter(results, "2dgan/table2/Generator/Parameters (M)", reproduced="99")
    alter(results, "2dgan/prose/C5 over C3/AG", reproduced="50")
    alter(results, "2dgan/table4/AG/C2", reported="1.5")
    text = "\n".join(found("number"))
    assert "Parameters (M): reproduced is stored as 99, computed again 12.3017" in text
    assert "2dgan/prose/C5 over C3/AG: reproduced is stored as 50, computed again" in text
    assert "2dgan/table4/AG/C2: reported: the paper prints" in text


def test_a_table_that_was_not_merged_is_found(results):
    (results / "tables" / "2dgan_table4.csv").unlink()
    assert any("but in tables/2dgan_table4.csv empty" in line for line in found("number"))


def test_a_deleted_run_is_named_once_with_the_command(results):
    shutil.rmtree(results / "runs" / "C3" / "seed1")
    problems = found()
    assert len(problems) == 1
    assert problems[0].startswith("runs/C3/seed1: missing run: C3 seed 1")
    assert "python -m lib.train --experiment C3 --profile test --seed 1" in problems[0]


def test_changed_images_of_a_run_are_found(results):
    path = results / "runs" / "C2" / "seed0" / "test_images.csv"
    frame = pd.read_csv(path, index_col="image")
    frame.loc["image 4", "SSIM"] += 0.01
    frame.to_csv(path)
    assert any("runs/C2/seed0: run.json says mean SSIM" in line for line in found("source"))
    assert any(line.startswith("2dgan/table4/SSIM/C2: reproduced") for line in found("number"))


def test_swapped_images_are_found_though_their_mean_stays(results):
    path = results / "runs" / "C5" / "seed0" / "test_images.csv"
    replace_in(path, "image 3", "image three")
    replace_in(path, "image 1", "image 3")
    replace_in(path, "image three", "image 1")
    assert any(line.startswith("2dgan/table3/Img1") for line in found("number"))


def test_changed_stored_images_are_found(results):
    replace_in(results / "tables" / "2dgan_table3_images.csv", "0.333333", "0.333334")
    assert any(line.startswith("2dgan/table3/Img3.AG/OG: reproduced is stored as 0.333333, "
                               "computed again 0.333334") for line in found("number"))  # fmt: skip
    (results / "tables" / "2dgan_table3_images.csv").unlink()
    assert any("no metrics of single images are stored" in line for line in found("number"))


def test_the_record_of_another_run_is_found(results):
    shutil.copy(results / "runs/C1/seed0/run.json", results / "runs/C2/seed0/run.json")
    assert "runs/C2/seed0: is another run: its record is of C1, profile test, seed 0" in found()
    alter_record(results, "runs/C3/seed0", profile="smoke")
    assert any("its record is of C3, profile smoke" in line for line in found("source"))


def test_an_altered_or_unfinished_record_is_found(results):
    record = json.loads((results / "runs/C1/seed0/run.json").read_text())
    record["config"]["scale"]["batch_size"] += 1
    alter_record(results, "runs/C1/seed0", config=record["config"])
    alter_record(results, "runs/C2/seed0", status="stopped", trained="1 of 9 epochs")
    (results / "runs/C3/seed0/run.json").write_text("{")
    (results / "runs/C4/seed0/run.json").write_text("{}")
    problems = found("source")
    assert [line.split(":")[0] for line in problems] == [
        f"runs/{name}/seed0" for name in ("C1", "C2", "C3", "C4")
    ]
    assert "not the one it was trained with" in problems[0]
    assert "is not complete: 1 of 9 epochs" in problems[1]
    assert "cannot be read" in problems[2] and "lacks" in problems[3]


def test_stale_code_fails_unless_allowed(results, capsys):
    alter_record(results, "runs/C4/seed1", code_hash="0" * 64)
    assert found() == ["STALE runs/C4/seed1: code changed since commit abc"]
    stale = verify.verify(PROFILE).stale()
    rows = [f"table4/{metric}/C4" for metric in METRICS]
    rows += [f"prose/C5 over C4/{metric}" for metric in METRICS]
    assert set(stale) == {f"2dgan/{row}" for row in rows}
    assert verify.main([str(results)]) == 1
    assert verify.main([str(results), "--allow-stale"]) == 0
    assert "STALE runs/C4/seed1" in capsys.readouterr().out


def test_code_that_changes_makes_everything_it_made_stale(results, monkeypatch):
    monkeypatch.setattr(verify_sources, "code_hash", lambda files: "another")
    monkeypatch.setattr(verify_sources, "modules_hash", lambda modules: "another")
    verdict = verify.verify(PROFILE)
    assert {problem.kind for problem in verdict.problems} == {"stale"}
    assert set(verdict.stale()) == {name for name, rests in verdict.rests_on.items() if rests}


def test_a_changed_setting_is_named(results, monkeypatch):
    now = resolve("C1", PROFILE, 0)
    changed = type(now)(**{**vars(now), "without_perceptual": True})
    monkeypatch.setattr(verify_sources, "resolve", lambda *_: changed)
    assert ("STALE runs/C1/seed0: configuration changed: without_perceptual False then, True now"
            in found())  # fmt: skip


def test_changed_data_are_stale_where_a_data_root_is_given(results, monkeypatch, tmp_path):
    alter_record(results, "runs/C1/seed0", data_fingerprint="f" * 64)
    assert found()[-1].startswith("STALE runs/C1/seed0: data changed: embedded natural images fff")
    # another data set stands in: a change where the root was asked for, else only not compared
    for run in ("C1/seed0", "C1/seed1"):
        alter_record(results, f"runs/{run}", data_fingerprint="f" * 64, dataset="ImageNet-5504")
    assert sum("data changed: ImageNet-5504" in line for line in found("stale")) == 2
    monkeypatch.delenv("IR_DATA")
    verdict = verify.verify(PROFILE)
    assert verdict.unchecked_data == ["ImageNet-5504"]
    assert not any(problem.kind == "stale" for problem in verdict.problems)


def test_numbers_of_the_other_paper_are_computed_again(results):
    data = describe("osu", results)
    for seed in (0, 1):
        write_run("CUT-OSU", seed, data)
    made = translation.table_numbers(PROFILE, {("CUT", "OSU."): "CUT-OSU"}, (0, 1))
    numbers.record(PROFILE, "gn_cyclegan", "table2", made)
    numbers.collect(PROFILE)
    verdict = verify.verify(PROFILE)
    assert verdict.problems == []
    assert verdict.rests_on["gn_cyclegan/table2/CUT/OSU.SSIM"] == (
        "runs/CUT-OSU/seed0", "runs/CUT-OSU/seed1")  # fmt: skip
    alter(results, "gn_cyclegan/table2/CUT/OSU.SSIM", sd="7")
    assert any("gn_cyclegan/table2/CUT/OSU.SSIM: sd is stored as 7" in line for line in found())


def test_results_that_are_not_there(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("IR_RESULTS", str(tmp_path))
    with pytest.raises(SystemExit, match="2"):
        verify.main([str(tmp_path / "nothing")])
    (tmp_path / PROFILE).mkdir()
    assert verify.main([str(tmp_path / PROFILE)]) == 1
    assert "numbers.csv: is not there" in capsys.readouterr().out


def test_stored_images_come_back_as_stored(results):
    stored = images.read_images(PROFILE, "2dgan", "table3")["OG"]
    assert list(stored.index) == NAMES
    assert stored.loc["image 0", "AG"] == 0.333333
    assert images.read_record(PROFILE, "2dgan", "table3")["dataset"] == "embedded natural images"
    assert images.read_images(PROFILE, "2dgan", "table7") == {}
