"""How things are called on the report's page: in a reader's words, and as places to link to."""

import re
from functools import cache
from pathlib import Path

from markupsafe import Markup, escape

from lib.papers import reported
from lib.training.experiments import EXPERIMENTS

TITLES = {"2dgan": "2D-GAN", "gn_cyclegan": "GN_CycleGAN"}
METHODS = {  # printed or an experiment's title -> in words; neither paper's own is "Ours" here
    "Ours": "2D-GAN", "FUnIE": "FUnIE-GAN", "OG": "the degraded input",
    "Ours(GN_CycleGAN)": "GN_CycleGAN", "Ours (GN_CycleGAN)": "GN_CycleGAN",
    "Baseline(CycleGAN)": "CycleGAN", "the degraded image as it is": "the degraded input",
    "mean and deviation set by linear regression": "the tone map",
}
VERDICTS = {  # of lib.results.claims and lib.papers.audit: (sign, CSS class)
    "seen": ("✓", "good"), "holds": ("✓", "good"), "consistent": ("✓", "good"),
    "contradicted": ("✗", "bad"), "inconsistent": ("✗", "bad"), "fails": ("✗", "bad"),
    "not seen": ("○", "open"), "undecided": ("~", "open"),
    "not testable": ("–", "none"), "not checkable": ("–", "none"), "fitted": ("≈", "none"),
}
# verdicts on our numbers, in the order in which they are counted
GROUPS = ("seen", "not seen", "contradicted", "undecided", "not testable")


def sign(verdict: str) -> tuple[str, str]:
    """Sign and CSS class of a verdict such as "not testable"."""
    return VERDICTS.get(short(verdict), ("•", "open"))


def short(verdict: str) -> str:
    """A verdict without its reason, "undecided: not above ...": what a badge says."""
    return verdict.partition(":")[0]


def title(paper: str, item: str) -> str:
    """`2dgan`, `table4` as "2D-GAN, Table 4"."""
    what = "percentages of the prose" if item == "prose" else item.replace("table", "Table ")
    return f"{TITLES[paper]}, {what}"


def place_and_name(cell: str, paper: str) -> tuple[str, str]:
    """`table3/Img1.PSNR/Ours` as "Table 3, image 1, PSNR" and "2D-GAN"; `C5/AG excess`, which no
    table has, as "AG excess" and "C5"."""
    item, *names = cell.split("/")
    if not names[1:]:
        name, metric = item, names[0]
        place = re.sub(r"^cycle_([ab])", lambda its: f"cycle loss {its[1].upper()},", metric)
        if name in EXPERIMENTS and not re.fullmatch(r"[CL]\d", name):
            name = EXPERIMENTS[name].title
        return place, METHODS.get(name, name)
    by_row = paper == "gn_cyclegan" or item in ("prose", "table2")
    name, metric = names if by_row else reversed(names)
    parts = re.sub(r"^Img", "image ", metric).split(".")
    if item == "table3" and paper == "2dgan" and len(parts) == 1:
        parts = ["all test images", *parts]
    return ", ".join([item.replace("table", "Table "), *parts]), METHODS.get(name, name)


def in_words(cell: str, paper: str) -> str:
    """`table3/Img1.PSNR/Ours` as "Table 3, image 1, PSNR, 2D-GAN"."""
    return ", ".join(place_and_name(cell, paper))


def worded(text: str, paper: str) -> Markup:
    """Text in which each printed cell's key is a link to that cell, in words."""
    link = Markup('<a href="#{}">{}</a>')
    parts = _cells(paper).split(text)  # keys at the odd places
    parts[1::2] = [link.format(anchor_of(key, paper), in_words(key, paper)) for key in parts[1::2]]
    return Markup().join(parts)


def anchor_of(cell: str, paper: str) -> str:
    """Where a cell stands in the page; that of all test images in Table 3, which prints three, at
    the first; empty where the paper prints none."""
    if not _cells(paper).fullmatch(cell):
        return ""
    printed = re.sub(r"^table3/(AG|IE|PSNR|SSIM)/", r"table3/Img1.\1/", cell)
    return cell_anchor(paper, printed if paper == "2dgan" else cell)


@cache
def _cells(paper: str) -> re.Pattern:
    """Matches the key of any cell that a paper prints, the longest that fits."""
    part = reported.load().query("paper == @paper")
    keys = part["item"] + "/" + part["row"] + "/" + part["column"]
    keys = {*keys, *keys.str.replace(r"/Img\d\.", "/", regex=True)}
    return re.compile(f"({'|'.join(map(re.escape, sorted(keys, key=len, reverse=True)))})")


def slug(text: str) -> str:
    """Text as the name of a place in the page."""
    return re.sub(r"[^A-Za-z0-9_]+", "-", text).strip("-")


def run_anchor(where: str) -> str:
    """Of a run's folder, `runs/C5/seed0`."""
    return slug(where.replace("runs/", "run-", 1))


def cell_anchor(paper: str, cell: str) -> str:
    """Of a cell's key, `table4/AG/C5`."""
    return slug(f"n {paper} {cell}")


def breakable(text: str) -> Markup:
    """Names such as Ours(GN_CycleGAN+resnet_9blocks) may break at signs."""
    return Markup(re.sub(r"([+_]|(?=\())", r"\1<wbr>", str(escape(text))))


def natural(text: str | Path) -> list[str | int]:
    """Sorts fig2 before fig10: text and numbers take turns."""
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", str(text))]
