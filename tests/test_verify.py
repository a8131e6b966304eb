"""python -m lib.verify: whole results pass, everything altered is found and named."""

import json
import shutil

import pandas as pd
import pytest

from lib import paths, verify
from lib.files import sha256
from lib.papers import reported
from lib.results import numbers
from lib.results.claims import write_claims
from lib.results.complexity import DATASET, counted_numbers
from lib.results.numbers import Number
from lib.results.publish import publish
from lib.results.runs import find_runs, table_numbers
from lib.results.tables import PRINTED_METRICS, TABLES
from lib.training import record, status
from lib.training.experiments import resolve
from made_runs import alter_record, make_run

PROFILE = "test"
SEEDS = (0, 1)


def record_table(paper, item, data, experiments=None):
    """What the notebook of a table does; of `experiments` only, where they are given."""
    table = TABLES[paper, item]
    asked = experiments or table.experiments
    cells = {place: cell for place, cell in table.cells.items() if cell.experiment in asked}
    runs = find_runs(PROFILE, asked, SEEDS, data)
    numbers.record(PROFILE, paper, item, table_numbers(type(table)(paper, item, cells), runs))


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Results with Tables 2, 3 and 4 of 2D-GAN, two seeds, on embedded images."""
    folder = tmp_path_factory.mktemp("made")
    (folder / "data").mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("IR_RESULTS", str(folder / "results"))
        for item in ("table3", "table4"):
            for name in TABLES["2dgan", item].experiments:
                trained = resolve(name, PROFILE).experiment.trained
                if not (folder / "results" / PROFILE / "runs" / name).is_dir():
                    for seed in SEEDS if trained else (0,):
                        make_run(name, seed, folder / "data")
            record_table("2dgan", item, folder / "data")
        timed = Number("Generator", verify.TIMES, 12.5, 0.1, dataset=DATASET)
        numbers.record(PROFILE, "2dgan", "table2", [*counted_numbers(), timed])
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


def alter(results, name, file="numbers.csv", **fields):
    """Change fields of one number."""
    path = results / file
    frame = pd.read_csv(path, dtype=str, keep_default_na=False)
    keys = frame["paper"] + "/" + frame["item"] + "/" + frame["row"] + "/" + frame["column"]
    assert (keys == name).sum() == 1
    frame.loc[keys == name, list(fields)] = list(fields.values())
    frame.to_csv(path, index=False)


def alter_images(results, run, change):
    """Change test_images.csv, and the checksum in the record with it."""
    path = results / run / "test_images.csv"
    frame = pd.read_csv(path, index_col="image")
    change(frame).to_csv(path)
    files = record.read(results / run)["files"]
    alter_record(results / run, files=files | {path.name: sha256(path)})


# ---- whole results


def test_whole_results_pass(results, capsys):
    verdict = verify.verify(PROFILE)
    assert verdict.problems == []
    assert verdict.measured_once == ["2dgan/table2/Generator/Inference time (ms)"]
    prose = sum(name.startswith("2dgan/prose") for name in verdict.rests_on)
    assert prose > 0
    cells = len(TABLES["2dgan", "table3"].cells) + len(TABLES["2dgan", "table4"].cells)
    assert verdict.recomputed == cells + 4 + prose
    assert verdict.rests_on["2dgan/table4/AG/C5"] == ("runs/C5/seed0", "runs/C5/seed1")
    assert verdict.rests_on["2dgan/table3/Img1.AG/OG"] == ("runs/Input/seed0",)
    assert verify.main([str(results)]) == 0
    shown = capsys.readouterr().out
    assert "0 problems, 0 stale sources" in shown and "measured once" in shown


def test_numbers_of_the_other_paper_are_computed_again(results, made):
    for seed in SEEDS:
        make_run("CUT-OSU", seed, made / "data")
    record_table("gn_cyclegan", "table2", made / "data", ["CUT-OSU"])
    numbers.collect(PROFILE)
    verdict = verify.verify(PROFILE)
    assert verdict.problems == []
    name = "gn_cyclegan/table2/CUT/OSU.SSIM"
    assert verdict.rests_on[name] == ("runs/CUT-OSU/seed0", "runs/CUT-OSU/seed1")
    alter(results, name, sd="7")
    assert any(f"{name}: sd is stored as 7" in line for line in found())


def test_published_records_are_checked_without_weights(results, made):
    lent = record.read(results / "runs/C5/seed0")["files"][record.WEIGHTS]
    make_run("C5-on-recorded-faces", 0, made / "data", weights=lent)
    publish(PROFILE)
    published = results.parent / "published" / PROFILE
    assert not list(published.rglob("*.safetensors"))
    assert verify.main([str(published)]) == 0
    alter(published, "2dgan/table4/AG/C1", reproduced="1")
    assert verify.main([str(published)]) == 1


def test_numbers_read_from_published_runs_rest_on_those(results):
    """Where nothing was trained here; of an experiment that was, published runs are not used."""
    publish(PROFILE)
    shutil.rmtree(results / "runs")
    assert found() == []
    (results / "runs" / "C3").mkdir(parents=True)
    assert [line.partition(":")[0] for line in found()] == ["runs/C3/seed0", "runs/C3/seed1"]


def test_results_that_are_not_there(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("IR_RESULTS", str(tmp_path))
    with pytest.raises(SystemExit, match="2"):
        verify.main([str(tmp_path / "nothing")])
    (tmp_path / PROFILE).mkdir()
    assert verify.main([str(tmp_path / PROFILE)]) == 1
    assert "numbers.csv: is not there" in capsys.readouterr().out


# ---- altered numbers


def test_each_tampered_field_is_named_with_both_values(results, capsys):
    fields = ("reproduced", "sd", "ci_low", "ci_high", "n_images", "dataset")
    alter(results, "2dgan/table4/PSNR/C4", **dict.fromkeys(fields, "123"))
    lines = found("number")
    assert [line.partition(", computed again ")[0] for line in lines] == [
        f"2dgan/table4/PSNR/C4: {field} is stored as 123" for field in fields]
    assert verify.main([str(results)]) == 1
    assert "\n".join(lines) in capsys.readouterr().out


@pytest.mark.parametrize("fields, words", [
    ({"seeds": "0"}, "reproduced is stored as"),
    ({"seeds": "0 7"}, ""),  # a run that is not there: the problem is the run's
    ({"seeds": ""}, "names no seed"),
    ({"source": "runs/C5/seed0/run.json"}, "source is stored as runs/C5/seed0/run.json"),
])
def test_other_runs_than_the_tables_spec_names_are_found(results, fields, words):
    """In numbers.csv and in the table that it is made of."""
    alter(results, "2dgan/table4/PSNR/C4", **fields)
    alter(results, "2dgan/table4/PSNR/C4", "tables/2dgan_table4.csv", **fields)
    lines = [line for line in found() if line.startswith(("2dgan/table4/PSNR/C4", "runs/C4/"))]
    assert lines and words in lines[0]


def test_a_tampered_last_digit_is_found(results):
    path = results / "numbers.csv"
    line = next(x for x in path.read_text().splitlines() if x.startswith("2dgan,table3,Img2.AG,OG"))
    value = line.split(",")[5]
    alter(results, "2dgan/table3/Img2.AG/OG", reproduced=f"{float(value) + 1e-4:.6g}")
    assert any(f"computed again {value}" in line for line in found("number"))


def test_a_number_tampered_in_both_files_is_found(results):
    alter(results, "2dgan/table4/AG/C1", reproduced="1")
    alter(results, "2dgan/table4/AG/C1", "tables/2dgan_table4.csv", reproduced="1")
    problems = found()
    assert len(problems) == 1 and "reproduced is stored as 1," in problems[0]


def test_counts_percentages_and_printed_numbers_are_checked(results):
    alter(results, "2dgan/table2/Generator/Parameters (M)", reproduced="99")
    alter(results, "2dgan/prose/C5 over C3/AG", reproduced="50")
    alter(results, "2dgan/table4/AG/C2", reported="1.5")
    text = "\n".join(found("number"))
    assert "Parameters (M): reproduced is stored as 99, computed again 12.3017" in text
    assert "2dgan/prose/C5 over C3/AG: reproduced is stored as 50, computed again" in text
    assert "2dgan/table4/AG/C2: reported is stored as 1.5, computed again" in text


def test_numbers_missing_or_too_many_are_found(results):
    path = results / "numbers.csv"
    frame = pd.read_csv(path, dtype=str, keep_default_na=False)
    assert len(frame) == len(reported.load())
    extra = frame.iloc[[3]].assign(row="Nothing")
    pd.concat([frame.drop(index=5), extra]).to_csv(path, index=False)
    text = "\n".join(found("number"))
    assert f"{numbers.name_of(frame.iloc[5])}: is missing" in text
    assert "/Nothing/" in text and "is no number of the papers" in text
    pd.concat([frame, frame.iloc[[7]]]).to_csv(path, index=False)
    assert "a number stands in it twice" in found("number")[0]
    path.write_text("a,b\n1,2\n")
    assert "numbers.csv: its columns are not paper, item" in found()[0]


def test_a_table_that_was_not_merged_is_found(results):
    frame = pd.read_csv(results / "numbers.csv", dtype=str, keep_default_na=False)
    of_table = frame["item"] == "table4"
    frame.loc[of_table, ["reproduced", "sd", "ci_low", "ci_high", "seeds", "source"]] = ""
    frame.to_csv(results / "numbers.csv", index=False)
    lines = [line for line in found("number") if "reproduced is stored as empty" in line]
    assert len(lines) == of_table.sum() == 20 and lines[0].startswith("2dgan/table4/")


# ---- altered runs


def test_a_deleted_run_is_named_once_with_the_command(results, made):
    shutil.rmtree(results / "runs" / "C3" / "seed1")
    command = "python -m lib.train --experiment C3 --profile test --seed 1"
    assert found() == [f"runs/C3/seed1: runs/C3/seed1 holds no run: {command}"]
    (problem,) = verify.verify(PROFILE, made / "data").problems
    assert str(problem).endswith(f"{command} --data {made / 'data'}")


@pytest.mark.parametrize("name", ["test_images.csv", "samples.png", "history.csv",
                                  "weights.safetensors"])
def test_an_altered_file_of_a_run_is_found(results, name):
    path = results / "runs" / "C2" / "seed0" / name
    path.write_bytes(path.read_bytes().replace(b"1", b"2", 1) + b"\n")
    assert any("runs/C2/seed0" in line and f"{name} is damaged" in line for line in found("source"))
    if name != "weights.safetensors":  # readers of published records have none
        path.unlink()
        assert any(f"{name} is missing" in line for line in found("source"))


@pytest.mark.parametrize("name", ["test_images.csv", "history.csv", record.WEIGHTS])
def test_a_file_that_the_record_does_not_vouch_for_is_found(results, name):
    files = record.read(results / "runs/C5/seed0")["files"]
    alter_record(results / "runs/C5/seed0", files={key: of for key, of in files.items() if key != name})
    assert f"runs/C5/seed0: run.json has no checksum of {name}" in found()


def test_altered_images_with_their_checksum_are_found(results):
    alter_images(results, "runs/C2/seed0", lambda frame: frame.assign(SSIM=frame["SSIM"] + 0.01))
    assert any("runs/C2/seed0: run.json says mean SSIM" in line for line in found("source"))
    assert any(line.startswith("2dgan/table4/SSIM/C2: reproduced") for line in found("number"))


def test_seeds_altered_against_each_other_are_found_though_their_mean_stays(results):
    for run, shift in (("runs/C1/seed0", 0.5), ("runs/C1/seed1", -0.5)):
        alter_images(results, run, lambda frame: frame.assign(AG=frame["AG"] + shift))
    assert sum("run.json says mean AG" in line for line in found("source")) == 2


def test_swapped_images_are_found_though_their_mean_stays(results):
    swapped = {"image 3": "image 1", "image 1": "image 3"}
    alter_images(results, "runs/C5/seed0", lambda frame: frame.rename(index=swapped))
    assert any("C5 were not judged on the same images" in line for line in found("number"))
    alter_images(results, "runs/C5/seed1", lambda frame: frame.rename(index=swapped))
    assert any(line.startswith("2dgan/table3/Img1") for line in found("number"))


def test_a_number_that_a_run_no_longer_has_is_told(results):
    """As where a metric was renamed since."""
    alter_images(results, "runs/C2/seed0", lambda frame: frame.drop(columns="AG"))
    assert "2dgan/table4/AG/C2: C2 has no AG in its runs" in found("number")
    alter_record(results / "runs/HE/seed0", examples=["image 3"])
    assert "2dgan/table3/Img2.IE/HE: HE has no IE of Img2 in its runs" in found("number")


def test_the_record_of_another_run_is_found(results):
    shutil.rmtree(results / "runs/C2/seed0")
    shutil.copytree(results / "runs/C1/seed0", results / "runs/C2/seed0")
    assert "runs/C2/seed0: is another run: its record is of C1, profile test, seed 0" in found()
    alter_record(results / "runs/C3/seed0", profile="smoke")
    assert any("its record is of C3, profile smoke" in line for line in found("source"))


def test_an_altered_or_unfinished_record_is_found(results, capsys):
    known = json.loads((results / "runs/C1/seed0/run.json").read_text())
    known["config"]["scale"]["batch_size"] += 1
    known["config"]["experiment"]["title"] = "a better title"  # which is no setting
    alter_record(results / "runs/C1/seed0", config=known["config"])
    alter_record(results / "runs/C2/seed0", status="stopped", trained="1 of 9 epochs")
    (results / "runs/C3/seed0/run.json").write_text("{")
    (results / "runs/C4/seed0/run.json").write_text("{}")
    problems = found("source")
    assert [line.split(":")[0] for line in problems] == [
        f"runs/{name}/seed0" for name in ("C1", "C2", "C3", "C4")
    ]
    assert problems[0].endswith("other settings than run.json says: scale.batch_size 9 then, 8 now")
    assert "stopped after 1 of 9 epochs" in problems[1]
    assert "runs/C3/seed0/run.json is damaged" in problems[2] and "lacks" in problems[3]
    assert not any(str(results) in line for line in problems)  # no path of this machine
    assert verify.main([str(results), "--allow-stale"]) == 1


# ---- what changed since


def test_claims_that_were_judged_by_other_words_are_stale(results, capsys):
    frame = write_claims(PROFILE)
    assert verify.main([str(results)]) == 0
    frame.drop(index=3).to_csv(results / "claims.csv", index=False)
    assert verify.main([str(results)]) == 1
    assert "STALE claims.csv: data/claims.yaml has changed since" in capsys.readouterr().out
    frame.add_prefix("x").to_csv(results / "claims.csv", index=False)
    assert verify.main([str(results)]) == 1
    assert "STALE claims.csv: its columns are not today's" in capsys.readouterr().out


def test_stale_code_fails_unless_allowed(results, capsys):
    known = json.loads((results / "runs/C4/seed1/run.json").read_text())
    changed = known["definitions"]["trained"] | {"lib.losses.pixel.mse": "0" * 16}
    alter_record(results / "runs/C4/seed1", trained_by=known["trained_by"] | {"code": "0" * 16},
                 definitions=known["definitions"] | {"trained": changed})
    assert found() == ["STALE runs/C4/seed1: training code changed: losses.pixel.mse"]
    stale = verify.verify(PROFILE).stale()
    rows = [f"table4/{metric}/C4" for metric in PRINTED_METRICS]
    rows += [f"prose/C5 over C4/{metric}" for metric in PRINTED_METRICS]
    assert set(stale) == {f"2dgan/{row}" for row in rows}
    assert verify.main([str(results)]) == 1
    assert verify.main([str(results), "--allow-stale"]) == 0
    assert "STALE runs/C4/seed1" in capsys.readouterr().out


@pytest.mark.parametrize("identity, words", [
    ("trained_by", "training code changed"), ("evaluated_by", "evaluation code changed"),
])
def test_code_that_changes_makes_everything_it_made_stale(results, monkeypatch, identity, words):
    today = getattr(status, identity)
    monkeypatch.setattr(status, identity, lambda *_: today(*_) | {"code": "another"})
    verdict = verify.verify(PROFILE)
    assert {problem.kind for problem in verdict.problems} == {"stale"}
    assert all(words in problem.what for problem in verdict.problems)
    assert set(verdict.stale()) == {name for name, rests in verdict.rests_on.items() if rests}


def test_a_changed_setting_is_named(results, monkeypatch):
    def changed(name, profile, seed):
        return resolve(name, profile, seed, without_perceptual=name == "C1")

    monkeypatch.setattr(verify, "resolve", changed)
    stale = [line for line in found() if line.startswith("STALE runs/C1/seed0")]
    assert len(stale) == 1 and "configuration changed: " in stale[0]
    assert "experiment.losses.vgg 3.0 then, 0.0 now" in stale[0]


def test_changed_data_are_stale_where_a_data_root_is_given(results, made, monkeypatch):
    def of_other_data(run, name):
        known = json.loads((results / run / "run.json").read_text())
        other = {key: known[key] | {"data": "f" * 16} for key in ("trained_by", "evaluated_by")}
        alter_record(results / run, data_fingerprint="f" * 64, dataset=name, **other)

    of_other_data("runs/C1/seed0", "embedded natural images")
    assert found("stale")[0].startswith(
        "STALE runs/C1/seed0: data changed: embedded natural images ffffffff then")
    # another data set stands in: a change where the root was asked for, else only not compared
    for seed in SEEDS:
        of_other_data(f"runs/C1/seed{seed}", "ImageNet-5504")
    assert sum("data changed: ImageNet-5504" in line for line in found("stale")) == 2
    monkeypatch.delenv("IR_DATA")
    monkeypatch.setattr(paths, "REPO", made)  # of which data/ is empty
    verdict = verify.verify(PROFILE)
    assert verdict.unchecked_data == ["ImageNet-5504"]
    assert not any(problem.kind == "stale" for problem in verdict.problems)
