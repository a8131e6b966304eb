"""What is published of a profile: all that a reader needs, whole, and no weights."""

import json
import re
import shutil
import sys
from pathlib import Path

import pytest

from lib import paths
from lib.data import catalogue
from lib.files import sha256, write_text
from lib.results import publish as module
from lib.results.publish import publish
from lib.results.runs import read_run
from lib.running import run_all
from lib.training import record, status
from lib.training.experiments import resolve
from lib.training.run import load_generator, run
from made_runs import BLANK, put

PAGE = ('<a href="#top">a</a> <a href="../runs/C5/seed0/samples.png">b</a> '
        '<a href="../runs/C5/seed1/samples.png#x">c</a> <a href="../executed/failed.ipynb">d</a> '
        '<a href="https://doi.org/1">e</a> '
        '<a href="../../../notebooks/x.ipynb#y">f</a>')


def make_run(results, experiment, seed):
    folder = results / "runs" / experiment / f"seed{seed}"
    files = {"weights.safetensors": b"weights" * 1000, "history.csv": b"step,loss\n1,2\n",
             "test_images.csv": b"image,PSNR\na,20\n", "samples.png": b"png",
             "attention.npz": b"npz"}
    put(folder, files)
    known = BLANK | {
        "experiment": experiment, "seed": seed, "status": "complete",
        "files": {name: sha256(folder / name) for name in files}}
    write_text(folder / "run.json", json.dumps(known))


def executed(results, noted):
    """A notebook as papermill leaves it, with a path of this machine wherever there can be one."""
    data = str(results.parent.parent / "images")
    told = f"{results}/runs {paths.REPO}/lib/x.py {sys.prefix}/lib {data}/a.png {Path.home()}/b"
    warned = "/tmp/ipykernel_12/345.py:1: UserWarning: https://example.org/root"
    cell = {"cell_type": "code", "source": f'data = "{data}"', "execution_count": 1,
            "metadata": {"papermill": {"status": "done"}, "tags": ["injected-parameters"]},
            "outputs": [{"output_type": "stream", "name": "stderr", "text": [told, warned]}]}
    papermill = noted | {"parameters": {"data": data}, "output_path": str(results / "executed")}
    return {"cells": [cell], "nbformat": 4, "nbformat_minor": 5, "metadata": {
        "papermill": papermill, "kernelspec": {"name": "python3"}}}


@pytest.fixture
def results(tmp_path, monkeypatch):
    monkeypatch.setenv("IR_RESULTS", str(tmp_path / "results"))
    results = paths.results_dir("smoke")
    write_text(tmp_path / "notebooks/x.ipynb", "{}")
    for name in ("numbers.csv", "claims.csv", "tables/a.csv", "figures/b.svg", "stamps/x.json",
                 "tables/.hidden", "executed/.x.ipynb"):
        write_text(results / name, name)
    for name, noted in (("done", {"end_time": "12:00", "exception": None}),
                        ("running", {"end_time": None, "exception": None}),
                        ("failed", {"end_time": "12:00", "exception": True})):
        write_text(results / f"executed/{name}.ipynb", json.dumps(executed(results, noted)))
    write_text(results / "report/index.html", PAGE)
    for experiment, seeds in (("C5", (0, 1, 10)), ("GN", (10, 2))):
        for seed in seeds:
            make_run(results, experiment, seed)
    return results


def content(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes()
            for path in folder.rglob("*") if path.is_file()}


def test_readers_get_all_but_weights_and_samples_of_one_seed(results):
    told = publish("smoke")
    target = results.parent / "published/smoke"
    assert str(target) in told
    of_runs = {"C5/seed0": 5, "C5/seed1": 3, "C5/seed10": 3, "GN/seed2": 5, "GN/seed10": 3}
    found = content(target)
    for run, files in of_runs.items():
        assert sum(name.startswith(f"runs/{run}/") for name in found) == files, run
    assert {name for name in found if not name.startswith("runs/")} == {
        "numbers.csv", "claims.csv", "tables/a.csv", "figures/b.svg", "report/index.html",
        "executed/done.ipynb"}
    assert not any("weights" in name for name in found)
    for name in found.keys() - {"report/index.html", "executed/done.ipynb"}:
        assert found[name] == (results / name).read_bytes() or name.endswith("run.json")


