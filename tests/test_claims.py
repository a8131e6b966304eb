"""The claims: complete entries, and every verdict on numbers made for it."""

import math
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lib.papers import reported
from lib.papers.checks import relations
from lib.results import claims, numbers
from lib.results.numbers import Number
from lib.results.publish import publish
from lib.results.runs import Measured, Run, find_runs, table_numbers
from lib.results.tables import TABLES, Cell
from made_runs import make_run

FACES = "synthetic thermal faces"
BY_ID = {claim["id"]: claim for claim in claims.load()}


def table4(c3, c4, c5, half_width=0.1, dataset=FACES):
    """All four metrics of three networks, with intervals of this half width."""
    return [
        Number(row, name, value, ci_low=value - half_width, ci_high=value + half_width, seeds="0 1",
               n_images=20, dataset=dataset)
        for name, value in (("C3", c3), ("C4", c4), ("C5", c5))
        for row in ("AG", "IE", "PSNR", "SSIM")
    ]  # fmt: skip


def judged(rows, item="table4"):
    numbers.record("test", "2dgan", item, rows)
    return claims.judge(numbers.collect("test")).set_index("id")


@pytest.mark.parametrize("claim", claims.load(), ids=lambda claim: claim["id"])
def test_claim_is_complete_and_its_cells_exist(claim):
    assert set(claim) in (
        {"id", "paper", "section", "claim", "check"},
        {"id", "paper", "section", "claim", "not_testable"},
    )
    assert all(str(value).strip() for value in claim.values())
    assert claim["paper"] in reported.PAPERS
    if "check" in claim:
        assert relations(claim["check"], claim["paper"])


def test_there_are_enough():
    assert len(BY_ID) == len(claims.load())
    tested = [claim for claim in BY_ID.values() if "check" in claim]
    assert len(tested) >= 30
    assert {claim["paper"] for claim in tested} == set(reported.PAPERS)


def test_each_verdict(results):
    frame = judged(table4(c3=8.0, c4=4.0, c5=8.1))
    assert list(frame.reset_index().columns) == claims.COLUMNS
    verdicts = frame["verdict_ours"]
    assert verdicts["external-skips"] == "reproduced"  # 8.1 over 4.0
    assert verdicts["attention-all"] == "undecided"  # 8.1 over 8.0, within 0.1 each
    assert verdicts["complete-network"] == "undecided"  # C1 and C2 are missing
    assert verdicts["attention-psnr-ssim"] == "reproduced"  # near, whatever the intervals hold
    assert verdicts["2dgan-psnr"] == "undecided"
    assert verdicts["stability"] == "not testable"
    assert frame.loc["external-skips", ["seeds", "dataset"]].tolist() == ["0 1", FACES]
    assert frame.loc["stability", "why"] == BY_ID["stability"]["not_testable"]

    frame = judged(table4(c3=8.0, c4=9.0, c5=8.1))
    assert frame.loc["external-skips", "verdict_ours"] == "contradicted"
    assert frame.loc["external-skips", "why"].startswith(
        "4 of 4 fail: table4/AG/C5 8.1 [8, 8.2] is not above table4/AG/C4 9 [8.9, 9.1]; "
    )
    assert frame.loc["complete-network", "verdict_ours"] == "contradicted"  # C4 is enough


def test_one_comparison_settled_against_it_contradicts_a_claim(results):
    rows = table4(c3=8.0, c4=4.0, c5=8.1)
    rows[7] = Number("SSIM", "C4", 9.0, ci_low=8.9, ci_high=9.1, n_images=20, dataset=FACES)
    frame = judged(rows)
    assert frame.loc["external-skips", "verdict_ours"] == "contradicted"
    assert frame.loc["external-skips", "why"].startswith("1 of 4 fail: table4/SSIM/C5 8.1 ")


def test_numbers_of_different_images_are_not_compared(results):
    rows = table4(c3=8.0, c4=4.0, c5=8.1)
    rows[7] = Number("SSIM", "C4", 4.0, n_images=20, dataset="embedded natural images")
    frame = judged(rows)
    assert frame.loc["external-skips", "verdict_ours"] == "undecided"
    assert "table4/SSIM/C5 and table4/SSIM/C4 are of different images" in (
        frame.loc["external-skips", "why"]
    )
    assert frame.loc["external-skips", "dataset"] == f"{FACES}, embedded natural images"


def test_a_missing_number_says_why(results):
    rows = table4(c3=8.0, c4=4.0, c5=8.1)
    rows[4] = Number("AG", "C4", None, why="C4 diverged")
    frame = judged(rows)
    assert frame.loc["external-skips", "why"] == (
        "1 of 4 open: table4/AG/C4 is missing (C4 diverged)"
    )


def test_single_images_are_compared_as_they_are(results):
    rows = [Number(f"Img{k}.SSIM", method, value, n_images=1, dataset=FACES)
            for k in (1, 2, 3)
            for method, value in (("GF", 0.2), ("SSR", 0.3), ("MSR", 0.49))]  # fmt: skip
    row = judged(rows, "table3").loc["filters-ssim"]
    assert row["verdict_ours"] == "reproduced"
    assert row["verdict_paper"] == "fails"  # 0.6604 and 0.6363 in Example 2
    assert row["why"].endswith("(single images, no intervals)")


