"""A small vocabulary of checks on the numbers of the papers' tables.

A check is data, in data/audit.yaml and data/claims.yaml, so that the same one runs on the papers'
numbers and on ours. Methods and metrics are names of one table, lists of them, or patterns such as
`*.PSNR`; `by` and `within` are percentages. The words:

    {higher: Ours, than: "*", in: table3, of: "*.PSNR"}         each of these above each of those
    {higher: C5, than: C4, in: table4, of: SSIM, by: 50}        and by more than 50 %
    {lower: C4, than: C2, in: table4, of: "*"}
    {near: C2, to: C1, in: table4, of: IE, within: 2}           they differ by at most 2 %
    {below: 16, methods: [SSR, MSR], in: table3, of: "*.PSNR"}
    {about: 12.18, methods: Parameters (M), in: table2, of: Generator, within: 2}
    {equal: [table4/PSNR/C5, table6/PSNR/L5]}

Each stands for a list of relations, all of which have to hold.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

from lib.papers import reported

WORDS = {
    "higher": {"than", "in", "of", "by"},
    "lower": {"than", "in", "of"},
    "near": {"to", "in", "of", "within"},
    "below": {"methods", "in", "of"},
    "about": {"methods", "in", "of", "within"},
    "equal": set(),
}
ROUNDING = 1e-12  # of floats, relative
SHOWN = 3  # relations that are written out where there are many

Bounds = tuple[float, float]  # a number known to lie between two, or the same number twice


@dataclass(frozen=True)
class Relation:
    """`left` above `right` (">") or near it ("~"): cells as `table4/AG/C5`, or a constant.

    `margin` is a share of the right: by how much it is exceeded, or how far off it may be.
    """

    left: str | float
    sign: str
    right: str | float
    margin: float = 0.0

    @property
    def cells(self) -> list[str]:
        return [side for side in (self.left, self.right) if isinstance(side, str)]

    def describe(self, values: Mapping[str, str], verb: str) -> str:
        """`16 is above table3/Img1.PSNR/GF 8.2680`, with the value of each cell behind it."""
        sides = (self.left, self.right)
        left, right = (f"{s} {values[s]}" if s in values else f"{s}" for s in sides)
        relation = "above" if self.sign == ">" else "near" if self.margin else "equal to"
        margin = f" ({100 * self.margin:g} %)" if self.margin else ""
        return f"{left} {verb} {relation} {right}{margin}"


def relations(check: Mapping, paper: str) -> list[Relation]:
    """What a check says of single cells. ValueError for unknown words and for unknown cells."""
    word = next((word for word in WORDS if word in check), None)
    if word is None or not set(check) - {word} <= WORDS[word]:
        raise ValueError(f"{dict(check)} is no check; lib.papers.checks lists the words there are")
    if word == "equal":
        left, right = (known(cell, paper) for cell in check["equal"])
        return [Relation(left, "~", right)]
    item, of = check["in"], check["of"]
    these = check.get("methods", check[word])
    if word == "below":
        return [Relation(check[word], ">", cell) for cell in _cells(paper, item, of, these)]
    margin = check.get("by", check.get("within", 0)) / 100
    if word == "about":
        cells = _cells(paper, item, of, these)
        return [Relation(cell, "~", check[word], margin) for cell in cells]
    sign = "~" if word == "near" else ">"
    pairs = _pairs(paper, item, of, these, check.get("than", check.get("to")))
    if word == "lower":
        pairs = [(those, these) for these, those in pairs]
    return [Relation(left, sign, right, margin) for left, right in pairs]


def holds(relation: Relation, bounds: Mapping[str, Bounds]) -> bool | None:
    """True or False where the bounds of both sides settle it, None where they overlap.

    `bounds` gives each cell's; equal bounds (an exact number) settle every relation. KeyError for
    a cell that has none.
    """
    sides = (relation.left, relation.right)
    (a, b), (c, d) = (bounds[s] if isinstance(s, str) else (s, s) for s in sides)
    if relation.sign == ">":
        if a > d + relation.margin * abs(d):
            return True
        return False if b <= c + relation.margin * abs(c) else None
    largest, smallest = max(abs(c), abs(d)), min(abs(c), abs(d))
    if max(b - c, d - a) <= (relation.margin + ROUNDING) * smallest:
        return True
    return False if max(a - d, c - b) > (relation.margin + ROUNDING) * largest else None


def summary(found: list[str], outcome: str) -> str:
    """`2 fail: a; b`, of what is longer than SHOWN the beginning."""
    more = len(found) - SHOWN
    return f"{outcome}: " + "; ".join(found[:SHOWN]) + (f"; and {more} more" if more > 0 else "")


def known(cell: str, paper: str) -> str:
    """The address itself; ValueError if the paper prints no such number."""
    reported.printed(paper, *cell.split("/"))
    return cell


def _pairs(paper, item, of, these, those) -> list[tuple[str, str]]:
    """Cells of the same metric, each of `these` methods beside each other of `those`."""
    pairs = []
    for metric in _match(of, _names(paper, item)[0]):
        left = _cells(paper, item, metric, these)
        right = _cells(paper, item, metric, those)
        pairs += [(a, b) for a in left for b in right if a != b]
    return pairs


def _cells(paper: str, item: str, of, methods) -> list[str]:
    metrics, columns = _names(paper, item)
    return [
        f"{item}/{method}/{metric}" if paper == "gn_cyclegan" else f"{item}/{metric}/{method}"
        for metric in _match(of, metrics)
        for method in _match(methods, columns)
    ]


def _names(paper: str, item: str) -> tuple[list[str], list[str]]:
    """Metrics and methods of a table: GN_CycleGAN prints one method a row, 2D-GAN one a column."""
    part = reported.cells(paper, item)
    rows, columns = list(part["row"].unique()), list(part["column"].unique())
    return (columns, rows) if paper == "gn_cyclegan" else (rows, columns)


def _match(patterns: str | list[str], names: list[str]) -> list[str]:
    patterns = [patterns] if isinstance(patterns, str) else patterns
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in names):
            raise ValueError(f"{pattern!r} matches none of {', '.join(names)}")
    return [name for name in names if any(fnmatchcase(name, p) for p in patterns)]