def test_published_runs_can_be_read_and_damage_is_found(results):
    publish("smoke")
    for run in (results.parent / "published/smoke/runs").glob("*/seed*"):
        assert read_run(run).test_images.loc["a", "PSNR"] == 20
        known, of = (record.read(folder) for folder in (run, results / "runs" / run.relative_to(
            run.parent.parent)))
        weights = {name: of["files"][name] for name in ["weights.safetensors"]}
        assert known.pop("unpublished") == weights and {**known, "files": of["files"]} == of
    (run / "history.csv").write_text("other")
    with pytest.raises(record.Damaged, match="history.csv"):
        read_run(run)


def test_a_stopped_run_takes_no_complete_ones_place(results):
    def stop(experiment, share):
        path = results / f"runs/{experiment}/seed0/run.json"
        write_text(path, json.dumps(json.loads(path.read_text()) | {
            "status": "stopped", "trained": share}))

    def published(experiment):
        return record.read(results.parent / f"published/smoke/runs/{experiment}/seed0")["trained"]

    make_run(results, "C1", 0)
    publish("smoke")
    stop("C1", "1 of 2")
    make_run(results, "C2", 0)
    for share in ("1 of 3", "2 of 3"):  # of one that was never complete the last is shown
        stop("C2", share)
        publish("smoke")
        assert (published("C1"), published("C2")) == (BLANK["trained"], share)


def test_a_home_at_the_root_changes_no_code(results, monkeypatch):
    monkeypatch.setattr(Path, "home", lambda: Path("/"))
    path = results / "executed/done.ipynb"
    write_text(path, path.read_text().replace("https:", "x = a / b # https:"))
    publish("smoke")
    assert "x = a / b" in (results.parent / "published/smoke/executed/done.ipynb").read_text()


def test_an_executed_notebook_tells_nothing_of_the_machine(results):
    publish("smoke")
    text = (results.parent / "published/smoke/executed/done.ipynb").read_text()
    for place in (results.parent.parent, paths.REPO, sys.prefix, Path.home(), "papermill", "/tmp/"):
        assert str(place) not in text.replace("https://example.org/root", ""), place
    [cell] = json.loads(text)["cells"]
    assert cell["source"] == 'data = "data"'
    assert cell["metadata"] == {"tags": ["injected-parameters"]}
    [output] = cell["outputs"]
    assert output["text"] == ["results/smoke/runs ./lib/x.py .venv/lib data/a.png ~/b",
                              "cell.py:1: UserWarning: https://example.org/root"]
    shutil.rmtree(results)  # only what was published is there, and it stays
    make_run(results, "C5", 0)
    publish("smoke")
    assert (results.parent / "published/smoke/executed/done.ipynb").read_text() == text


def test_links_lead_to_what_is_published_or_are_text(results):
    publish("smoke")
    page = (results.parent / "published/smoke/report/index.html").read_text()
    assert page == ('<a href="#top">a</a> <a href="../runs/C5/seed0/samples.png">b</a> <a>c</a> '
                    '<a>d</a> <a href="https://doi.org/1">e</a> '
                    '<a href="../../../../notebooks/x.ipynb#y">f</a>')


def test_links_of_a_notebook_lead_somewhere_from_where_it_is_published(results):
    """Those to what is published beside it stay, all others lead to the kit."""
    for name in ("01_lesson_2dgan", "03_lesson_gn_cyclegan"):
        read = json.loads((paths.NOTEBOOKS / f"{name}.ipynb").read_text(encoding="utf-8"))
        read["metadata"]["papermill"] = {"end_time": "12:00"}
        write_text(results / f"executed/{name}.ipynb", json.dumps(read))
    publish("smoke")
    folder = results.parent / "published/smoke/executed"
    found = set()
    for path in folder.glob("0*.ipynb"):
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        text = "".join("".join(c["source"]) for c in cells if c["cell_type"] == "markdown")
        found |= set(re.findall(r"\]\(([^)\s]+)\)", text))
    for link in (link for link in found if "://" not in link):
        there = (folder / link.partition("#")[0]).resolve()
        of_kit = paths.REPO / there.relative_to(results.parents[1].resolve())
        assert there.is_file() or of_kit.is_file(), link
    assert {"03_lesson_gn_cyclegan.ipynb", "../../../../notebooks/04_playground.ipynb",
            "../../../../notebooks/README.md#glossary", "../../../../data/deviations.yaml",
            "../../../../lib/metrics/psnr.py"} <= found
    before = content(folder)
    shutil.rmtree(results)
    make_run(results, "C5", 0)
    publish("smoke")
    assert content(folder) == before


