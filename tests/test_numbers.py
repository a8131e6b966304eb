"""numbers.csv: parts recorded by the table notebooks, merged beside the reported numbers."""

import math

import pandas as pd
import pytest

from lib.papers import reported
from lib.results import numbers
from lib.results.numbers import Number

FACES = "synthetic thermal faces"


def fill_table4():
    """C3 and C5 in full, C4 half: AG measured, the rest missing for a reason of its own."""
    full = [
        Number(row, config, value, sd=0.125, ci_low=value - 1, ci_high=value + 1, seeds="0 1 2",
               n_images=20, dataset=FACES, source=f"runs/{config}/seed0/run.json")
        for config, scale in (("C5", 1.25), ("C3", 1.0))
        for row, value in (("AG", 8 * scale), ("IE", 6 * scale), ("PSNR", 24 * scale),
                           ("SSIM", 0.5 * scale))
    ]
    half = [Number("AG", "C4", 4.0, seeds="0", n_images=20, dataset=FACES)]
    half += [Number(row, "C4", None, why="C4 diverged") for row in ("IE", "PSNR", "SSIM")]
    return numbers.record("test", "2dgan", "table4", full + half)


def one(frame, paper, item, row, column):
    keys = {"paper": paper, "item": item, "row": row, "column": column}
    found = frame[(frame[list(keys)] == pd.Series(keys)).all(axis="columns")]
    return found.squeeze()


def test_record_writes_the_printed_order_and_digits(results):
    path = fill_table4()
    assert path == results / "tables" / "2dgan_table4.csv"
    lines = path.read_text("utf-8").splitlines()
    assert lines[0].split(",") == numbers.COLUMNS
    assert lines[1] == (
        "2dgan,table4,AG,C3,11.8112,8,0.125,7,9,0 1 2,20,synthetic thermal faces,"
        "runs/C3/seed0/run.json,"
    )
    assert [line.split(",")[2:4] for line in lines[2:4]] == [["AG", "C4"], ["AG", "C5"]]
    assert not list(path.parent.glob("*.partial"))


def test_record_rounds_to_six_significant_digits(results):
    row = Number("AG", "C1", 1 / 3, sd=1234567.0, dataset=FACES)
    path = numbers.record("test", "2dgan", "table4", [row])
    assert ",0.333333,1.23457e+06,,," in path.read_text("utf-8")


def test_same_numbers_give_the_same_bytes(results):
    rows = [Number("AG", c, float(k) / 7, n_images=3) for k, c in enumerate(("C1", "C2"))]
    first = numbers.record("test", "2dgan", "table4", rows).read_bytes()
    assert numbers.record("test", "2dgan", "table4", reversed(rows)).read_bytes() == first
    numbers.collect("test")
    first = (results / "numbers.csv").read_bytes()
    numbers.collect("test")
    assert (results / "numbers.csv").read_bytes() == first
    assert b"\r" not in first


def test_collect_without_any_part(results):
    frame = numbers.collect("test")
    assert list(frame.columns) == numbers.COLUMNS
    keys = ["paper", "item", "row", "column", "reported"]
    pd.testing.assert_frame_equal(frame[keys], reported.load()[keys])
    assert frame["reproduced"].isna().all()
    tables = frame[frame["item"] != "prose"]
    assert (tables["why"] == numbers.NOT_FILLED).all()
    claim = one(frame, "2dgan", "prose", "C5 over C3", "AG")
    assert "table4/AG/C5" in claim["why"]
    assert "table4/AG/C3" in claim["why"]


def test_collect_merges_the_part(results):
    fill_table4()
    frame = numbers.collect("test")
    measured = one(frame, "2dgan", "table4", "PSNR", "C5")
    assert measured["reported"] == 27.7329
    assert measured[numbers.VALUES].tolist() == [30.0, 0.125, 29.0, 31.0]
    assert measured["seeds"] == "0 1 2"
    assert measured["n_images"] == 20
    assert measured["dataset"] == FACES
    assert measured["source"] == "runs/C5/seed0/run.json"
    missing = one(frame, "2dgan", "table4", "IE", "C4")
    assert math.isnan(missing["reproduced"])
    assert missing["why"] == "C4 diverged"
    assert one(frame, "2dgan", "table4", "AG", "C1")["why"] == numbers.NOT_FILLED
    assert frame["reproduced"].count() == 9 + 3  # and the three percentages they allow


def test_collect_derives_the_prose(results):
    fill_table4()
    frame = numbers.collect("test")
    gain = one(frame, "2dgan", "prose", "C5 over C3", "AG")
    assert gain["reproduced"] == 25.0
    assert gain["source"] == "table4/AG/C5, table4/AG/C3"
    assert (gain["dataset"], gain["n_images"], gain["seeds"]) == (FACES, 20, "0 1 2")
    assert math.isnan(gain["sd"])
    gain = one(frame, "2dgan", "prose", "C5 over C4", "AG")
    assert gain["reproduced"] == 150.0
    assert gain["seeds"] == "0 1 2 / 0"
    assert gain["why"] == ""
    missing = one(frame, "2dgan", "prose", "C5 over C4", "SSIM")
    assert math.isnan(missing["reproduced"])
    assert missing["why"] == "missing table4/SSIM/C4: C4 diverged"