def by_image(columns, seeds=(0, 1)):
    """Table 4 with all four metrics the same, judged with what is stored behind it.

    `columns`: network -> (S, N) values; with S < len(seeds), of the first S seeds.
    """
    rows, found = [], {}
    for name, values in columns.items():
        of = seeds[: len(values)]
        runs = [Run(Path(), {"seed": seed, "steps": 80}, pd.DataFrame()) for seed in of]
        frame = pd.DataFrame(np.array(values).T, columns=list(of))
        for row in ("AG", "IE", "PSNR", "SSIM"):
            rows.append(Number(row, name, frame.to_numpy().mean(), ci_low=0, ci_high=99,
                               seeds=" ".join(map(str, of)), n_images=len(frame), dataset=FACES))
            found[f"2dgan/table4/{row}/{name}"] = Measured(Cell(name, row), frame, tuple(runs))
    numbers.record("test", "2dgan", "table4", rows)
    return claims.judge(numbers.collect("test"), found).set_index("id")


def test_cells_of_the_same_images_are_compared_image_by_image(results):
    images = np.random.default_rng(0).normal(10, 5, size=30)  # far apart, and far more than 1
    claim = by_image({"C5": [images + 1, images + 1.2], "C4": [images, images]}).loc[
        "external-skips"
    ]
    assert claim["verdict_ours"] == "reproduced"
    assert claim["by_seed"] == "0: reproduced, 1: reproduced"
    assert "[difference +1 to +1.2]" in claim["why"]
    assert claim["steps"] == "80"


def test_seeds_that_disagree_leave_a_claim_undecided(results):
    images = np.linspace(5, 15, 30)
    claim = by_image({"C5": [images + 1, images - 1], "C4": [images, images]}).loc[
        "external-skips"
    ]
    assert claim["verdict_ours"] == "undecided"
    assert claim["by_seed"] == "0: reproduced, 1: contradicted"


def test_numbers_of_different_seeds_are_compared_seed_by_seed_only(results):
    images = np.linspace(5, 15, 30)
    claim = by_image({"C5": [images + 1, images + 1], "C4": [images]}).loc["external-skips"]
    assert claim["verdict_ours"] == "undecided"
    assert "table4/AG/C5 and table4/AG/C4 are of different seeds" in claim["why"]
    assert claim["by_seed"] == "0: reproduced"


def test_a_single_seed_says_that_it_is_one(results):
    images = np.linspace(5, 15, 30)
    frame = by_image({"C5": [images + 1], "C4": [images]}, seeds=(3,))
    assert frame.loc["external-skips", "by_seed"] == "3: reproduced"
    assert "(one seed:" in frame.loc["external-skips", "why"]


def test_the_more_comparisons_a_claim_makes_the_surer_each_has_to_be(results):
    """A difference at the edge of 95 % would settle a claim alone, and does not one of four."""
    noise = np.random.default_rng(1).normal(size=100)
    images = noise - noise.mean() + 0.22 * noise.std()
    low, _ = claims._interval(images[None], level=0.95)
    corrected, _ = claims._interval(images[None], level=1 - claims.DOUBT / 4)
    assert corrected < 0 < low
    for apart, verdict in ((images, "undecided"), (images + 0.2 * noise.std(), "reproduced")):
        frame = by_image({"C5": [10 + apart], "C4": [np.full(100, 10.0)]}, seeds=(0,))
        assert frame.loc["external-skips", "verdict_ours"] == verdict


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
    found = claims.all_measured("test", frame)
    assert found.keys() == {f"2dgan/table4/{row}/{column}" for row, column in table.cells}
    images = runs["C4"][1].test_images["PSNR"]
    assert found["2dgan/table4/PSNR/C4"].values[1].equals(images)
    judged = claims.write_claims("test").set_index("id")
    assert "[difference " in judged.loc["external-skips", "why"]
    assert judged.loc["external-skips", ["seeds", "steps"]].tolist() == ["0 1", "20"]
    publish("test")
    shutil.rmtree(results / "runs")
    assert claims.all_measured("test", frame).keys() == found.keys()
    assert claims.write_claims("test").set_index("id").equals(judged)
    shutil.rmtree(results.parent / "published/test/runs/C4")
    left = claims.all_measured("test", frame).keys()
    assert left == {name for name in found if not name.endswith("C4")}


def test_the_papers_numbers_in_place_of_ours(papers_own_numbers):
    """As exact numbers they settle every claim, and as the column on the papers has it."""
    frame = claims.judge(papers_own_numbers)
    same = {"holds": "reproduced", "fails": "contradicted", "not testable": "not testable"}
    assert (frame["verdict_paper"].map(same) == frame["verdict_ours"]).all()
    fails = set(frame.loc[frame["verdict_paper"] == "fails", "id"])
    assert {"2dgan-ag", "2dgan-ie", "clahe-he", "filters-ssim", "complete-network",
            "gn-over-cyclegan", "resnet-unet", "ablation-cbam"} <= fails  # fmt: skip


def test_claims_csv_is_written_with_equal_bytes(results):
    numbers.record("test", "2dgan", "table4", table4(c3=8.0, c4=4.0, c5=8.1))
    frame = claims.write_claims("test")
    first = (results / "claims.csv").read_bytes()
    claims.write_claims("test")
    assert (results / "claims.csv").read_bytes() == first
    lines = first.decode().splitlines()
    assert lines[0].split(",") == claims.COLUMNS and len(lines) == len(frame) + 1
    assert b"\r" not in first and b"nan" not in first
    assert not any(isinstance(v, float) and math.isnan(v) for v in frame.to_numpy().ravel())
