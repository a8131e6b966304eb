"""The claims: complete entries, and every verdict on numbers made for it."""

import math
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lib.metrics import METRICS
from lib.papers import reported
from lib.papers.checks import relations
from lib.report.argument import argument
from lib.results import claims, numbers
from lib.results.claims import BELOW
from lib.results.numbers import Number
from lib.results.publish import publish
from lib.results.runs import Run, find_runs, number, table_numbers
from lib.results.tables import BASELINES, FITTED, TABLES
from lib.training.experiments import EXPERIMENTS
from lib.training.protocol_share import protocol_share
from made_runs import make_run

DATA = "embedded natural images"
BY_ID = {claim["id"]: claim for claim in claims.load()}
IMAGES = np.linspace(10, 30, 30)  # far more apart than methods are


@pytest.mark.parametrize("claim", claims.load(), ids=lambda claim: claim["id"])
def test_claim_is_complete_and_its_cells_exist(claim):
    judged = {"check", "not_testable"} & set(claim)
    assert len(judged) == 1
    assert set(claim) - judged - {"extension", "circular"} == {"id", "paper", "section", "claim"}
    assert all(str(value).strip() for value in claim.values())
    assert claim["paper"] in reported.PAPERS
    for relation in relations(claim["check"], claim["paper"]) if "check" in claim else ():
        for name in relation.cells:
            experiment, _, metric = name.partition("/")
            if "/" not in metric:  # ours alone
                loss, _, measure_ = metric.partition(" ")
                assert experiment in EXPERIMENTS
                assert metric in (*METRICS, "LPIPS") or (loss in ("cycle_a", "cycle_b", "mse") and measure_)


def test_there_are_enough():
    assert len(BY_ID) == len(claims.load())
    tested = [claim for claim in BY_ID.values() if "check" in claim]
    assert len(tested) >= 50
    assert {claim["paper"] for claim in tested} == set(reported.PAPERS)


def test_margins_are_in_the_unit_of_the_metric():
    """5 % of a PSNR would be more than 1 dB."""
    for claim in BY_ID.values():
        for relation in relations(claim["check"], claim["paper"]) if "check" in claim else ():
            if relation.sign == "~" and "PSNR" in str(relation.left):
                assert relation.margin == 0.5
            if relation.sign == "~" and "SSIM" in str(relation.left):
                assert relation.margin == 0.01


# ---- verdicts


def run(experiment, values, seed=0, profile="test", data=DATA, names=None, steps=80, **metrics):
    """A run with these values of every metric but those that are given."""
    trained = EXPERIMENTS[experiment].trained
    known = {"experiment": experiment, "seed": seed, "steps": steps if trained else 0,
             "profile": profile, "dataset": data, "status": "complete"}
    frame = pd.DataFrame({metric: metrics.get(metric.replace(" ", "_"), values)
                          for metric in (*METRICS, "mse mean")}, index=names)
    return Run(Path(), known, frame)


def judged(methods, item="table4", baseline=-50, **about):
    """The claims on a table of 2D-GAN. `methods`: experiment -> values of its seeds (S, N)."""
    runs = {name: [run(name, row, seed, **about) for seed, row in enumerate(values)]
            for name, values in methods.items()}
    for name in ("Input", "tone_map") if baseline is not None else ():
        runs[name] = [Run(Path(), run("Input", IMAGES).record,
                          run("Input", IMAGES + baseline).test_images)]
    return of_runs(runs, item)


def of_runs(runs, item="table4"):
    cells = {printed: cell for printed, cell in TABLES["2dgan", item].cells.items()
             if cell.experiment in runs}
    numbers.record("test", "2dgan", item, [
        number(printed, cell, runs[cell.experiment])
        for printed, cell in cells.items() if cell.example is None])
    return claims.judge(numbers.collect("test"), runs).set_index("id")