def test_the_papers_own_numbers_give_its_own_percentages(papers_own_numbers):
    collected = papers_own_numbers
    assert collected["reproduced"].count() == 217
    off = collected[(collected["reproduced"] - collected["reported"]).abs() > 0.051]
    assert off[["reported", "reproduced"]].values.tolist() == [[32.2, 32.0253]]


@pytest.mark.parametrize(
    ("c3", "why"),
    [
        (Number("AG", "C3", 8.0, dataset="embedded natural images", n_images=20), "in dataset"),
        (Number("AG", "C3", 8.0, dataset=FACES, n_images=19), "in n_images"),
        (Number("AG", "C3", 0.0, dataset=FACES, n_images=20), "table4/AG/C3 is not above 0"),
    ],
)
def test_a_percentage_that_cannot_be_said(results, c3, why):
    c5 = Number("AG", "C5", 10.0, dataset=FACES, n_images=20)
    numbers.record("test", "2dgan", "table4", [c3, c5])
    claim = one(numbers.collect("test"), "2dgan", "prose", "C5 over C3", "AG")
    assert math.isnan(claim["reproduced"])
    assert why in claim["why"]


def test_numbers_csv_reads_back_as_collected(results):
    fill_table4()
    frame = numbers.collect("test")
    text = ["seeds", "dataset", "source", "why"]
    back = pd.read_csv(results / "numbers.csv", dtype={name: str for name in text})
    back[text] = back[text].fillna("")
    for name in ["reported", *numbers.VALUES, "n_images"]:
        assert back[name].astype(float).equals(frame[name].astype(float))
    assert (back[text] == frame[text]).all(axis=None)
    assert ",70.00," in (results / "numbers.csv").read_text("utf-8")  # as printed


def test_a_comparison_has_ours_beside_each_printed_number(results):
    fill_table4()
    frame = numbers.comparison("test", "2dgan", "table4").data
    assert list(frame.index) == ["AG", "IE", "PSNR", "SSIM"]
    assert list(frame.columns[:3]) == [("C1", "paper"), ("C1", "ours"), ("C2", "paper")]
    assert frame.loc["AG", "C5"].tolist() == ["12.60", "10.00 ▼"]
    assert frame.loc["PSNR", "C5"].tolist() == ["27.73", "30.00 ▲"]
    assert frame.loc["SSIM", ("C4", "ours")] == "–"
    assert not (results / "numbers.csv").exists()
    assert "nothing yet" in numbers.comparison("test", "2dgan", "table7").to_html()
    prose = numbers.comparison("test", "2dgan", "prose").data
    assert prose.loc["C5 over C3", ("IE", "ours")].startswith("25.00")


def test_a_comparison_is_deterministic_and_names_the_data(results):
    fill_table4()
    pages = [numbers.comparison("test", "2dgan", "table4").to_html() for _ in range(2)]
    assert pages[0] == pages[1]
    assert FACES in pages[0]
    assert "color: blue" in pages[0]
    assert "color: red" in pages[0]
    assert all(f" {arrow}</td>" in pages[0] for arrow in "▲▼")


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([Number("AG", "C6", 1.0)], "prints no"),
        ([Number("AG", "C1", math.nan)], "reproduced=nan"),
        ([Number("AG", "C1", 1.0, ci_high=math.inf)], "ci_high=inf"),
        ([Number("AG", "C1", None)], "give None and say why"),
    ],
)
def test_record_refuses(results, rows, message):
    before = fill_table4().read_bytes()
    with pytest.raises(ValueError, match=message):
        numbers.record("test", "2dgan", "table4", rows)
    assert (results / "tables" / "2dgan_table4.csv").read_bytes() == before


def test_record_refuses_items_that_are_not_tables(results):
    with pytest.raises(ValueError, match="no reported numbers for gn_cyclegan table4"):
        numbers.record("test", "gn_cyclegan", "table4", [])


def test_a_part_in_another_format_is_an_error_naming_it(results):
    path = fill_table4()
    good = path.read_text("utf-8")
    path.write_text(good.replace("why", "reason", 1), "utf-8")
    with pytest.raises(ValueError, match="2dgan_table4.csv does not have the columns"):
        numbers.collect("test")
    path.write_text(good.replace("AG,C3", "AG,C9"), "utf-8")
    with pytest.raises(ValueError, match="2dgan_table4.csv fills .*AG/C9"):
        numbers.collect("test")


def test_spreads_shows_what_was_measured(results):
    fill_table4()
    table = numbers.spreads("test", "2dgan", "table4")
    assert len(table) == 9  # C4's three missing numbers are not shown
    assert table.loc[("AG", "C3")].to_dict() == {
        "mean [95 %]": "8.000 [7.000,\xa09.000]", "sd": "0.1250", "images": 20, "seeds": 3,
        "dataset": FACES,
    }
    assert "[" not in table.loc[("AG", "C4"), "mean [95 %]"]
