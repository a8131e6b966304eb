"""Names of places in the report's page, and the order of what stands on it."""

import re
from pathlib import Path

TITLES = {"2dgan": "2D-GAN", "gn_cyclegan": "GN_CycleGAN"}


def title(paper: str, item: str) -> str:
    """`2dgan`, `table4` as "2D-GAN, Table 4"."""
    what = "percentages of the prose" if item == "prose" else f"Table {item[len('table'):]}"
    return f"{TITLES[paper]}, {what}"


def slug(text: str) -> str:
    """Text as the name of a place in the page."""
    return re.sub(r"[^A-Za-z0-9_]+", "-", text).strip("-")


def run_anchor(source: str) -> str:
    """`source` as `runs/C5/seed0`, with or without `/run.json`."""
    return slug(source.removesuffix("/run.json").replace("runs/", "run-", 1))


def cell_anchor(paper: str, cell: str) -> str:
    """`cell` as `table4/AG/C5`."""
    return slug(f"n {paper} {cell}")


def made_anchor(paper: str, item: str) -> str:
    """Of the notebook that makes a table."""
    return slug(f"made-{paper}-{item}")


def natural(path: Path) -> tuple:
    """Sorts fig2 before fig10."""
    return tuple((int(part), "") if part.isdigit() else (-1, part)
                 for part in re.split(r"(\d+)", path.as_posix()))