def test_each_verdict(results):
    frame = judged({"C5": [IMAGES + 1, IMAGES + 1.01], "C4": [IMAGES, IMAGES]})
    assert list(frame.reset_index().columns) == claims.COLUMNS
    claim = frame.loc["external-skips"]
    assert claim["verdict_ours"] == "seen"
    assert claim["by_seed"] == "0: seen, 1: seen"
    assert "table4/AG/C5 21.01 is above table4/AG/C4 20 [difference +0." in claim["why"]
    assert claim[["seeds", "steps", "dataset"]].tolist() == ["0 1", "80", DATA]
    assert frame.loc["dual-decoding-with", "verdict_ours"] == "undecided"  # C2 and C3 are missing
    assert frame.loc["complete-network", "verdict_ours"] == "undecided"
    assert frame.loc["looks-real", "verdict_ours"] == "not testable"
    assert frame.loc["looks-real", "why"] == BY_ID["looks-real"]["not_testable"]

    frame = judged({"C5": [IMAGES - 1, IMAGES - 1.01], "C4": [IMAGES, IMAGES]})
    claim = frame.loc["external-skips"]
    assert claim["verdict_ours"] == "not seen" and claim["why"].startswith("4 of 4 fail: ")
    assert claim["trained"] == "0.128 of 101 epochs with 1/16 of the channels"
    assert frame.loc["complete-network", "verdict_ours"] == "not seen"  # C4 is enough


def test_the_share_is_of_the_papers_protocol_where_a_run_is_a_part_of_it_too():
    for name, steps, share in (("C5-wide", 4000, "6.39 of 101"),
                               ("shipped-2dgan", 16000, "25.6 of 101"),
                               ("search-2dgan-kit", 1000, "1.6 of 101"),
                               ("shipped-gn_cyclegan", 6000, "12 of 200")):
        known = {"experiment": name, "profile": "laptop", "steps": steps}
        assert protocol_share(known) == f"{share} epochs with 1/4 of the channels"


