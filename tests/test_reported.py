"""The transcription of both papers: counts, checksums, and the papers' own percentages."""

from decimal import Decimal
from itertools import product

import pytest

from lib.papers import reported

# (paper, item): count of the printed numbers, their sum, and their sum weighted by 1, 2, 3, ... in
# reading order. Added up from the papers' text apart from the files under test: the sum shows a
# wrong digit, the weighted one two numbers that changed places.
CHECKSUMS = {
    ("2dgan", "table2"): (6, "88.950", "141.749"),
    ("2dgan", "table3"): (108, "1036.0095", "52575.2662"),
    ("2dgan", "table4"): (20, "201.0515", "1990.1804"),
    ("2dgan", "table5"): (12, "145.4501", "888.6976"),
    ("2dgan", "table6"): (20, "223.1160", "2239.5263"),
    ("2dgan", "table7"): (8, "67.1212", "301.7802"),
    ("2dgan", "prose"): (6, "618.25", "3167.30"),
    ("gn_cyclegan", "table2"): (24, "178.2953", "2182.4641"),
    ("gn_cyclegan", "table3"): (8, "55.0641", "222.9898"),
    ("gn_cyclegan", "prose"): (5, "56.24", "176.18"),
}


def test_counts():
    frame = reported.load()
    tables = frame[frame["item"] != "prose"]
    assert len(frame) == 217
    assert tables["paper"].value_counts().to_dict() == {"2dgan": 174, "gn_cyclegan": 32}
    assert not frame.duplicated(["paper", "item", "row", "column"]).any()
    assert (frame["where"] != "").all()


@pytest.mark.parametrize(("paper", "item"), CHECKSUMS)
def test_checksum(paper, item):
    values = [Decimal(digits) for digits in reported.cells(paper, item)["printed"]]
    weighted = sum(place * value for place, value in enumerate(values, 1))
    assert (len(values), str(sum(values)), str(weighted)) == CHECKSUMS[paper, item]


def test_checksums_cover_every_item():
    frame = reported.load()
    assert set(zip(frame["paper"], frame["item"], strict=True)) == set(CHECKSUMS)


@pytest.mark.parametrize(
    ("paper", "item", "row", "column", "digits"),
    [
        ("2dgan", "table2", "Generator", "Inference time (ms)", "9.417"),
        ("2dgan", "table2", "Discriminator", "Parameters (M)", "1.46"),
        ("2dgan", "table3", "Img1.PSNR", "HE", "23.3966"),
        ("2dgan", "table3", "Img2.IE", "SSR", "7.7584"),
        ("2dgan", "table3", "Img3.AG", "FUnIE", "13.4100"),
        ("2dgan", "table3", "Img3.SSIM", "Ours", "0.8839"),
        ("2dgan", "table4", "PSNR", "C5", "27.7329"),
        ("2dgan", "table4", "SSIM", "C4", "0.1951"),
        ("2dgan", "table5", "PSNR", "Cross-level attention", "28.6535"),
        ("2dgan", "table5", "AG", "Multi-head attention", "12.0637"),
        ("2dgan", "table6", "IE", "L2", "6.5321"),
        ("2dgan", "table7", "SSIM", "After enhancement", "0.9641"),
        ("2dgan", "prose", "C5 over C4", "IE", "70.00"),
        ("gn_cyclegan", "table2", "CUT", "OSU.SSIM", "0.3168"),
        ("gn_cyclegan", "table2", "CycleGAN+resnet_6blocks", "Flir.SSIM", "0.4700"),
        ("gn_cyclegan", "table3", "CycleGAN+ResNet+CBAM", "PSNR", "13.2403"),
    ],
)
def test_spot_checks(paper, item, row, column, digits):
    assert reported.printed(paper, item, row, column) == digits
    assert reported.table(paper, item).loc[row, column] == float(digits)


def test_table_keeps_the_printed_order():
    table3 = reported.table("2dgan", "table3")
    assert table3.shape == (12, 9)
    assert list(table3.columns) == "OG HE CLAHE GF SSR MSR TIECNN FUnIE Ours".split()
    assert list(table3.index[:5]) == "Img1.AG Img1.IE Img1.PSNR Img1.SSIM Img2.AG".split()
    assert list(reported.table("2dgan", "table4").columns) == "C1 C2 C3 C4 C5".split()
    assert list(reported.table("gn_cyclegan", "table2").index) == [
        "CycleGAN+unet_128",
        "CycleGAN+unet_256",
        "CycleGAN+resnet_6blocks",
        "CycleGAN+resnet_9blocks",
        "CUT",
        "Ours(GN_CycleGAN)",
    ]


@pytest.mark.parametrize(("paper", "item"), [key for key in CHECKSUMS if key[1] != "prose"])
def test_every_table_is_a_full_grid_read_row_by_row(paper, item):
    part = reported.cells(paper, item)
    grid = product(part["row"].unique(), part["column"].unique())
    assert list(zip(part["row"], part["column"], strict=True)) == list(grid)


def test_only_the_prose_compares_cells():
    frame = reported.load()
    compares = (frame["new"] != "") & (frame["old"] != "")
    assert (compares == (frame["item"] == "prose")).all()


def test_load_hands_out_copies():
    mine = reported.load()
    mine["reported"] = 0.0
    assert reported.load()["reported"].min() > 0


def test_unknown_names_are_errors():
    with pytest.raises(ValueError, match="no reported numbers for 2dgan table1"):
        reported.table("2dgan", "table1")
    with pytest.raises(ValueError, match="row 'AG', column 'C6'"):
        reported.printed("2dgan", "table4", "AG", "C6")