def test_what_is_gone_here_is_taken_back(results):
    publish("smoke")
    (results / "figures/b.svg").unlink()
    (results / "executed/done.ipynb").unlink()
    publish("smoke")
    target = results.parent / "published/smoke"
    assert not (target / "figures").exists() or not list((target / "figures").iterdir())
    assert not (target / "executed/done.ipynb").exists()
    assert (target / "runs/C5/seed0/run.json").is_file()


def test_a_run_of_days_goes_on_on_another_machine(results, capsys):
    """What one machine has published another takes for its own, adds to and publishes again."""
    shutil.rmtree(results / "report")
    assert run_all.main(["--profile", "smoke", "--publish"]) == 0
    assert "there is no report yet" in capsys.readouterr().out
    first = content(target := results.parent / "published/smoke")
    kinds = {name.split("/")[0] for name in first}
    assert "runs" in kinds and kinds <= {"runs", "numbers.csv", "claims.csv", "tables", "figures", "executed"}
    shutil.rmtree(results)
    make_run(results, "C1", 0)
    assert run_all.main(["--profile", "smoke", "--take-published"]) == 0
    assert "took 5 published runs" in capsys.readouterr().out
    runs = {name: of for name, of in first.items() if name.startswith("runs/")}
    assert {name: content(results)[name] for name in runs} == runs
    shutil.rmtree(results / "runs/GN")  # not here, published all the same
    write_text(results / "figures/later.svg", "<svg/>")
    publish("smoke")
    assert {name: content(target)[name] for name in first} == first
    assert (target / "runs/C1/seed0/run.json").is_file()
    assert (target / "figures/later.svg").is_file()
    (target / "runs/GN/seed2/history.csv").write_text("other")
    assert run_all.main(["--profile", "smoke", "--take-published"]) == 1
    assert "history.csv is damaged" in capsys.readouterr().err


def test_a_published_run_is_good_without_its_weights_as_long_as_nobody_needs_them(
    tmp_path, monkeypatch
):
    """Not trained again; but for a network that is judged on other images, or by other metrics."""
    monkeypatch.setenv("IR_RESULTS", str(tmp_path / "results"))
    (embedded := tmp_path / "no data").mkdir()
    told = []
    for name in ("C1", "C1-on-wide"):
        run(name, "test", data=embedded, report=told.append)
    publish("test")
    shutil.rmtree(paths.results_dir("test"))
    module.take_published("test")
    for name in ("C1", "C1-on-wide"):
        run(name, "test", data=embedded, report=told.append)
        assert told[-1] == f"{name} seed 0 is complete already"
    shutil.rmtree(paths.run_folder(paths.results_dir("test"), "C1-on-wide", 0))
    with pytest.raises(ValueError, match="its weights were not published; give --force"):
        run("C1-on-wide", "test", data=embedded, report=told.append)
    config, folder = resolve("C1", "test"), paths.run_folder(paths.results_dir("test"), "C1", 0)
    known = record.read(folder)
    with pytest.raises(record.Damaged, match="weights.safetensors was not published"):
        load_generator(folder)
    monkeypatch.setattr(status, "evaluation_code", lambda data: {"lib.metrics.psnr:psnr": "new"})
    monkeypatch.setattr(status, "evaluated_by", lambda *_: known["evaluated_by"] | {"code": ""})
    todo = status.to_do(folder, config, catalogue.describe("enhancement", embedded))
    assert todo.what == "train" and "its weights were not published" in todo.why


def test_refusals_are_one_line(results, capsys):
    (results / "runs/GN/seed2/samples.png").write_bytes(b"other")
    assert run_all.main(["--profile", "smoke", "--publish"]) == 1
    assert "samples.png is damaged" in (told := capsys.readouterr().err) and told.count("\n") == 1
    (results / "numbers.csv").unlink()
    shutil.rmtree(results / "runs")
    assert run_all.main(["--profile", "smoke", "--publish"]) == 1
    assert "there is neither" in (told := capsys.readouterr().err) and told.count("\n") == 1
    assert not (results.parent / "published/smoke").exists()