def test_contradicted_is_said_of_the_whole_protocol_alone(results):
    values = {"C5": [IMAGES - 1, IMAGES - 1.01], "C4": [IMAGES, IMAGES]}
    whole = 101 * (5004 // 8)
    claim = judged(values, profile="paper", steps=whole).loc["external-skips"]
    assert (claim["verdict_ours"], claim["trained"]) == ("contradicted", "101 of 101 epochs")
    fewer_images = judged(values, profile="paper", steps=whole // 4).loc["external-skips"]
    assert (fewer_images["verdict_ours"], fewer_images["trained"]) == ("not seen", "25.2 of 101 epochs")
    assert judged(values, steps=whole).loc["external-skips", "verdict_ours"] == "not seen"


def test_one_comparison_settled_against_it_is_enough(results):
    runs = {"C4": [run("C4", IMAGES)], "C5": [run("C5", IMAGES + 1, SSIM=IMAGES - 1)]}
    claim = of_runs(runs).loc["external-skips"]
    assert claim["verdict_ours"] == "undecided" and " has no run here" in claim["why"]
    baselines = {name: [run("Input", IMAGES - 50)] for name in BASELINES["enhancement"]}
    claim = of_runs(runs | baselines).loc["external-skips"]
    assert claim["verdict_ours"] == "not seen"
    assert claim["why"].startswith("1 of 4 fail: table4/SSIM/C5 19 is not above ")


def test_seeds_that_disagree_leave_a_claim_undecided(results):
    claim = judged({"C5": [IMAGES + 1, IMAGES - 1], "C4": [IMAGES, IMAGES]}).loc["external-skips"]
    assert claim["verdict_ours"] == "undecided"
    assert claim["by_seed"] == "0: seen, 1: not seen"


def test_few_seeds_that_lie_apart_settle_little(results):
    """Twice its standard error above 0, which images alone would call settled."""
    of = [IMAGES + apart for apart in (0.1, 0.6, 1.1)]
    assert judged({"C5": of, "C4": [IMAGES] * 3}).loc["external-skips", "verdict_ours"] == (
        "undecided")
    assert judged({"C5": [of[1]] * 3, "C4": [IMAGES] * 3}).loc[
        "external-skips", "verdict_ours"] == "seen"


def test_images_of_one_person_settle_no_more_than_one_image(results):
    """The same differences: of two persons, who differ by 1 and by 0.1, and of 30 images."""
    better = IMAGES + np.repeat([1, 0.1], 15)
    persons = [f"{k // 15 + 1}_sober_{k}_0" for k in range(30)]
    for names, verdict in ((persons, "undecided"), (None, "seen")):
        runs = {"C5": [run("C5", better, names=names)], "C3": [run("C3", IMAGES, names=names)]}
        assert of_runs(runs).loc["attention-ag-ie", "verdict_ours"] == verdict


def test_networks_are_compared_on_the_seeds_that_both_have(results):
    claim = judged({"C5": [IMAGES + 1, IMAGES + 1.01], "C4": [IMAGES]}).loc[
        "external-skips"]
    assert claim["verdict_ours"] == "seen" and claim["seeds"] == "0 1, 0"
    assert "(one seed:" in claim["why"] and claim["by_seed"] == "0: seen"
    runs = {"C5": [run("C5", IMAGES + 1, 0)], "C4": [run("C4", IMAGES, 1)]}
    claim = of_runs(runs).loc["external-skips"]
    assert claim["verdict_ours"] == "undecided"
    assert "C5 and C4 are of different seeds" in claim["why"]


@pytest.mark.parametrize("other", [{"data": "faces"}, {"names": [f"face {k}" for k in range(30)]}])
def test_numbers_of_different_images_are_not_compared(results, other):
    claim = of_runs({"C5": [run("C5", IMAGES + 1)], "C4": [run("C4", IMAGES, **other)]}).loc[
        "external-skips"]
    assert claim["verdict_ours"] == "undecided"
    assert "table4/AG/C5 and table4/AG/C4 are of different images" in claim["why"]


def test_a_missing_number_says_why(results):
    runs = {"C5": [run("C5", IMAGES + 1)], "C4": [run("C4", IMAGES)]}
    made = [number(printed, cell, runs[cell.experiment])
            for printed, cell in TABLES["2dgan", "table4"].cells.items()
            if cell.experiment == "C5"]
    gone = [Number(row, "C4", None, why="C4 diverged") for row in ("AG", "IE", "PSNR", "SSIM")]
    numbers.record("test", "2dgan", "table4", [*made, *gone])
    frame = claims.judge(numbers.collect("test"), {"C5": runs["C5"]}).set_index("id")
    assert "table4/AG/C4 is missing (C4 diverged)" in frame.loc["external-skips", "why"]


# ---- more than one comparison


def one_at_the_edge_among_many() -> dict[str, np.ndarray]:
    """A difference at the edge of 95 %, C5 and C4, and three that are none."""
    noise = np.random.default_rng(1).normal(size=30)
    edge = IMAGES + (noise - noise.mean()) + 0.42 * noise.std()
    same = IMAGES + np.random.default_rng(2).normal(size=(3, 30))
    return {"C5": edge, "C4": IMAGES, "C1": same[0], "C2": same[1], "C3": same[2]}


def test_all_comparisons_of_a_paper_are_corrected_together(results):
    """A difference at the edge of 95 % is settled by itself, and not among many that are not."""
    many = {name: [values] for name, values in one_at_the_edge_among_many().items()}
    few = {name: many[name] for name in ("C5", "C4")}
    assert judged(few).loc["external-skips", "verdict_ours"] == "seen"
    assert judged(many).loc["external-skips", "verdict_ours"] == "undecided"


def test_sure_things_between_untrained_methods_do_not_lift_the_level(results):
    values = one_at_the_edge_among_many() | dict.fromkeys(("Input", "tone_map"), IMAGES - 50)
    values |= {name: IMAGES + 5 * k for k, name in enumerate(("HE", "CLAHE", "GF", "SSR", "MSR"))}
    frame = claims.judge(full(), {name: [run(name, its)] for name, its in values.items()})
    assert frame.set_index("id").loc["external-skips", "verdict_ours"] == "undecided"


# ---- baselines


def test_a_network_below_the_baseline_says_nothing_in_that_metric(results):
    values = {"C5": [IMAGES + 1], "C4": [IMAGES]}
    frame = judged(values, baseline=5)
    assert frame.loc["external-skips", "verdict_ours"] == BELOW
    why = frame.loc["external-skips", "why"]
    assert why.startswith("2 of 4 not above: C5/PSNR 21 is not above Input/PSNR 25")
    assert argument(why, "2dgan")["head"] == "2 of 4 comparisons say nothing:"  # on the page
    assert frame.loc["attention-ag-ie", "verdict_ours"] == "undecided"  # C3 is missing
    assert judged({"C5": values["C5"], "C3": [IMAGES]}, baseline=5).loc[
        "attention-ag-ie", "verdict_ours"] == "seen"
    # the better one counts: C4 is as it was, and C5 beats the baseline by itself
    assert judged(values, baseline=0.5).loc["external-skips", "verdict_ours"] == "seen"


def test_where_a_baseline_has_no_run_a_line_says_what_to_run(results):
    claim = judged({"C5": [IMAGES + 1], "C4": [IMAGES]}, baseline=None).loc["external-skips"]
    assert claim["verdict_ours"] == "undecided"
    assert "Input/PSNR has no run here: python -m lib.train --experiment Input" in claim["why"]


def test_methods_without_training_need_no_baseline(results):
    runs = {"CLAHE": [run("CLAHE", IMAGES + 1)], "HE": [run("HE", IMAGES)]}
    claim = claims.judge(full(), runs).set_index("id").loc["clahe-he"]
    assert claim["verdict_ours"] == "seen" and claim["trained"] == claim["seeds"] == ""


def full():
    """Numbers that are all there, as if the notebooks had run: their values are not looked at."""
    for (paper, item), table in TABLES.items():
        rows = [Number(*printed, 1.0, seeds="0", n_images=30) for printed in table.cells]
        numbers.record("test", paper, item, rows)
    return numbers.collect("test")


# ---- Table 3, AG and IE, circular ones


def test_table_3_is_judged_over_all_test_images(results):
    """On the three that are printed HE is far better; over all of them CLAHE is."""
    worse = IMAGES + np.where(np.arange(30) < 3, -9, 3)
    runs = {"CLAHE": [run("CLAHE", worse)], "HE": [run("HE", IMAGES)]}
    claim = claims.judge(full(), runs).set_index("id").loc["clahe-he"]
    assert "table3/PSNR/CLAHE" in claim["why"] and claim["why"].endswith("(over all test images)")
    assert claim["verdict_ours"] == "seen" and claim["verdict_paper"] == "fails"
    assert claim["why"].startswith("2 of 2 hold")  # two metrics, not six cells


def test_ag_and_ie_are_judged_by_their_distance_to_the_reference_as_well(results):
    """C5 has more AG and IE than C3, and overshoots the reference's."""
    near, far = {"AG_distance": IMAGES * 0 + 1, "IE_distance": IMAGES * 0 + 1}, {}
    runs = {"C5": [run("C5", IMAGES + 2, **far)], "C3": [run("C3", IMAGES, **near)]}
    claim = of_runs(runs).loc["attention-ag-ie"]
    assert (claim["verdict_ours"], claim["to_reference"]) == ("seen", "not seen")
    assert of_runs(runs).loc["cross-level-heads", "to_reference"] == ""


def test_what_agrees_because_we_chose_so_is_marked():
    circular = {claim["id"] for claim in BY_ID.values() if "circular" in claim}
    assert circular == {"generator-parameters", "discriminator-parameters",
                        "generator-operations", "discriminator-operations"}
    assert all(pattern.startswith("2dgan/") for pattern in FITTED)
    extensions = {claim["id"] for claim in BY_ID.values() if "extension" in claim}
    assert {"gn-over-cyclegan", "resnet-unet", "fourth-loss", "over-enhancement",
            "dual-decoding-with", "dual-decoding-without"} <= extensions


# ---- what no table has


def test_stability_is_judged_by_the_training_logs(results, tmp_path):
    """GN's cycle losses are the lower and smoother ones; two seeds are few, one is none."""
    runs = {}
    for name, level, noise in (("unet_128-FLIR", 3, 0.5), ("CBAM_CycleGAN-FLIR", 2.5, 0.4),
                               ("GN_CycleGAN-FLIR", 1, 0.01)):
        for seed in (0, 1, 2):
            folder = tmp_path / f"{name}{seed}"
            folder.mkdir()
            random = np.random.default_rng(seed)
            steps = np.arange(1, 101)
            losses = {loss: level * (1 + noise * random.normal(size=100))
                      for loss in ("cycle_a", "cycle_b")}
            pd.DataFrame({"step": steps, **losses}).to_csv(folder / "history.csv", index=False)
            made = run(name, IMAGES, seed, data="streets")
            runs.setdefault(name, []).append(Run(folder, made.record, made.test_images))
    frame = claims.judge(full(), runs).set_index("id")
    assert frame.loc["lower-cycle-loss", "verdict_ours"] == "seen"
    assert frame.loc["convergence", "verdict_ours"] == "seen"
    assert frame.loc["stability", "verdict_paper"] == "not testable"
    one = {name: its[:1] for name, its in runs.items()}
    assert claims.judge(full(), one).set_index("id").loc["lower-cycle-loss", "verdict_ours"] == (
        "undecided")


# ---- files


def test_what_is_stored_behind_the_numbers_is_found(results, tmp_path):
    """Also among published runs, where none was made here; what is not there is left out."""
    table = TABLES["2dgan", "table4"]
    (tmp_path / "data").mkdir()
    for name in table.experiments:
        for seed in (0, 1):
            make_run(name, seed, tmp_path / "data")
    runs = find_runs("test", table.experiments, (0, 1), tmp_path / "data")
    numbers.record("test", "2dgan", "table4", table_numbers(table, runs))
    frame = numbers.collect("test")
    found = claims.recorded_runs("test", frame)
    assert {name: len(its) for name, its in found.items()} == dict.fromkeys(table.experiments, 2)
    assert found["C4"][1].test_images.equals(runs["C4"][1].test_images)
    judged = claims.write_claims("test").set_index("id")
    assert "[difference " in judged.loc["attention-ag-ie", "why"]
    assert judged.loc["external-skips", ["seeds", "steps"]].tolist() == ["0 1", "20"]
    publish("test")
    shutil.rmtree(results / "runs")
    assert claims.recorded_runs("test", frame).keys() == found.keys()
    assert claims.write_claims("test").set_index("id").equals(judged)
    shutil.rmtree(results.parent / "published/test/runs/C4")
    assert claims.recorded_runs("test", frame).keys() == found.keys() - {"C4"}


def test_the_papers_numbers_in_place_of_ours(papers_own_numbers):
    """As exact numbers they settle every claim, and as the column on the papers has it."""
    frame = claims.judge(papers_own_numbers, {})
    same = {"holds": "seen", "fails": "not seen"}
    printed = frame[frame["verdict_paper"] != "not testable"]
    assert (printed["verdict_paper"].map(same) == printed["verdict_ours"]).all()
    fails = set(frame.loc[frame["verdict_paper"] == "fails", "id"])
    assert {"2dgan-ag", "2dgan-ie", "clahe-he", "filters-ssim", "complete-network",
            "gn-over-cyclegan", "resnet-unet", "ablation-cbam"} <= fails


def test_claims_csv_is_written_with_equal_bytes(results):
    numbers.record("test", "2dgan", "table4", [Number("AG", "C5", None, why="diverged")])
    frame = claims.write_claims("test")
    first = (results / "claims.csv").read_bytes()
    claims.write_claims("test")
    assert (results / "claims.csv").read_bytes() == first
    lines = first.decode().splitlines()
    assert lines[0].split(",") == claims.COLUMNS and len(lines) == len(frame) + 1
    assert b"\r" not in first and b"nan" not in first
    assert not any(isinstance(v, float) and math.isnan(v) for v in frame.to_numpy().ravel())
