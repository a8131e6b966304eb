"""How things are called on the report's page: in a reader's words, and as places to link to."""

import re
from functools import cache
from pathlib import Path

from markupsafe import Markup, escape

from lib.papers import reported
from lib.results.claims import BELOW

TITLES = {"2dgan": "2D-GAN", "gn_cyclegan": "GN_CycleGAN"}
VERDICTS = {  # of lib.results.claims and lib.papers.audit: (sign, CSS class)
    "seen": ("✓", "good"), "holds": ("✓", "good"), "consistent": ("✓", "good"),
    "contradicted": ("✗", "bad"), "inconsistent": ("✗", "bad"), "fails": ("✗", "bad"),
    "not seen": ("○", "open"), "undecided": ("~", "open"), BELOW: ("~", "open"),
    "not testable": ("–", "none"), "not checkable": ("–", "none"),
}  # fmt: skip


def title(paper: str, item: str) -> str:
    """`2dgan`, `table4` as "2D-GAN, Table 4"."""
    what = "percentages of the prose" if item == "prose" else item.replace("table", "Table ")
    return f"{TITLES[paper]}, {what}"


def in_words(cell: str) -> str:
    """`table3/Img1.PSNR/Ours` as "Table 3, Img1, PSNR, Ours"."""
    item, *names = cell.split("/")
    parts = [part for name in names for part in name.split(".")]
    return ", ".join([item.replace("table", "Table "), *parts])


def worded(text: str, paper: str) -> Markup:
    """Text in which each cell's key is a link to that cell, in words; that of all test images in
    Table 3, which prints three, a link to the first."""
    link = Markup('<a href="#{}">{}</a>')
    parts = _cells(paper).split(text)  # keys at the odd places
    for k in range(1, len(parts), 2):
        printed = re.sub(r"^table3/(AG|IE|PSNR|SSIM)/", r"table3/Img1.\1/", parts[k])
        cell = printed if paper == "2dgan" else parts[k]
        parts[k] = link.format(cell_anchor(paper, cell), in_words(parts[k]))
    return Markup().join(parts)


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


def sign(verdict: str) -> tuple[str, str]:
    """Sign and CSS class of a verdict such as "not testable"."""
    return VERDICTS.get(verdict, ("•", "open"))


def breakable(text: str) -> Markup:
    """Names such as Ours(GN_CycleGAN+resnet_9blocks) may break at signs."""
    return Markup(re.sub(r"([+_]|(?=\())", r"\1<wbr>", str(escape(text))))


def natural(path: Path) -> tuple:
    """Sorts fig2 before fig10."""
    return tuple((int(part), "") if part.isdigit() else (-1, part)
                 for part in re.split(r"(\d+)", path.as_posix()))  # fmt: skip
